"""`slagboom portal`: accounts of the pages, and the mailbox."""

from typing import Annotated

import typer

from edge import present
from hardware_sim.portal.commands.common import AsJson, Folder, listed, local, told
from hardware_sim.portal.operator import asked

account = typer.Typer(help="Accounts that log in at the portal's pages.", no_args_is_help=True)

Login = Annotated[
    str, typer.Argument(metavar="NAME", help="What the person logs in with; may be an e-mail address.")
]


@account.command("add", epilog="Example: slagboom portal account add north olga@example.com --role operator")
def account_add(
    folder: Folder,
    name: Login,
    role: Annotated[list[str] | None, typer.Option(help="May be given more than once.")] = None,
    organisation: Annotated[str, typer.Option(help="Its id; the portal's own if left out.")] = "",
    email: Annotated[str | None, typer.Option(help="The address, where the name is none.")] = None,
    phone: Annotated[str | None, typer.Option(help="With the country, such as +49 170 1234567.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="May be given more than once.")] = None,
    user: Annotated[
        str | None, typer.Option(metavar="EXTERNAL-ID", help="The user of the list who this is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A new account, with a one-time code that is told once; the first login sets a password."""
    request = asked.AddAccount(name, tuple(role or ()), organisation, email, phone, tuple(site or ()), user)
    told(folder, request, as_json=as_json)


@account.command("list", epilog="Example: slagboom portal account list north")
def account_list(folder: Folder, as_json: AsJson = False) -> None:
    """Every account, what it may do, and whether it may log in."""
    listed(
        folder,
        asked.Accounts(),
        "Accounts",
        lambda tz: [
            ("Name", lambda row: row["name"]),
            ("Organisation", lambda row: row["organisation"]),
            ("Roles", lambda row: ", ".join(row["roles"])),
            ("Sites", lambda row: ", ".join(row["sites"])),
            ("State", lambda row: "" if row["enabled"] else "switched off"),
            ("Password", lambda row: "waits for the first login" if row["must_change"] else "set"),
        ],
        as_json=as_json,
    )


@account.command("reset", epilog="Example: slagboom portal account reset north olga@example.com")
def account_reset(folder: Folder, name: Login, as_json: AsJson = False) -> None:
    """A fresh one-time code; sessions and password of the account end."""
    told(folder, asked.ResetAccount(name), as_json=as_json)


def mail(
    folder: Folder,
    recipient: Annotated[
        str, typer.Argument(metavar="[TO]", help="Only what went to this address or number.")
    ] = "",
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Mail and SMS, which the portal keeps and never sends."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    found = PortalFolder.load(folder)
    for row in ask(found, asked.Letters(recipient, limit)).rows:
        if as_json:
            present.json_line(row)
            continue
        present.say(f"{local(row['at'], found.tz)}  {row['kind']} to {row['to']}  {row['subject']}")
        for text in row["body"].splitlines():
            present.say(f"    {text}")
        if row["qr"]:
            present.say(f"    QR: {row['qr']}")
