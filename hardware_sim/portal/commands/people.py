"""`slagboom portal`: users, plates, badges, groups, permits, guests and whole lists."""

import getpass
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer

from edge import present
from gate_controller.errors import BadInput
from hardware_sim.portal.commands.common import (
    AsJson,
    Column,
    Country,
    Folder,
    NewUser,
    Row,
    Schedule,
    UserName,
    Why,
    complete_permit,
    listed,
    local,
    moment,
    told,
    worded,
)
from hardware_sim.portal.operator import asked

user = typer.Typer(help="Users: who they are and whether they get in.", no_args_is_help=True)
plate = typer.Typer(help="Plates of a user.", no_args_is_help=True)
badge = typer.Typer(help="Badges of a user.", no_args_is_help=True)
group = typer.Typer(help="Groups of users.", no_args_is_help=True)
permit = typer.Typer(help="Permits of groups: where and when their members park.", no_args_is_help=True)
guest = typer.Typer(help="Visitors, with a code or a QR pass.", no_args_is_help=True)

Several = Annotated[list[str] | None, typer.Option(help="May be given more than once.")]


@user.command("add", epilog="Example: slagboom portal user add north anna --plate 98-THD-4 --plate AB-123-CD")
def user_add(
    folder: Folder,
    external_id: NewUser,
    plate: Several = None,
    badge: Several = None,
    group: Several = None,
    country: Country = None,
    places: Annotated[int, typer.Option(help="How many of the user's vehicles may be inside at once.")] = 1,
    schedule: Schedule = None,
    as_json: AsJson = False,
) -> None:
    """A new user, in force at once. With a group it is the group's permits that count."""
    if group and schedule:
        raise BadInput("--schedule: a member of a group parks by the group's permit; give that one the schedule")
    request = asked.AddUser(
        external_id, tuple(plate or ()), tuple(badge or ()), tuple(group or ()), country, places, schedule
    )
    told(folder, request, as_json=as_json)


@user.command("disable", epilog="Example: slagboom portal user disable north anna")
def user_disable(folder: Folder, external_id: UserName, as_json: AsJson = False) -> None:
    """Let a user in nowhere any more, at once; who is inside still gets out."""
    told(folder, asked.SwitchUser(external_id, on=False), as_json=as_json)


@user.command("enable", epilog="Example: slagboom portal user enable north anna")
def user_enable(folder: Folder, external_id: UserName, as_json: AsJson = False) -> None:
    """Let a disabled user in again."""
    told(folder, asked.SwitchUser(external_id, on=True), as_json=as_json)


@user.command("remove", epilog="Example: slagboom portal user remove north anna")
def user_remove(folder: Folder, external_id: UserName, as_json: AsJson = False) -> None:
    """Delete a user with all credentials and own permits."""
    told(folder, asked.RemoveUser(external_id), as_json=as_json)


@user.command("show", epilog="Example: slagboom portal user show north anna")
def user_show(folder: Folder, external_id: UserName, as_json: AsJson = False) -> None:
    """One user with credentials and permits."""
    request = asked.ShowUser(external_id)
    if as_json:
        listed(folder, request, "", lambda tz: [], as_json=True)
        return
    _show(folder, request)


def _show(folder: Path, request: asked.ShowUser) -> None:
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    found = PortalFolder.load(folder)
    (row,) = ask(found, request).rows
    groups = f", groups {', '.join(row['groups'])}" if row["groups"] else ""
    places = f", {row['places']} places" if row["places"] > 1 else ""
    present.say(f"{row['external_id']}: {row['status']}{groups}{places} ({row['user_id']})")
    credentials = [
        (one["kind"], one["text"] or "(kept as a digest)", one["country"], one["state"], *_validity(one, found.tz))
        for one in row["credentials"]
    ]
    present.table("Credentials", ("Kind", "Number", "Country", "State", "From", "Until"), credentials)
    permits = [[value(one) for _, value in _permit_columns(found.tz)] for one in row["permits"]]
    present.table("Permits", [head for head, _ in _permit_columns(found.tz)], permits)


def _validity(row: Row, tz: tzinfo) -> tuple[str, str]:
    return local(row["valid_from"], tz), local(row["valid_to"], tz)


def _permit_columns(tz: tzinfo) -> Sequence[Column]:
    return [
        ("Permit", lambda row: row["permit"]),
        ("Group", lambda row: row["group"]),
        ("Lane", lambda row: row["lane"] or "all"),
        ("When", lambda row: row["schedule"] or "always"),
        ("From", lambda row: local(row["valid_from"], tz)),
        ("Until", lambda row: local(row["valid_to"], tz)),
    ]


def revoke(
    folder: Folder,
    external_id: UserName,
    reason: Why,
    plate: Annotated[str, typer.Option(help="Only this plate.")] = "",
    badge: Annotated[str, typer.Option(help="Only this badge.")] = "",
    as_json: AsJson = False,
) -> None:
    """Void at once: in the list, and by order at each edge that is there. Whoever is inside still gets out."""
    if plate and badge:
        raise BadInput("--plate, --badge: give one of them, or none for the user with all")
    request = asked.RevokeUser(external_id, getpass.getuser(), worded(reason), plate, badge)
    told(folder, request, as_json=as_json)


