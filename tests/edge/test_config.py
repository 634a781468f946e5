import re
from datetime import timedelta
from pathlib import Path

import pytest

from edge.config import Config, load_config, wiring
from gate_controller.access import ExitPolicy
from gate_controller.errors import ConfigError
from gate_controller.site import ClaimPolicy, Rules

GOOD = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"

[list]
file = "users.csv"

[boards.main]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"

[readers.badge]
kind = "rdm6300"
port = "/dev/ttyUSB1"
lane = "entry"

[lanes.entry]
direction = "in"
board = "main"
camera = "rtsp://camera/1"
inputs = { approach = 1, safety = 2, fire = 8 }
outputs = { open = 1, green = 2, hold = 5 }

[lanes.exit]
direction = "out"
board = "main"
camera = "exit.avi"
exit_policy = "known_only"
inputs = { approach = 3, safety = 4, fire = 8 }
outputs = { open = 3, hold = 6 }
"""


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "site.toml"
    path.write_text(text, "utf-8")
    return load_config(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    prefix = f"{tmp_path / 'site.toml'}: "
    assert all(problem.startswith(prefix) for problem in error.value.problems)
    return [problem.removeprefix(prefix) for problem in error.value.problems]


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_whole_site_is_read_with_its_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.site.name == "Depot"
    assert config.tz().key == "Europe/Amsterdam"
    assert config.lanes["exit"].exit_policy is ExitPolicy.KNOWN_ONLY
    assert config.lanes["entry"].exit_policy is ExitPolicy.ANY_VEHICLE
    assert config.lanes["entry"].inputs.fitted() == {"approach": 1, "safety": 2, "fire": 8}
    assert config.lanes["entry"].outputs.fitted() == {"open": 1, "green": 2, "hold": 5}
    assert config.portal is None
    assert config.path(config.store.path) == tmp_path / "slagboom.db"


def test_a_path_that_is_absolute_stays_so(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).path("/var/lib/x.db") == Path("/var/lib/x.db")


def test_the_wiring_shows_no_password(tmp_path: Path) -> None:
    config = load(tmp_path, swapped("rtsp://camera/1", "rtsp://admin:p@ss@camera/1"))
    assert ("entry", "camera", "rtsp://camera/1", "") in wiring(config)
    assert config.lanes["entry"].camera == "rtsp://admin:p@ss@camera/1"


def test_the_rules_are_the_cores_own_with_hours_as_times(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).rules() == Rules()
    more = "capacity = 3\nsession_expires_after_h = 24\nmissed_exit_grace_h = 0.5\n"
    offline = "[offline]\npermanent_h = 720\ntemporary_h = 6\n[list]"
    assert load(tmp_path, swapped('"Depot"\n', f'"Depot"\n{more}').replace("[list]", offline)).rules() == Rules(
        3, timedelta(days=1), timedelta(minutes=30), timedelta(days=30), timedelta(hours=6)
    )


def test_claims_need_a_portal_to_ask(tmp_path: Path) -> None:
    claims = swapped('"Depot"\n', '"Depot"\nclaims = "deny"\n')
    assert "site.claims: there is no [portal] to ask; add one, or leave this out" in problems(tmp_path, claims)
    portal = '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\n'
    asked = load(tmp_path, claims.replace('[list]\nfile = "users.csv"\n', portal))
    assert asked.rules().claims is ClaimPolicy.DENY


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + GOOD).site.name == "Depot"


def test_the_wiring_names_every_channel_once(tmp_path: Path) -> None:
    assert wiring(load(tmp_path, GOOD)) == [
        ("entry", "direction", "in", ""),
        ("entry", "input approach", "main in 1", "/dev/ttyUSB0"),
        ("entry", "input safety", "main in 2", "/dev/ttyUSB0"),
        ("entry", "input fire", "main in 8", "/dev/ttyUSB0"),
        ("entry", "output open", "main out 1", "/dev/ttyUSB0"),
        ("entry", "output hold", "main out 5", "/dev/ttyUSB0"),
        ("entry", "output green", "main out 2", "/dev/ttyUSB0"),
        ("entry", "camera", "rtsp://camera/1", ""),
        ("entry", "reader badge", "rdm6300", "/dev/ttyUSB1"),
        ("exit", "direction", "out", "exit policy known_only"),
        ("exit", "input approach", "main in 3", "/dev/ttyUSB0"),
        ("exit", "input safety", "main in 4", "/dev/ttyUSB0"),
        ("exit", "input fire", "main in 8", "/dev/ttyUSB0"),
        ("exit", "output open", "main out 3", "/dev/ttyUSB0"),
        ("exit", "output hold", "main out 6", "/dev/ttyUSB0"),
        ("exit", "camera", "exit.avi", ""),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[list]", "[lst]", "lst: unknown table; did you mean list?"),
        ("time_zone", "timezone", "site.timezone: unknown key; did you mean time_zone?"),
        ("safety = 2", "saftey = 2", "lanes.entry.inputs.saftey: unknown key; did you mean safety?"),
        ("open = 3", "open = 9", "lanes.exit.outputs.open: 9 given; expected a whole number from 1 up to 8"),
        ("open = 3", "open = 0", "lanes.exit.outputs.open: 0 given; expected a whole number from 1 up to 8"),
        ("open = 3", 'open = "3"', 'lanes.exit.outputs.open: "3" given; expected a whole number from 1 up to 8'),
        ('"Depot"', "4", "site.name: 4 given; expected text in quotes, 1 to 100 characters"),
        (
            'direction = "out"',
            'direction = "up"',
            'lanes.exit.direction: "up" given; expected one of "both", "in", "out"',
        ),
        (
            '"known_only"',
            '"nobody"',
            'lanes.exit.exit_policy: "nobody" given; expected one of "any_vehicle", "known_only"',
        ),
        (
            "Europe/Amsterdam",
            "Europe/Amstredam",
            'site.time_zone: no time zone "Europe/Amstredam"; write it like "Europe/Amsterdam"',
        ),
        ("Europe/Amsterdam", "../../x", 'site.time_zone: no time zone "../../x"; write it like "Europe/Amsterdam"'),
        ('"modbus_relay8"', '"modbus"', 'boards.main.kind: no kind "modbus"; did you mean modbus_relay8?'),
        ('"modbus_relay8"', '"rdm6300"', 'boards.main.kind: no kind "rdm6300"; known are modbus_relay8'),
        ('"rdm6300"', '"wiegand"', 'readers.badge.kind: no kind "wiegand"; known are line_reader, rdm6300'),
        (
            '"/dev/ttyUSB1"',
            '"/dev/ttyUSB0"',
            "readers.badge.port: /dev/ttyUSB0 is already the port of boards.main; give each device its own",
        ),
        (
            '"rdm6300"',
            '"rdm6300"\nformat = "hex"',
            "readers.badge.format: only a line_reader is told so; leave it out",
        ),
        (
            '"rdm6300"',
            '"line_reader"\nformat = "qr"',
            'readers.badge.format: "qr" given; expected one of "code", "hex", "decimal"',
        ),
        (
            '"rdm6300"',
            '"line_reader"\nends = []',
            "readers.badge.ends: name at least one byte that ends a line and begins none, such as [13, 10]",
        ),
        (
            '"rdm6300"',
            '"line_reader"\nstart = [2, 13]',
            "readers.badge.ends: name at least one byte that ends a line and begins none, such as [13, 10]",
        ),
        (
            '"rdm6300"',
            '"line_reader"\nstart = [2, 3, 4, 5, 6, 7, 8, 9, 14]',
            "readers.badge.start: 9 bytes; at most 8 begin a line",
        ),
        (
            '"rdm6300"',
            '"line_reader"\nends = [256]',
            "readers.badge.ends: a list given; expected a list in brackets, each a whole number from 0 up to 255",
        ),
        (
            '"rdm6300"',
            '"line_reader"\nbits = 8',
            "readers.badge.bits: 8 given; expected a whole number from 16 up to 80",
        ),
        ('lane = "entry"', 'lane = "entri"', "readers.badge.lane: no table [lanes.entri]; did you mean entry?"),
        (
            'camera = "exit.avi"\n',
            "",
            "lanes.exit.camera: missing, and no reader names this lane; nobody could get in",
        ),
        (
            "approach = 3",
            "approach = 2",
            "lanes.exit.inputs.approach: channel 2 of main is already lanes.entry.inputs.safety; "
            "give each contact its own",
        ),
        (
            "green = 2",
            "green = 1",
            "lanes.entry.outputs.green: channel 1 of main is already lanes.entry.outputs.open; "
            "give each contact its own",
        ),
        (
            "approach = 3",
            "approach = 8",
            "lanes.exit.inputs.approach: channel 8 of main is already lanes.entry.inputs.fire; "
            "give each contact its own",
        ),
        (
            "[list]",
            '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\n[list]',
            "list: the portal brings the list; leave out either [list] or [portal]",
        ),
        (
            "[lanes.exit]",
            '[lanes."the exit"]',
            "lanes.the exit: not a name; use 1 to 32 letters, digits, - and _",
        ),
        (
            "[list]\n",
            '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\ntenant = "A/+"\n[store]\n#',
            'portal.tenant: "A/+" given; expected 1 to 32 of a-z, 0-9, - and _, a letter first',
        ),
        (
            "[list]\n",
            '[portal]\nhost = "x"\nroot_key = "trust me"\n[store]\n#',
            'portal.root_key: "trust me" given; expected 64 of 0-9 and a-f, a public key',
        ),
        (
            "[list]\n",
            '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\ntls = { ca = "ca.pem", crt = "x" }\n[store]\n#',
            "portal.tls.crt: unknown key; did you mean cert?",
        ),
        (
            "[list]\n",
            '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\ntls = "ca.pem"\n[store]\n#',
            'portal.tls: "ca.pem" given; write a table [portal.tls]',
        ),
        (
            "[list]",
            "[store]\nkeep_personal_days = 0\n[list]",
            "store.keep_personal_days: 0 given; expected a whole number from 1 up to 3650",
        ),
        (
            '"Depot"\n',
            '"Depot"\nsession_expires_after_h = inf\n',
            "site.session_expires_after_h: inf given; expected a number above 0 up to 87600",
        ),
    ],
)
def test_a_mistake_is_named_by_its_path_with_the_fix(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in problems(tmp_path, swapped(old, new))


def test_a_lane_of_a_board_that_is_not_there(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace('board = "main"', 'board = "mian"'))
    assert found == [
        "lanes.entry.board: no table [boards.mian]; did you mean main?",
        "lanes.exit.board: no table [boards.mian]; did you mean main?",
    ]


def test_one_mistake_gives_one_message(tmp_path: Path) -> None:
    """A reference to a table that is itself wrong is not called missing."""
    assert problems(tmp_path, swapped('kind = "modbus_relay8"', "kind = 8")) == [
        "boards.main.kind: 8 given; expected text in quotes, 1 to 100 characters"
    ]
    assert problems(tmp_path, swapped("approach = 1", 'approach = "one"')) == [
        'lanes.entry.inputs.approach: "one" given; expected a whole number from 1 up to 8'
    ]


def test_mistakes_in_several_tables_are_reported_together(tmp_path: Path) -> None:
    text = swapped("time_zone", "timezone").replace("safety = 4", "safety = 44").replace("[list]", "[lost]")
    assert problems(tmp_path, text) == [
        "lost: unknown table; did you mean list?",
        "site.timezone: unknown key; did you mean time_zone?",
        "site.time_zone: missing; give text in quotes, 1 to 100 characters",
        "lanes.exit.inputs.safety: 44 given; expected a whole number from 1 up to 8",
    ]


LITERALS = (
    "-1", "0", "99999999999999999999", "1e309", "nan", "-inf", "true", '""', '"\\u0000"', '"\\uFEFF"',
    f'"{"x" * 5000}"', "[]", "[[1]]", "{}", "{ a = { b = 1 } }", "1979-05-27T07:32:00Z", "07:32:00",
)  # fmt: skip


def test_whatever_is_written_as_a_value_ends_in_settings_or_in_named_problems(tmp_path: Path) -> None:
    def refused(text: str) -> tuple[str, ...]:
        try:
            wiring(load(tmp_path, text))
        except ConfigError as error:
            return error.problems
        return ()

    values = list(re.finditer(r"(?<== )(\"[^\"]*\"|\d+)", GOOD))
    assert len(values) > 20
    for value in values:
        for literal in LITERALS:
            for problem in refused(GOOD[: value.start()] + literal + GOOD[value.end() :]):
                assert len(problem) < 400, problem[:400]


def test_an_empty_file_says_what_every_site_needs(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == [
        "site: missing; add a table [site]",
        "boards: missing; add at least one table [boards.NAME]",
        "lanes: missing; add at least one table [lanes.NAME]",
    ]


def test_tables_that_are_no_tables(tmp_path: Path) -> None:
    assert problems(tmp_path, 'site = 1\nboards = 2\nlanes = "x"\nreaders = [1]\n') == [
        "site: 1 given; write a table [site]",
        "boards: 2 given; write tables [boards.NAME]",
        "readers: a list given; write tables [readers.NAME]",
        'lanes: "x" given; write tables [lanes.NAME]',
    ]
