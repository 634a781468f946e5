"""`slagboom operate waiting` over a database as a daemon leaves it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.commands.waiting import who_waits
from gate_controller.changes import UserPut
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.users import User
from sync.messages import Enrol
from sync.store import Store

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
SITE = """\
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
[portal]
host = "x"
root_key = "{key}"
tenant = "acme"
site = "north"
[boards.main]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"
[readers.front]
kind = "rdm6300"
port = "/dev/ttyUSB1"
lane = "front"
[desks.front]
"""
SAM = User(
    "u1",
    "S-1001",
    name="Sam",
    home_site="south",
    registration=Registration.PRE_REGISTERED,
    terms_accepted_at=AT,
    licence=Licence(LicenceStatus.VALIDATED, AT),
)


async def test_those_who_wait_the_site_s_own_first_and_badges_without_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    config = tmp_path / "site.toml"
    config.write_text(SITE.format(key="0" * 64))
    tess = replace(SAM, id="u2", external_id="S-1002", name="Tess", home_site="north", licence=None)
    uma = replace(SAM, id="u3", external_id="S-1003", name="Uma")
    done = replace(SAM, id="u4", external_id="S-1004", registration=Registration.REGISTERED)
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    await store.replace_list("e", 1, [UserPut(one) for one in (SAM, tess, uma, done)], AT)
    await store.put_enrol(
        Enrol(aud="", enrol_id="front-1", desk="front", user="u3", badge="04A22F1B", bits=32, clerk="mia", at=AT)
    )
    await store.close()
    assert who_waits(config) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if "S-10" in line]
    assert [[word for word in ("S-1002", "S-1001", "S-1003") if word in row] for row in rows] == [
        ["S-1002"],
        ["S-1001"],
        ["S-1003"],
    ]
    assert "not_checked" in rows[0]
    assert "may get a badge" in rows[1]
    assert "badge tapped 09:00:00, mia; no rights until the portal answers" in rows[2]
