"""Writes what in this folder says what the code says: `configuration.md`, `lane.md`, `reasons.md`, `mosquitto`.

Names, kinds, limits and defaults come from the code; what a setting means is written here, and a setting without
its meaning is an error. `tests/test_docs.py` fails when a page is not what this program would write.
"""

import runpy
import sys
from pathlib import Path
from typing import Final

from msgspec import NODEFAULT, Struct, inspect

from edge import config, lane_table
from gate_controller.reasons import DRIVER, OPERATOR, Note
from hardware_sim.portal.trust.mosquitto import CONFIGURATION, LIMITS, access_list

HERE: Final = Path(__file__).resolve().parent

EXAMPLE: Final = """\
[site]
name = "North yard"
time_zone = "Europe/Amsterdam"
capacity = 40

[store]
path = "/var/lib/slagboom/slagboom.db"

# Or enrolled = "portal", as `slagboom enrol` writes it; or [list] with file = "users.csv", for a site on its own.
[portal]
host = "broker.example.net"
root_key = "5d3f7c1e0a9b48260f1d2c3b4a596877866554433221100ffeeddccbbaa99887"
tenant = "acme"
site = "north"
edge = "gatehouse"

[boards.island]
kind = "modbus_relay8"
port = "/dev/serial/by-id/usb-board"

[readers.post]
kind = "rdm6300"
port = "/dev/serial/by-id/usb-reader"
lane = "entry"

[readers.scanner]
kind = "line_reader"                    # QR passes; or a keypad that sends whole codes
port = "/dev/serial/by-id/usb-scanner"
lane = "entry"

[lanes.entry]
direction = "in"
board = "island"
camera = "rtsp://10.0.0.21/stream1"
region = [[0.1, 0.3], [0.8, 0.3], [1.0, 1.0], [0.0, 1.0]]
plate_width_min_px = 80
inputs = { approach = 1, safety = 2, closed_limit = 3 }
outputs = { open = 1 }

[lanes.exit]
direction = "out"
board = "island"
camera = "rtsp://10.0.0.22/stream1"
inputs = { approach = 4, safety = 5, closed_limit = 6 }
outputs = { open = 2 }
"""

TABLES: Final[dict[str, type[Struct]]] = {
    "site": config.SiteTable,
    "offline": config.OfflineTable,
    "store": config.StoreTable,
    "portal": config.PortalTable,
    "portal.tls": config.TlsTable,
    "list": config.ListTable,
    "recognition": config.RecognitionTable,
    "boards.NAME": lane_table.BoardTable,
    "readers.NAME": lane_table.ReaderTable,
    "lanes.NAME": lane_table.LaneTable,
    "lanes.NAME.inputs": lane_table.InputsTable,
    "lanes.NAME.outputs": lane_table.OutputsTable,
    "desks.NAME": config.DeskTable,
    "displays.NAME": config.DisplayTable,
}

