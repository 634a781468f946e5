import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.commands.run import run_site
from gate_controller.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
Slagboom = Callable[..., Any]

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"

[list]
file = "users.csv"

[boards.main]
kind = "modbus_relay8"
port = "no-such-board"

[readers.badge]
kind = "rdm6300"
port = "no-such-reader"
lane = "entry"

[lanes.entry]
direction = "in"
board = "main"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "users.csv").write_text("external_id,plate\n1,B-NO 1234\n")
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(site: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge.cli", "run", "--config", str(site)]
    # Whoever runs the tests in the background may have SIGINT ignored; the daemon would inherit that.
    options = {"preexec_fn": interruptible, **options}
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def until_lanes_stand(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "entry: lane started" in line:
            return
    raise AssertionError("ended before its lanes stood")


@pytest.mark.parametrize(("told", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_runs_until_told_to_stop_and_ends_without_a_trace(site: Path, told: signal.Signals, code: int) -> None:
    with running(site) as process:
        until_lanes_stand(process)
        time.sleep(0.3)
        process.send_signal(told)
        assert process.stderr is not None
        rest = process.stderr.read()
        assert process.wait(20) == code
    assert "Traceback" not in rest
    with sqlite3.connect(site.parent / "slagboom.db") as db:
        assert ("lane_started",) in db.execute("SELECT kind FROM journal").fetchall()
    db.close()


def test_only_one_may_run_on_a_database(site: Path, slagboom: Slagboom) -> None:
    with running(site) as process:
        until_lanes_stand(process)
        said = slagboom("run", "--config", site)
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        f"error: {site.parent / 'slagboom.db'}: another slagboom runs on this database; "
        "stop it first, or give this one its own file"
    )


def last_line(slagboom: Slagboom, site: Path) -> str:
    said = slagboom("run", "--config", site)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    return str(said.err.splitlines()[-1])


def test_bad_settings_stop_it(site: Path, slagboom: Slagboom) -> None:
    site.write_text(SITE.replace("approach", "aproach"))
    assert slagboom("run", "--config", site).err.splitlines() == [
        f"error: {site}: lanes.entry.inputs.aproach: unknown key; did you mean approach?",
        f"error: {site}: lanes.entry.inputs.approach: missing; give a whole number from 1 up to 8",
    ]
    assert sorted(path.name for path in site.parent.iterdir()) == ["site.toml", "users.csv"]


def test_a_bad_list_stops_it_and_is_not_taken_in(site: Path, slagboom: Slagboom) -> None:
    (site.parent / "users.csv").write_bytes("external_id,plate\nMüller,B-NO 1\n".encode("latin-1"))
    line = last_line(slagboom, site)
    assert line.startswith(f"error: {site.parent / 'users.csv'}: line 2: byte 0xFC is not UTF-8")
    with sqlite3.connect(site.parent / "slagboom.db") as db:
        assert db.execute("SELECT count(*) FROM list_entry").fetchone() == (0,)
    db.close()


def test_a_damaged_database_stops_it_and_is_left_as_it_is(site: Path, slagboom: Slagboom) -> None:
    database = site.parent / "slagboom.db"
    database.write_bytes(b"this is no database" * 1000)
    assert last_line(slagboom, site).startswith(f"error: {database}: this is not a database")
    assert database.read_bytes() == b"this is no database" * 1000


def test_a_newer_database_stops_it(site: Path, slagboom: Slagboom) -> None:
    database = site.parent / "slagboom.db"
    with sqlite3.connect(database) as db:
        db.executescript("PRAGMA application_id = 1397506375; PRAGMA user_version = 99; CREATE TABLE later (x);")
    db.close()
    assert last_line(slagboom, site).startswith(f"error: {database}: written by a newer slagboom (schema 99")
    with sqlite3.connect(database) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
    db.close()


def test_a_folder_that_is_not_there_stops_it(site: Path, slagboom: Slagboom) -> None:
    site.write_text(SITE + '\n[store]\npath = "gone/slagboom.db"\n')
    assert "the directory" in last_line(slagboom, site)
    assert not (site.parent / "gone").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_stops_it_before_any_lane_stands(site: Path, slagboom: Slagboom, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        site.write_text(SITE + f'\n[store]\npath = "{disk}/slagboom.db"\n')
        line = last_line(slagboom, site)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert line.startswith(f"error: {disk}/slagboom.db: ")
    assert "space" in line


def test_a_file_limit_stops_it(site: Path) -> None:
    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    with running(site, preexec_fn=limit) as process:
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
        assert process.wait(20) == 2
    assert lines[-1].startswith(f"error: {site.parent / 'slagboom.db'}: ")
    assert "Traceback" not in "\n".join(lines)


def test_called_without_the_command_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        run_site(tmp_path / "none.toml")
