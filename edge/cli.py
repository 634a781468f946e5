"""The command `slagboom`: every command's options and help, and the one place where an error becomes text.

What the commands do is in `edge.commands`, imported when one is called, so that help and completion answer at
once. The commands of the simulated world are mounted from `hardware_sim`: the only import of it in production.
"""

import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge import present
from gate_controller.errors import SlagboomError
from hardware_sim.cli import app as simulated_world

WRONG_INPUT = 2
"""Exit code when something handed in cannot be used; 1 is left to bugs and 130 to an interruption."""

app = typer.Typer(
    name="slagboom",
    help="Reads number plates and badges at a barrier, decides who may pass, and tells why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
lists = typer.Typer(help="Work with an allowlist file.", no_args_is_help=True)
app.add_typer(lists, name="list")
operate = typer.Typer(
    help="Give a running site an order; the journal keeps who, when and why.", no_args_is_help=True
)
app.add_typer(operate, name="operate")

app.add_typer(simulated_world)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of tables.")]
ListFile = Annotated[
    Path | None, typer.Option("--list", metavar="LIST.csv", help="The allowlist: external_id, plate, and more.")
]
OcrName = Annotated[
    str, typer.Option(metavar="MODEL", help="The reader: builtin, a name of fast-plate-ocr's hub, or an ONNX file.")
]
DetectorName = Annotated[str, typer.Option(metavar="MODEL", help="The detector: builtin, or an ONNX file.")]
SiteFile = Annotated[Path, typer.Option("--config", metavar="SITE.toml", help="The site's settings.")]
At = Annotated[str | None, typer.Option(metavar="ISO-TIME", help="Decide as of this time instead of now.")]
Lane = Annotated[str, typer.Option(help="The lane that is asked.")]


def _version(wanted: bool) -> None:
    if wanted:
        from edge.version import software

        present.say(software())
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: slagboom read gate1.jpg gate2.jpg --json")
def read(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Pictures: JPEG, PNG, BMP, TIFF, WebP.")],
    explain: Annotated[
        bool, typer.Option("--explain", help="Write IMAGE.explained.png: corners, characters, alternatives.")
    ] = False,
    ocr: OcrName = "builtin",
    detector: DetectorName = "builtin",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="SITE.toml", help="Read as this site does: its models, the lane's region of interest."
        ),
    ] = None,
    lane: Annotated[str | None, typer.Option(help="The lane, if the site has several cameras.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the number plates in pictures.

    Each plate comes with its corners and the probability that the whole text is right; it is accepted when a gate
    would act on it. A picture that cannot be used is named, and the others are read all the same.
    """
    from edge.commands.read import camera_of, read_images
    from recognition.choice import Models

    camera = camera_of(config, lane, Models(ocr, detector))
    raise typer.Exit(read_images(images, as_json=as_json, camera=camera, explained=explain))


@app.command(epilog="Example: slagboom replay monday.mp4 tuesday.mp4 --list users.csv --evidence pictures")
def replay(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Videos, folders of pictures, camera addresses.")
    ],
    list_file: Annotated[Path, typer.Option("--list", metavar="LIST.csv", help="The allowlist to decide by.")],
    direction: Annotated[Literal["in", "out"], typer.Option(help="Which way the lane goes.")] = "in",
    lane: Lane = "replay",
    at: At = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the picture of each deciding read here.")
    ] = None,
    ocr: OcrName = "builtin",
    detector: DetectorName = "builtin",
    as_json: AsJson = False,
) -> None:
    """Would the gate have opened, for whom, and why?

    Every frame is read and each vehicle is decided once, by the rules the gate itself uses. A vehicle that is
    admitted counts as parked from then on, through all sources in the order given.
    """
    from edge.commands.replay import ReplayOptions, replay_sources
    from recognition.choice import Models

    options = ReplayOptions(direction, lane, at, evidence, as_json, Models(ocr, detector))
    raise typer.Exit(replay_sources(sources, list_file, options))


@lists.command("check", epilog="Example: slagboom list check users.csv")
def list_check(
    list_file: Annotated[Path, typer.Argument(metavar="LIST.csv", help="The allowlist to check.")],
    as_json: AsJson = False,
) -> None:
    """Name every bad row by its line, plates of no known layout, and plates that could open for each other."""
    from edge.commands.list_check import check_list

    raise typer.Exit(check_list(list_file, as_json=as_json))


@app.command(epilog='Example: slagboom why "B-NO 1234" --list users.csv --lane entry --at 2026-01-05T07:30')
def why(
    credential: Annotated[str, typer.Argument(help="A number plate, badge number, QR pass or guest code.")],
    lane: Lane,
    list_file: ListFile = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="SITE.toml", help="Ask this site, with its cached list and who is inside now."),
    ] = None,
    direction: Annotated[
        Literal["in", "out"] | None, typer.Option(help="Which way; the lane's own with --config, otherwise in.")
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Why would this plate, badge or code be granted or refused at this lane at this time?"""
    from edge.commands.why import explain

    raise typer.Exit(
        explain(credential, lane, list_file=list_file, config=config, direction=direction, at=at, as_json=as_json)
    )


@app.command("check-config", epilog="Example: slagboom check-config site.toml")
def check_config(
    config: Annotated[Path, typer.Argument(metavar="SITE.toml", help="The site's settings.")],
    as_json: AsJson = False,
) -> None:
    """Print the wiring as a table, or name every mistake by its path in the file."""
    from edge.commands.check_config import check

    raise typer.Exit(check(config, as_json=as_json))


@app.command(
    epilog="Example: slagboom enrol --portal https://portal.example.net:8884 --serial SB-2041 --fingerprint 5f0e…"
    " --config site.toml"
)
def enrol(
    portal: Annotated[str, typer.Option(metavar="ADDRESS", help="The portal's address for enrolment.")],
    serial: Annotated[str, typer.Option(help="What the portal knows this device by.")],
    fingerprint: Annotated[str, typer.Option(help="The portal's, as it was given with the code.")],
    config: SiteFile,
    code: Annotated[str, typer.Option(help="Asked for if it is left out.")] = "",
) -> None:
    """Make this device an edge of a portal: its key is made here, its certificate comes from there.

    Also for a new certificate after the old one has expired. Run it as the account that the daemon runs as.
    """
    from edge.commands.enrol import enrol as claimed
    from edge.commands.enrol import typed_code

    raise typer.Exit(claimed(config, portal, serial, code or typed_code(), fingerprint))


@app.command(epilog="Example: slagboom run --config site.toml")
def run(config: SiteFile) -> None:
    """Run the lanes of a site until interrupted."""
    from edge.commands.run import run_site

    raise typer.Exit(run_site(config))


OnLane = Annotated[str, typer.Argument(metavar="LANE", help="The lane's name in the settings.")]
Why = Annotated[str, typer.Option("--reason", help="Why: it is kept in the journal.")]


@operate.command("open", epilog='Example: slagboom operate open entry --reason "ambulance" --config site.toml')
def operate_open(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Open the barrier once."""
    _operate(config, lane, "open", reason)


@operate.command(
    "hold-open", epilog='Example: slagboom operate hold-open exit --reason "removal van" --config site.toml'
)
def operate_hold_open(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Keep the barrier open until it is released."""
    _operate(config, lane, "hold_open", reason)


@operate.command(
    "close-lane", epilog='Example: slagboom operate close-lane entry --reason "resurfacing" --config site.toml'
)
def operate_close_lane(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Let nobody in here until it is released; who is inside still gets out."""
    _operate(config, lane, "close_lane", reason)


@operate.command("release", epilog='Example: slagboom operate release entry --reason "done" --config site.toml')
def operate_release(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Back to normal from hold-open or close-lane."""
    _operate(config, lane, "release", reason)


@operate.command(
    "acknowledge", epilog='Example: slagboom operate acknowledge entry --reason "reset" --config site.toml'
)
def operate_acknowledge(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Confirm that a fault, a fire or a forced boom has been seen to."""
    _operate(config, lane, "acknowledge", reason)


@operate.command(
    "activate", epilog='Example: slagboom operate activate entry --reason "wired and tried" --config site.toml'
)
def operate_activate(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Switch a lane on that was switched off; it stays on until its settings are changed."""
    _switch(config, lane, reason, active=True)


@operate.command(
    "deactivate", epilog='Example: slagboom operate deactivate entry --reason "rebuilt" --config site.toml'
)
def operate_deactivate(lane: OnLane, reason: Why, config: SiteFile) -> None:
    """Switch an entry off, over restarts too; lanes that let vehicles out stay on."""
    _switch(config, lane, reason, active=False)


@operate.command(
    "clear", epilog='Example: slagboom operate clear A-1734 --reason "left at noon" --config site.toml'
)
def operate_clear(
    external_id: Annotated[str, typer.Argument(metavar="EXTERNAL-ID", help="The user whose vehicle is gone.")],
    reason: Why,
    config: SiteFile,
) -> None:
    """End a user's open parking sessions, and grants that no passage ends, because the vehicle is gone."""
    from edge.commands.operate import clear

    raise typer.Exit(clear(config, external_id, reason))


@operate.command("enrol", epilog="Example: slagboom operate enrol front A-1734 --config site.toml")
def operate_enrol(
    desk: Annotated[str, typer.Argument(metavar="DESK", help="The desk whose reader is used.")],
    external_id: Annotated[str, typer.Argument(metavar="EXTERNAL-ID", help="The user who gets the badge.")],
    config: SiteFile,
    customer: Annotated[str, typer.Option(help="Whose user it is, where a portal has several.")] = "",
) -> None:
    """Make the badge that is tapped at a desk within 30 s a user's; the portal gives the number."""
    from edge.commands.operate import enrol

    raise typer.Exit(enrol(config, desk, external_id, customer))


@operate.command("waiting", epilog="Example: slagboom operate waiting --config site.toml")
def operate_waiting(config: SiteFile) -> None:
    """Who waits for a badge here, this site's own first, and whose badge waits for the portal."""
    from edge.commands.waiting import who_waits

    raise typer.Exit(who_waits(config))


def _switch(config: Path, lane: str, reason: str, *, active: bool) -> None:
    from edge.commands.operate import switch

    raise typer.Exit(switch(config, lane, reason, active=active))


def _operate(config: Path, lane: str, kind: str, reason: str) -> None:
    from edge.commands.operate import order
    from gate_controller.lane import Order

    raise typer.Exit(order(config, lane, Order(kind), reason))


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and end: 0 done, 2 something handed in cannot be used, 130 interrupted."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal or a file name that does not know a letter must not cost the answer.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_guarded(args))


def _guarded(args: Sequence[str] | None) -> int:
    try:
        code = _called(args)
        sys.stdout.flush()
        return code
    except SlagboomError as error:
        present.failure(error)
        return WRONG_INPUT
    except ExceptionGroup as group:
        ours, others = group.split(SlagboomError)
        for leaf in _leaves(ours):
            present.failure(leaf)
        if others is not None:
            raise others from None
        return WRONG_INPUT
    except OSError as error:
        return _machine_refused(error)


def _called(args: Sequence[str] | None) -> int:
    try:
        app(args, prog_name="slagboom")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _leaves(group: BaseException | None) -> list[SlagboomError]:
    if isinstance(group, BaseExceptionGroup):
        return [leaf for error in group.exceptions for leaf in _leaves(error)]
    return [group] if isinstance(group, SlagboomError) else []


def _machine_refused(error: OSError) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        # What is still buffered must not fail again at the end, with an exit code of the interpreter's own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return 1
    present.error(f"{error.filename or 'output'}: {error.strerror or error}; free space or choose another place")
    return WRONG_INPUT


if __name__ == "__main__":
    main()
