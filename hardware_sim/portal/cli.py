"""`slagboom portal`: a reference portal in a folder, from its beginning to watching its edges.

Every command works on the portal that runs in the folder, or on the folder itself while none runs. Here: the list
of commands, and those about the portal as a whole. What a command does is imported when it is called.
"""

from pathlib import Path
from typing import Annotated

import typer

from edge import present
from hardware_sim.portal import asked, cli_edges, cli_evidence, cli_house, cli_people
from hardware_sim.portal.cli_common import AsJson, Folder

app = typer.Typer(help="A portal: who may park, and what the gates report.", no_args_is_help=True)
for name, part in (
    ("user", cli_people.user),
    ("plate", cli_people.plate),
    ("badge", cli_people.badge),
    ("group", cli_people.group),
    ("permit", cli_people.permit),
    ("guest", cli_people.guest),
    ("account", cli_house.account),
    ("edge", cli_edges.edge),
    ("keys", cli_edges.keys),
    ("quarantine", cli_evidence.quarantine),
):
    app.add_typer(part, name=name)


def _mount(name: str, command: object, example: str) -> None:
    app.command(name, epilog=f"Example: slagboom portal {name} {example}")(command)  # type: ignore[type-var]


@app.command(epilog="Example: slagboom portal init north --tenant acme --site north")
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is made for it.")],
    tenant: Annotated[str, typer.Option(help="Whose portal it is.")] = "default",
    site: Annotated[str, typer.Option(help="Which site's.")] = "site",
    time_zone: Annotated[str, typer.Option(help="Where the site is.")] = "Europe/Amsterdam",
    as_json: AsJson = False,
) -> None:
    """Begin a portal: its settings, its database and its keys, in a folder that only its owner may read."""
    from hardware_sim.portal.folder import PortalFolder

    PortalFolder.create(folder, tenant, site, time_zone)
    about(folder, as_json)


@app.command(epilog="Example: slagboom portal about north")
def about(folder: Folder, as_json: AsJson = False) -> None:
    """Names, keys, revision and users of a portal."""
    from hardware_sim.portal.counter import ask
    from hardware_sim.portal.folder import PortalFolder

    (row,) = ask(PortalFolder.load(folder), asked.About()).rows
    if as_json:
        present.json_line(row)
        return
    refused = ", ".join(f"{why} {count}" for why, count in row["messages_refused"].items())
    lines = {
        "portal": f"{row['tenant']}/{row['site']}",
        "root_key": row["root_key"],
        "fingerprint": row["fingerprint"],
        "keys": row["keys"],
        "list": f"revision {row['revision']}, {row['users']} users",
        "in force": f"on {row['applied']} of {row['edges']} edges",
        "refused": refused or "no message",
    }
    for what, text in lines.items():
        present.say(f"{what:<12}{text}")


@app.command(
    epilog="Example: slagboom portal serve north --broker broker.example.net:8883 --tls"
    " --enrol-at 0.0.0.0:8884 --name portal.example.net"
)
def serve(
    folder: Folder,
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="An MQTT 5 broker; embedded[:PORT] runs one on this machine.")
    ] = "embedded",
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak TLS, with a certificate of the portal's own authority.")
    ] = False,
    enrol_at: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Give edges their certificates here, over HTTPS.")
    ] = None,
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A name or address under which edges find --enrol-at.")
    ] = None,
    web: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve the pages here, on this machine only.")
    ] = None,
    web_url: Annotated[
        str | None, typer.Option(metavar="URL", help="What browsers call the pages, if a proxy passes them on.")
    ] = None,
) -> None:
    """Run the portal until interrupted. Without the broker it works on, and the edges catch up."""
    from hardware_sim.portal.folder import PortalFolder
    from hardware_sim.portal.running import Serving
    from hardware_sim.portal.running import serve as run

    serving = Serving.parse(broker, tls, enrol_at, names or (), web, web_url)
    raise typer.Exit(run(PortalFolder.load(folder), serving))


@app.command(epilog="Example: slagboom portal watch north")
def watch(folder: Folder, clear: cli_edges.Clear = False, as_json: AsJson = False) -> None:
    """The edges and what happens there, as it comes, until interrupted."""
    from hardware_sim.portal.folder import PortalFolder
    from hardware_sim.portal.watch import watch as watching

    watching(PortalFolder.load(folder), clear=clear, as_json=as_json)


_mount("import", cli_people.import_list, "north users.csv")
_mount("users", cli_people.users, "north")
_mount("mail", cli_house.mail, "north anna@example.com")
_mount("edges", cli_edges.edges, "north")
_mount("events", cli_edges.events, "north --limit 20")
_mount("conflicts", cli_edges.conflicts, "north")
_mount("settle", cli_edges.settle, "north CONFLICT --pardon")
_mount("picture", cli_evidence.picture, "north 1742 vehicle.jpg")
_mount("alarms", cli_edges.alarms, "north")
_mount("open", cli_edges.open_once, 'north gatehouse entry --reason "ambulance"')
_mount("hold-open", cli_edges.hold_open, 'north gatehouse exit --reason "removal van"')
_mount("close-lane", cli_edges.close_lane, 'north gatehouse entry --reason "resurfacing"')
_mount("release", cli_edges.release, 'north gatehouse entry --reason "done"')
_mount("acknowledge", cli_edges.acknowledge, 'north gatehouse entry --reason "reset"')
_mount("activate", cli_edges.activate, 'north gatehouse entry --reason "wired and tried"')
_mount("deactivate", cli_edges.deactivate, 'north gatehouse entry --reason "rebuilt"')
_mount("revoke", cli_people.revoke, 'north anna --reason "badge lost"')
_mount("clear", cli_edges.clear, 'north gatehouse A-1734 --reason "left at noon"')
_mount("sync", cli_edges.sync, "north gatehouse")
_mount("broker", cli_edges.broker, "north broker --host broker.example.net --port 8883")