def users(
    folder: Folder,
    begins: Annotated[str, typer.Argument(metavar="[BEGINNING]", help="Only external ids that begin so.")] = "",
    as_json: AsJson = False,
) -> None:
    """Everybody on the list. Plates and badges are counted here; `user show` tells them."""
    counted = ("status", "plates", "badges", "passes", "codes", "places")
    columns: list[Column] = [("User", lambda row: row["external_id"])]
    columns += [(name.capitalize(), lambda row, name=name: row[name]) for name in counted]  # type: ignore[misc]
    columns.append(("Groups", lambda row: ", ".join(row["groups"])))
    listed(folder, asked.Users(begins), "Users", lambda tz: columns, as_json=as_json)


@plate.command("add", epilog='Example: slagboom portal plate add north anna "B-NO 1234" --country D')
def plate_add(
    folder: Folder,
    external_id: UserName,
    plate: Annotated[str, typer.Argument(metavar="PLATE", help="As it is on the vehicle.")],
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Give a user one more plate."""
    _given(plate, "plate")
    told(folder, asked.AddCredential(external_id, plate=plate, country=country), as_json=as_json)


@plate.command("remove", epilog='Example: slagboom portal plate remove north anna "B-NO 1234"')
def plate_remove(
    folder: Folder,
    external_id: UserName,
    plate: Annotated[str, typer.Argument(metavar="PLATE", help="However it is written.")],
    as_json: AsJson = False,
) -> None:
    """Take a plate from a user."""
    _given(plate, "plate")
    told(folder, asked.RemoveCredential(external_id, plate=plate), as_json=as_json)


Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The badge's whole number, in hexadecimal.")]


@badge.command("add", epilog="Example: slagboom portal badge add north bert 000414CD7E")
def badge_add(folder: Folder, external_id: UserName, number: Number, as_json: AsJson = False) -> None:
    """Give a user one more badge."""
    _given(number, "badge")
    told(folder, asked.AddCredential(external_id, badge=number), as_json=as_json)


@badge.command("remove", epilog="Example: slagboom portal badge remove north bert 000414CD7E")
def badge_remove(folder: Folder, external_id: UserName, number: Number, as_json: AsJson = False) -> None:
    """Take a badge from a user, as when it is lost."""
    _given(number, "badge")
    told(folder, asked.RemoveCredential(external_id, badge=number), as_json=as_json)


def _given(text: str, what: str) -> None:
    if not text.strip():
        raise BadInput(f"{what}: empty; write its whole number")


@group.command("set", epilog="Example: slagboom portal group set north anna staff night-shift")
def group_set(
    folder: Folder,
    external_id: UserName,
    groups: Annotated[list[str] | None, typer.Argument(metavar="[GROUP...]", help="None takes all away.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a user into exactly these groups."""
    told(folder, asked.SetGroups(external_id, tuple(groups or ())), as_json=as_json)


@permit.command("add", epilog='Example: slagboom portal permit add north staff --schedule "Mo-Fr 06:00-20:00"')
def permit_add(
    folder: Folder,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group whose members may park.")],
    schedule: Schedule = None,
    lane: Annotated[str | None, typer.Option(help="Only at this lane.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let the members of a group park."""
    told(folder, asked.PermitGroup(group, schedule, lane), as_json=as_json)


@permit.command("remove", epilog="Example: slagboom portal permit remove north park-staff")
def permit_remove(
    folder: Folder,
    name: Annotated[
        str, typer.Argument(metavar="PERMIT", help="The permit's name.", autocompletion=complete_permit)
    ],
    as_json: AsJson = False,
) -> None:
    """Take a permit away."""
    told(folder, asked.RemovePermit(name), as_json=as_json)


@permit.command("list", epilog="Example: slagboom portal permit list north")
def permit_list(folder: Folder, as_json: AsJson = False) -> None:
    """The permits of all groups."""
    listed(folder, asked.Permits(), "Permits of groups", _permit_columns, as_json=as_json)


@guest.command("add", epilog="Example: slagboom portal guest add north gina --until 2026-03-31T18:00")
def guest_add(
    folder: Folder,
    external_id: NewUser,
    until: Annotated[str | None, typer.Option(metavar="ISO-TIME", help="The end of the visit.")] = None,
    qr_pass: Annotated[str, typer.Option("--pass", metavar="TEXT", help="The text of a QR pass.")] = "",
    code: Annotated[str, typer.Option(help="A guest code; one is made if neither is given.")] = "",
    as_json: AsJson = False,
) -> None:
    """A visitor, who comes by QR pass or guest code until the end of the visit."""
    request = asked.AddGuest(external_id, moment(until, folder, "--until"), qr_pass, code)
    told(folder, request, as_json=as_json)


def import_list(
    folder: Folder,
    list_file: Annotated[Path, typer.Argument(metavar="LIST.csv", help="The file, as an edge reads it.")],
    whole: Annotated[bool, typer.Option("--whole", help="Remove the users whom the file does not name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over the users of a list file: new ones are added, known ones become as the file says."""
    told(folder, asked.Import(str(list_file.absolute()), whole), as_json=as_json)
