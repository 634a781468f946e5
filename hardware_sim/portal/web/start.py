"""The first page, and what staff look at: users, journal, conflicts. Changing users is the business of others."""

from typing import Final

from litestar import get
from litestar.params import FromQuery

from hardware_sim.portal.operator import gates
from hardware_sim.portal.operator.asked import Conflicts, Edges
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.gatekeeper import AnyRequest, anybody, roles
from hardware_sim.portal.web.page import (
    Entry,
    Link,
    Page,
    Part,
    at_site,
    caller_of,
    house_of,
    listed,
    shown,
    users_beginning,
)

STAFF: Final = (Role.OPERATOR, Role.SUPPORT, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER, Role.CLERK)
MANAGERS: Final = (Role.OPERATOR, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER)
SETTLE: Final = (Role.OPERATOR, Role.SUPPORT)
"""Conflicts name whoever they are about, private use or not."""
JOURNAL_ROWS: Final = 200


@get("/", seen_by=anybody)
async def start(request: AnyRequest) -> Page:
    portal, staff = house_of(request).portal, caller_of(request).has(*STAFF)
    tz = request.app.state.tz
    applied, edges = await portal.applied()
    rows = [
        (
            row["edge"],
            {True: "connected", False: "away"}[row["online"]],
            at_site(row["last_seen"], tz),
            "newest list" if row["applied"] else f"revision {row['revision']}",
            row["waiting"],
            row["trouble"],
        )
        for row in (await gates.edges(portal, Edges())).rows
    ] if staff else []  # fmt: skip
    return await shown(
        request,
        "start.html",
        "Start",
        staff=staff,
        revision=portal.allowlist.revision,
        users=portal.allowlist.users_len,
        applied=applied,
        edges=edges,
        heads=("Edge", "Link", "Last seen", "List", "Rows waiting", "Trouble"),
        rows=rows,
    )


@get("/users", seen_by=roles(*MANAGERS))
async def users(request: AnyRequest, begins: FromQuery[str] = "") -> Page:
    found, intro = await users_beginning(request, begins)
    rows = [
        (
            Link(one.external_id, f"/users/{one.id}"),
            one.status.value,
            len(one.plates),
            len(one.badges),
            ", ".join(one.groups),
        )
        for one in found
    ]
    edits = caller_of(request).has(Role.OPERATOR, Role.FLEET_MANAGER)
    heads = ("External id", "State", "Plates", "Badges", "Groups")
    actions = [Link("Add a user", "/users/new")] if edits else []
    return await listed(request, "Users", heads, rows, intro=intro, actions=actions, begins=begins)


@get("/journal", seen_by=roles(*STAFF))
async def journal(request: AnyRequest) -> Page:
    # What users pay themselves is no business of those who manage them.
    private = caller_of(request).has(Role.OPERATOR, Role.SUPPORT, Role.CLERK)
    found = await gates.journal(house_of(request).portal, JOURNAL_ROWS, private=private)
    tz = request.app.state.tz
    rows = [(at_site(row["at"], tz), row["edge"], row["lane"], row["text"]) for row in reversed(found)]
    intro = f"The last {JOURNAL_ROWS} rows, the newest first; plates are masked."
    return await listed(request, "Journal", ("When", "Edge", "Lane", "What happened"), rows, intro=intro)


@get("/conflicts", seen_by=roles(*SETTLE))
async def conflicts(request: AnyRequest) -> Page:
    found = (await gates.conflicts(house_of(request).portal, Conflicts())).rows
    rows = [
        (row["conflict"], row["kind"], row["external_id"], row["basis"], row["surplus"], row["resolution"])
        for row in found
    ]
    heads = ("Conflict", "Kind", "User", "Known from", "Had no place", "Resolution")
    intro = "Entries that took a place too many, and exits that no entry explains."
    return await listed(request, "Conflicts", heads, rows, intro=intro)


PART: Final = Part(
    [start, users, journal, conflicts],
    [
        Entry("/", "Start", anybody),
        Entry("/users", "Users", roles(*MANAGERS)),
        Entry("/journal", "Journal", roles(*STAFF)),
        Entry("/conflicts", "Conflicts", roles(*SETTLE)),
    ],
)
