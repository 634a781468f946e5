"""A certificate that grows old: renewed by a real portal, told of once when not, and never in the gate's way."""

import asyncio
import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge import clock
from edge.renewal import CertificateKeeper, renewed, trouble
from gate_controller.errors import PortalError
from gate_controller.moment import Moment
from hardware_sim.broker import free_port
from hardware_sim.portal.trust.authority import CLIENT_LIVES
from sync.enrolment import Portal
from sync.identity import Identity, TlsFiles
from tests.portal_desk import RunningDesk, running_desk

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DUE = -CLIENT_LIVES * 0.7
OVER = -CLIENT_LIVES - timedelta(days=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    with running_desk(tmp_path / "portal") as running:
        running.invite("gate", "SB-1")
        yield running


class Kept:
    """A keeper, and what it asked of the link."""

    def __init__(self, files: TlsFiles, portal: Portal | None) -> None:
        self.reasons: list[str] = []
        self.ahead = timedelta()
        self.keeper = CertificateKeeper(files, portal, self.reasons.append, self._now, random.random)

    def _now(self) -> Moment:
        now = clock.now()
        return Moment(now.wall + self.ahead, now.mono_s)


@pytest.mark.parametrize(
    ("at_d", "renews", "said"),
    [
        (-1, True, "begins only on 2026-03-02 08:00 UTC and it is 2026-03-01 08:00 here"),
        (1, False, None),
        (25, False, "does not renew itself"),
        (25, True, "should have been renewed"),
        (31, True, "expired on 2026-04-01; the gate works on without its portal"),
    ],
)
def test_what_a_person_is_told(at_d: float, renews: bool, said: str | None) -> None:
    told = trouble(Identity("a.b.c", NOW, NOW + timedelta(days=30)), NOW + timedelta(days=at_d), renews=renews)
    assert (told is None) if said is None else (told is not None and said in told)


def test_whoever_must_enrol_again_is_told_how() -> None:
    told = trouble(Identity("a.b.c", NOW, NOW), NOW, renews=True)
    assert told is not None
    assert "`slagboom enrol`" in told


async def test_it_is_renewed_in_time_and_the_link_begins_anew(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files = desk.files(tmp_path, "gate", DUE)
    old, key = files.identity(), files.key.read_bytes()
    kept = Kept(files, Portal.parse(desk.address))
    await kept.keeper.look()
    assert files.identity().ends > old.ends + CLIENT_LIVES * 0.6
    assert files.identity().name == "acme.north.gate"
    assert files.key.read_bytes()[:200] != key[:200]
    files.context()
    assert files.cert.stat().st_mode & 0o777 == 0o600
    assert kept.reasons == ["the broker is left, to come back with the renewed certificate"]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    await kept.keeper.look()
    assert kept.reasons == ["the broker is left, to come back with the renewed certificate"]


async def test_a_young_certificate_is_left_alone(desk: RunningDesk, tmp_path: Path) -> None:
    files = desk.files(tmp_path, "gate")
    before = files.cert.read_bytes()
    kept = Kept(files, Portal.parse(desk.address))
    await kept.keeper.look()
    assert (files.cert.read_bytes(), kept.reasons) == (before, [])


async def test_without_the_portal_the_old_one_stays_and_it_is_said_once(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = desk.files(tmp_path, "gate", DUE)
    before = files.cert.read_bytes()
    kept = Kept(files, Portal("127.0.0.1", free_port()))
    for _ in range(3):
        await kept.keeper.look()
    (said,) = [record.getMessage() for record in caplog.records]
    assert "check the address and the network" in said
    assert (files.cert.read_bytes(), kept.reasons) == (before, [])


async def test_an_edge_that_was_retired_is_told_so(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = desk.files(tmp_path, "gate", DUE)
    desk.call(desk.enrolment.retire("gate"))
    await Kept(files, Portal.parse(desk.address)).keeper.look()
    assert "registered here" in caplog.records[-1].getMessage()
    files.context()


@pytest.mark.parametrize(
    ("begins", "said"), [(OVER, "expired on"), (timedelta(days=2), "set this machine's clock")]
)
async def test_a_certificate_out_of_its_time_is_said_once_and_nothing_else_happens(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture, begins: timedelta, said: str
) -> None:
    files = desk.files(tmp_path, "gate", begins)
    before = files.cert.read_bytes()
    kept = Kept(files, Portal.parse(desk.address))
    for _ in range(3):
        await kept.keeper.look()
    (told,) = [record.getMessage() for record in caplog.records]
    assert said in told
    assert (files.cert.read_bytes(), kept.reasons) == (before, [])
    kept.ahead = begins + timedelta(days=1)
    await kept.keeper.look()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("ruin", ["unlink", "junk"])
async def test_files_that_are_gone_are_said_once(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture, ruin: str
) -> None:
    files = desk.files(tmp_path, "gate")
    if ruin == "unlink":
        files.cert.unlink()
    else:
        files.cert.write_text("junk")
    kept = Kept(files, None)
    for _ in range(2):
        await kept.keeper.look()
    (told,) = [record.getMessage() for record in caplog.records]
    assert str(files.cert) in told


async def test_a_folder_that_cannot_be_written_keeps_the_old_pair(
    desk: RunningDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = desk.files(tmp_path, "gate", DUE)
    (tmp_path / ".gate.pem.new").mkdir()
    await Kept(files, Portal.parse(desk.address)).keeper.look()
    assert "the old one stays" in caplog.records[-1].getMessage()
    files.context()


def test_only_a_pair_in_one_file_renews_itself(desk: RunningDesk, tmp_path: Path) -> None:
    files = desk.files(tmp_path, "gate", DUE)
    (tmp_path / "key.pem").write_bytes(files.cert.read_bytes())
    apart = TlsFiles(files.ca, files.cert, tmp_path / "key.pem")
    with pytest.raises(PortalError, match="in the same file"):
        renewed(apart, Portal.parse(desk.address), "acme.north.gate")


async def test_it_runs_until_it_is_stopped(desk: RunningDesk, tmp_path: Path) -> None:
    kept = Kept(desk.files(tmp_path, "gate", DUE), Portal.parse(desk.address))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(kept.keeper.run())
        while not kept.reasons:
            await asyncio.sleep(0.02)
        task.cancel()