MEANING: Final[dict[str, str]] = {
    "displays.NAME.port": "The serial port of the screen (`text_display`), which is sent lines that begin with "
    "`CLEAR`, `QR` or `TEXT`.",
    "displays.NAME.lane": "The entry at which it stands: its code, confirmed at the portal, opens this lane.",
    "displays.NAME.pages": "The address of the portal's pages, as phones reach it; the code leads there.",
    "desks.NAME.board": "The board that the key cabinet is wired to. Without it the desk hands out badges alone.",
    "desks.NAME.slots": "The output channel that frees the key of slot 1, of slot 2, and so on.",
    "desks.NAME.contacts": "The input channel that is on while the key hangs in slot 1, in slot 2, and so on. "
    "Without them nobody knows whether a key is back.",
    "site.name": "Shown to operators.",
    "site.time_zone": "The zone of weekly schedules and of local times in reports, as in the IANA database.",
    "site.capacity": "Places; vehicles inside count, and those let in but not yet through. Without it, no limit.",
    "site.session_expires_after_h": "A vehicle still inside after this many hours is taken to have left unseen.",
    "site.missed_exit_grace_h": "A user whose vehicle has been inside this long may enter with another one: the "
    "exit is taken to have been missed. Without it, only an operator's release or the expiry helps.",
    "site.claims": "For a site of several edges. An entry asks the portal whether the user's place is free at the "
    "others too, and this says what it does without an answer within 300 ms: let pass and report it, refuse whom "
    "its own books have inside, or refuse. Without it, this edge is the only one, and asks nobody.",
    "offline.permanent_h": "A cached list that the portal has not confirmed for this many hours admits nobody. "
    "Without it, users whose permit and credential have no end get in however long the portal has been away.",
    "offline.temporary_h": "After this many hours without the portal, nobody gets in whose permit or credential "
    "has an end: a visitor who was cancelled meanwhile would. The portal confirms the list every hour.",
    "store.path": "The database. One program at a time.",
    "store.evidence": "The folder of the pictures that decided. Those of vehicles that belong to nobody on the "
    "list lie in its folder `strangers/` and go sooner.",
    "store.keep_strangers_h": "After this many hours the plate of a vehicle that belongs to nobody on the list, "
    "and its picture in `strangers/`, are gone; a keyed hash is left, and its key changes every week.",
    "store.keep_personal_days": "After this many days the plates, names and pictures of the journal are erased, "
    "uploaded or not; the rows themselves stay.",
    "portal.host": "The MQTT 5 broker between this edge and its portal.",
    "portal.root_key": "The portal's root public key. Only what this key vouches for is believed, whoever runs the "
    "broker; the reference portal writes it to `keys/root.pub` beside its database.",
    "portal.port": "Its port.",
    "portal.tenant": "First part of the topics.",
    "portal.site": "Second part of the topics.",
    "portal.edge": "Third part of the topics; this edge's own name.",
    "portal.enrolled": "The folder that `slagboom enrol` wrote; it says all the others, which are then left out.",
    "portal.tls": "Certificates of the link; see below. Without them nothing is encrypted.",
    "portal.tls.ca": "The authority that the broker's certificate must come from, in PEM. No other is trusted.",
    "portal.tls.cert": "This edge's certificate, in PEM; its common name is `TENANT.SITE.EDGE`.",
    "portal.tls.key": "Its key, in PEM; without this setting it is in the certificate's file.",
    "portal.tls.renew": "The portal's address for enrolment: there the daemon fetches the next certificate when "
    "two thirds of this one's life are over. Without it, somebody else must.",
    "list.file": "An allowlist as `slagboom list check` accepts it. Leave `[portal]` out. A changed file is taken "
    "over within seconds while the daemon runs, all of it or nothing; of a bad one the log names the line.",
    "recognition.ocr": "The reader: `builtin`, a model of fast-plate-ocr's hub (downloaded once), or the path of "
    "an ONNX file with its YAML of the same name beside it. Its regions may be called by distinguishing signs, "
    "ISO 3166 codes or English names; any others are read as no country.",
    "recognition.detector": "The detector: `builtin`, or the path of an ONNX file that gives boxes as "
    "open-image-models does.",
    "boards.NAME.kind": "The board's protocol: `modbus_relay8`.",
    "boards.NAME.port": "Its serial port; the name under `/dev/serial/by-id` stays the same after a restart.",
    "readers.NAME.kind": "`rdm6300`, a badge reader; or `line_reader`, which sends a line of text a read: a QR "
    "scanner, a keypad that sends a whole code, or a badge converter.",
    "readers.NAME.port": "Its serial port.",
    "readers.NAME.lane": "The lane at which it stands.",
    "readers.NAME.format": "What a line of a `line_reader` is: a pass or guest code (`code`), or a badge number.",
    "readers.NAME.bits": "The width of the badge number, which comes with all its digits: 24 bits are 6 digits "
    "in `hex` and 8 in `decimal`, 32 bits are 8 and 10.",
    "readers.NAME.start": "Bytes that a line begins with, such as `[2, 82]`; what comes before is thrown away.",
    "readers.NAME.ends": "Bytes each of which ends a line; CR and LF unless told otherwise.",
    "lanes.NAME.direction": "Which way vehicles pass. A lane of both takes it from the loop that armed it.",
    "lanes.NAME.board": "The board that its contacts and relays are wired to. A board may serve several lanes.",
    "lanes.NAME.inputs": "Which channel each contact is wired to; see below.",
    "lanes.NAME.outputs": "Which channel each relay is wired to; see below.",
    "lanes.NAME.inverted": "Inputs whose contact is closed when nothing is there, as fail-safe loops and fire "
    "contacts have it: a cut wire then counts as occupied, or as fire.",
    "lanes.NAME.active": "A lane that is not active refuses everybody, for the reason `device_inactive`. An order"
    " (`operate activate`, `portal activate`) counts in its place until this is changed.",
    "lanes.NAME.camera": "An RTSP or HTTP address, a video file, a folder of pictures, or a USB camera's number.",
    "lanes.NAME.region": "The region of interest: the corners of a polygon, one after the other around it, each "
    "across and down the camera's picture from 0 to 1. A plate counts if its middle lies inside, so that cars that "
    "park or pass beside the lane are not read. `slagboom read --config site.toml --lane NAME --explain PICTURE` "
    "shows it.",
    "lanes.NAME.plate_width_min_px": "Plates that are narrower in the camera's picture do not count: cars far off. "
    "Without it all count, and those of 60 px and more are looked for; 20 to 60 looks for smaller ones.",
    "lanes.NAME.exit_policy": "`any_vehicle` opens the exit for whoever stands there after a bounded attempt to "
    "read; `known_only` opens it for every vehicle that is inside and refuses others with `not_inside`.",
    "lanes.NAME.read_for_s": "How long an exit tries to read a plate before its policy decides.",
    "lanes.NAME.pulse_width_s": "Length of the opening pulse; the board ends it by itself.",
    "lanes.NAME.open_without_store": "Whether an authorised vehicle passes when the journal cannot be written. The "
    "gap is recorded.",
    "lanes.NAME.inputs.approach": "The loop before the barrier. Nothing is granted without a vehicle on it.",
    "lanes.NAME.inputs.safety": "The loop under the boom; a passage is what crosses it.",
    "lanes.NAME.inputs.far": "The loop behind the boom: with it a passage is seen, without it assumed.",
    "lanes.NAME.inputs.closed_limit": "The boom is down.",
    "lanes.NAME.inputs.open_limit": "The boom is up.",
    "lanes.NAME.inputs.fire": "The fire alarm: the lane holds open. One channel may serve several lanes.",
    "lanes.NAME.inputs.fault": "The controller reports a fault.",
    "lanes.NAME.inputs.manual": "The barrier is worked by hand.",
    "lanes.NAME.outputs.open": "The opening pulse.",
    "lanes.NAME.outputs.hold": "Keeps the boom up as long as it is on.",
    "lanes.NAME.outputs.green": "The driver may go.",
    "lanes.NAME.outputs.red": "The driver must wait.",
}

