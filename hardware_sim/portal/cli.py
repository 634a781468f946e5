"""`slagboom portal`: a reference portal in a folder, from its beginning to watching its edges.

Every command works on the portal that runs in the folder, or on the folder itself while none runs. Here: the list
of commands, and those about the portal as a whole. What a command does is imported when it is called.
"""

from pathlib import Path
from typing import Annotated

import typer

from edge import present
from hardware_sim.portal.commands import edges, evidence, house, people
from hardware_sim.portal.commands.common import AsJson, Folder
from hardware_sim.portal.operator import asked

app = typer.Typer(help="A portal: who may park, and what the gates report.", no_args_is_help=True)
for name, part in (
    ("user", people.user),
    ("plate", people.plate),
    ("badge", people.badge),
    ("group", people.group),
    ("permit", people.permit),
    ("guest", people.guest),
    ("account", house.account),
    ("edge", edges.edge),
    ("keys", edges.keys),
    ("quarantine", evidence.quarantine),
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
    from hardware_sim.portal.operator.folder import PortalFolder

    PortalFolder.create(folder, tenant, site, time_zone)
    about(folder, as_json)


@app.command(epilog="Example: slagboom portal about north")
def about(folder: Folder, as_json: AsJson = False) -> None:
    """Names, keys, revision and users of a portal."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

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
    from hardware_sim.portal.commands.running import Serving
    from hardware_sim.portal.commands.running import serve as run
    from hardware_sim.portal.operator.folder import PortalFolder

    serving = Serving.parse(broker, tls, enrol_at, names or (), web, web_url)
    raise typer.Exit(run(PortalFolder.load(folder), serving))


@app.command(epilog="Example: slagboom portal watch north")
def watch(folder: Folder, clear: edges.Clear = False, as_json: AsJson = False) -> None:
    """The edges and what happens there, as it comes, until interrupted."""
    from hardware_sim.portal.commands.watch import watch as watching
    from hardware_sim.portal.operator.folder import PortalFolder

    watching(PortalFolder.load(folder), clear=clear, as_json=as_json)


_mount("import", people.import_list, "north users.csv")
_mount("users", people.users, "north")
_mount("mail", house.mail, "north anna@example.com")
_mount("edges", edges.edges, "north")
_mount("events", edges.events, "north --limit 20")
_mount("conflicts", edges.conflicts, "north")
_mount("settle", edges.settle, "north CONFLICT --pardon")
_mount("picture", evidence.picture, "north 1742 vehicle.jpg")
_mount("alarms", edges.alarms, "north")
_mount("open", edges.open_once, 'north gatehouse entry --reason "ambulance"')
_mount("hold-open", edges.hold_open, 'north gatehouse exit --reason "removal van"')
_mount("close-lane", edges.close_lane, 'north gatehouse entry --reason "resurfacing"')
_mount("release", edges.release, 'north gatehouse entry --reason "done"')
_mount("acknowledge", edges.acknowledge, 'north gatehouse entry --reason "reset"')
_mount("activate", edges.activate, 'north gatehouse entry --reason "wired and tried"')
_mount("deactivate", edges.deactivate, 'north gatehouse entry --reason "rebuilt"')
_mount("revoke", people.revoke, 'north anna --reason "badge lost"')
_mount("clear", edges.clear, 'north gatehouse A-1734 --reason "left at noon"')
_mount("sync", edges.sync, "north gatehouse")
_mount("broker", edges.broker, "north broker --host broker.example.net --port 8883")