NOTES: Final[dict[Note, str]] = {
    Note.LOOK_ALIKE: "The read differs from the listed plate in look-alike characters only, and fits one user.",
    Note.EXIT_MISSED: "The same plate was still inside: its exit had been missed, and that session was closed.",
    Note.EXIT_UNIDENTIFIED: "The exit opened for a vehicle that could not be identified.",
    Note.DEGRADED: "Decided without something that the rules would have asked, such as the portal.",
    Note.LOG_GAP: "The barrier opened before the grant was on disk; the fact `log_gap` names the journal's row "
    "that is reserved for it.",
    Note.NEUTRAL: "The user's presence is unknown after a fault; the next movement settles it.",
}


def configuration() -> str:
    """The page of settings."""
    parts = [
        "# Settings",
        "<!-- Written by docs/generate.py from edge/config.py; `make docs` writes it anew. -->",
        "One TOML file describes a site. `slagboom check-config site.toml` prints the wiring it describes, or "
        "names every mistake by its path in the file; `slagboom run --config site.toml` runs it. A key that is not "
        "listed here is an error. Paths, those of cameras and ports too, are relative to the folder of the file. "
        "Channels count from 1, as boards are printed.",
        f"```toml\n{EXAMPLE}```",
    ]
    for name, kind in TABLES.items():
        summary = (kind.__doc__ or "").split(": ", 1)[-1].strip()
        rows = [_row(name, field) for field in inspect.type_info(kind).fields]
        head = "| Key | Value | Default | Meaning |\n|---|---|---|---|\n"
        parts += [f"## `[{name}]`", summary[:1].upper() + summary[1:], head + "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _row(table: str, field: inspect.Field) -> str:
    default = "required" if field.required else _default(field)
    meaning = MEANING[f"{table}.{field.encode_name}"]
    return f"| `{field.encode_name}` | {_kind(field.type)} | {default} | {meaning} |"


def _default(field: inspect.Field) -> str:
    if field.default in (None, NODEFAULT):
        return "none"
    shown = str([*field.default] if isinstance(field.default, tuple) else field.default)
    return f"`{shown.lower()}`" if isinstance(field.default, bool) else f"`{shown}`"


def _kind(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(_kind(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.IntType(ge=low, le=high) | inspect.FloatType(ge=low, gt=None, le=high):
            return "number" + _range(low, high)
        case inspect.FloatType(gt=low, le=high):
            return f"number above {low:g}" + (f", at most {high:g}" if high is not None else "")
        case inspect.Metadata(extra_json_schema={"description": str(said)}):
            return said
        case inspect.Metadata(type=inner):
            return _kind(inner)
        case inspect.StrType(pattern=str()):
            return "short name"
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.VarTupleType(item_type=item):
            return f"list, each {_kind(item)}"
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case inspect.EnumType(cls=cls):
            return ", ".join(f"`{member.value}`" for member in cls)
        case _:
            return "table"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f", {low:g} or more" if low is not None else ""


def reasons() -> str:
    """The page of reasons and notes."""
    refusals = [f"| `{reason}` | {DRIVER[reason]} | {OPERATOR[reason]} |" for reason in DRIVER]
    notes = [f"| `{note}` | {NOTES[note]} |" for note in Note]
    parts = [
        "# Reasons",
        "<!-- Written by docs/generate.py from gate_controller/reasons.py; `make docs` writes it anew. -->",
        "A refusal has exactly one reason: the first condition that failed. Lane, journal, portal and commands use "
        "these names; the display shows the driver's sentence.",
        "| Reason | To the driver | To the operator |\n|---|---|---|\n" + "\n".join(refusals),
        "## Notes",
        "A grant may carry notes, for whoever reads the journal.",
        "| Note | Means |\n|---|---|\n" + "\n".join(notes),
    ]
    return "\n\n".join(parts) + "\n"


def broker_settings() -> str:
    """Mosquitto's settings as the portal writes them, for a folder where Debian keeps such."""
    return CONFIGURATION.format(folder="/etc/mosquitto/slagboom", port=8883, address="0.0.0.0", **LIMITS)


WIRE: Final = runpy.run_path(str(HERE / "wire_page.py"))
PAGES: Final = {
    "asyncapi.yaml": WIRE["asyncapi"],
    "configuration.md": configuration,
    "mosquitto/acl": lambda: access_list("acme", "north", ["gatehouse", "annex"]),
    "mosquitto/mosquitto.conf": broker_settings,
    "lane.md": runpy.run_path(str(HERE / "lane_page.py"))["page"],
    "protocol.md": WIRE["page"],
    "reasons.md": reasons,
    "requirements.md": runpy.run_path(str(HERE / "requirements_page.py"))["page"],
    "scale.md": runpy.run_path(str(HERE / "scale_page.py"))["page"],
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
        print(f"docs/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
