"""What must be decided and recorded, written from the requirements alone: small, slow, plain dicts and lists.

It knows the list at every revision, what happened at each edge, and what the portal may know when all was told.
It asks the parts for two things only, which nobody can foresee who does not carry the messages: which revision an
edge has, and what the portal answered when not everything was told. Nothing of the product is imported here.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
TEMPORARY_MAX = timedelta(hours=72)
PERMANENT_MAX = timedelta(days=10)
EARLY = timedelta(minutes=15)
TENANT = ""
"""Whose users these are: the portal's own organisation."""

Thing = dict[str, Any]


class Oracle:
    """The list, and everything that happened."""

    def __init__(self, edges: tuple[str, ...]) -> None:
        self.list: Thing = {"users": {}, "permits": {}, "devices": {}, "reservations": {}, "removed": set()}
        self.lists: dict[int, Thing] = {0: deepcopy(self.list)}
        self.inside: dict[str, list[Thing]] = {edge: [] for edge in edges}
        self.holds: dict[str, dict[str, Thing]] = {edge: {} for edge in edges}
        self.neutral: dict[str, set[str]] = {edge: set() for edge in edges}
        self.spent: dict[str, set[str]] = {edge: set() for edge in edges}
        self.stays: list[Thing] = []
        self.gone: list[Thing] = []
        """Grants that came to nothing."""
        self.departures: list[tuple[str, str, datetime]] = []
        self.lonely: list[tuple[str, str]] = []
        """Edge and user of each exit of somebody whom no edge had inside."""
        self.link: Thing | None = None
        self.charges: list[Thing] = []
        """The agreement of a partner with a customer, the latest, and those about devices, oldest first."""
        self.scans: list[tuple[str, datetime]] = []
        """Where and when something was granted that a device's payer pays for."""

    def changed(self, revision: int) -> None:
        """The list has become this revision."""
        self.lists[revision] = deepcopy(self.list)

    # ---- the list ----

    def holder(self, kind: str, value: str) -> str | None:
        """Who has this plate or badge as an active credential."""
        users = self.list["users"].values()
        return next((user["id"] for user in users if user[kind].get(value) == "active"), None)

    def remove_user(self, user_id: str) -> None:
        """A tombstone, and nothing that was the user's alone."""
        del self.list["users"][user_id]
        self.list["removed"].add(user_id)
        for kind in ("permits", "reservations"):
            self.list[kind] = {key: one for key, one in self.list[kind].items() if one["user"] != user_id}

    # ---- partners ----

    def answered(self, one: Thing, about: str, what: str, now: datetime) -> None:
        """An agreement was accepted, refused or ended; with a link ends all that was delegated under it."""
        one["state"] = {"accept": "accepted", "refuse": "refused", "end": "ended"}[what]
        if what == "accept":
            one["from"] = now
        if what == "end":
            one["to"] = now
            for charge in self.charges if about == "link" else ():
                if charge["link"] is one and charge["state"] in ("requested", "accepted"):
                    charge["state"], charge["to"] = "ended", now

    def charged(self) -> bool:
        """Who pays for each device from when to when; whether anything about that is new."""
        new = False
        for name, device in self.list["devices"].items():
            spans = []
            for one in self.charges:
                if one["device"] == name and one["from"] is not None and one["link"]["from"] is not None:
                    since = max(one["from"], one["link"]["from"])
                    until = min((at for at in (one["to"], one["link"]["to"]) if at is not None), default=None)
                    if until is None or until > since:
                        spans.append(("clean", since, until))
            new = new or spans != device["spans"]
            device["spans"] = spans
        return new

    # ---- an entry ----

    def entry(self, edge: str, lane: str, shown: Thing | None, now: datetime, known: Thing) -> Thing:
        """Granted, with what is fixed then, or the one reason; `known` is the edge's list and its age."""
        listed = self.lists[known["revision"]]
        reason = _device(listed, lane)
        if reason:
            return {"reason": reason}
        if shown is None:
            return {"reason": "unreadable_plate"}
        found = _found(listed, shown)
        if isinstance(found, str):
            return {"reason": found}
        user, credential = found
        reason = self._credential(edge, shown, credential, now)
        if reason:
            return {"reason": reason}
        if not user["active"]:
            return {"reason": "user_inactive"}
        fit = fitting(listed, user, lane, "park", now, shown)
        if isinstance(fit, str):
            return {"reason": fit}
        contract = chosen(user, user["default"])
        if contract and not contract["payable"]:
            return {"reason": "no_payment_profile"}
        plate = shown["text"] if shown["kind"] == "plate" else ""
        closes = self._room(edge, user, plate)
        if isinstance(closes, str):
            return {"reason": closes}
        temporary = credential["to"] is not None or all(permit["to"] is not None for permit in fit)
        if known["age"] > (TEMPORARY_MAX if temporary else PERMANENT_MAX):
            return {"reason": "list_too_old"}
        return {
            "reason": None,
            "user": user["id"],
            "external": user["external"],
            "plate": plate or shown.get("seen", ""),
            "credential": shown["text"],
            "contract": contract["id"] if contract else "",
            "payer": payer(user, contract),
            "closes": closes,
            "billed": billed(listed, lane, now),
            "once": shown.get("once", False),
        }

    def _credential(self, edge: str, shown: Thing, credential: Thing, now: datetime) -> str | None:
        if shown["kind"] == "pass":
            if now >= shown["to"]:
                return "pass_expired"
            held = {one["credential"] for one in self.holds[edge].values() if one["way"] == "in"}
            if shown["once"] and shown["text"] in self.spent[edge] | held:
                return "pass_replayed"
        if credential["state"] != "active":
            return f"credential_{credential['state']}"
        if credential["from"] is not None and now < credential["from"]:
            return "not_yet_valid"
        return "expired" if credential["to"] is not None and now >= credential["to"] else None

    def _room(self, edge: str, user: Thing, plate: str) -> list[str] | str:
        """Which sessions end if this vehicle passes: its own, whose exit was missed, or what is in doubt."""
        own = [stay for stay in self.inside[edge] if stay["user"] == user["id"]]
        same = [stay for stay in own if plate and stay["plate"] == plate]
        others = [stay for stay in own if stay not in same]
        coming = [one for one in self.holds[edge].values() if one["user"] == user["id"] and one["way"] == "in"]
        too_many = len(others) + len(coming)
        forgiven = others if user["id"] in self.neutral[edge] else []
        if too_many > len(forgiven):
            return "another_vehicle_parked" if plate else "already_inside"
        return [stay["hold"] for stay in (*same, *forgiven[:too_many])]

    def elsewhere(self, edge: str, user: str, closes: list[str]) -> str | None:
        """The edge at which this user has its place, as far as anybody can know who was told everything."""
        for stay in self.stays:
            over = stay["until"] or stay["left"] or stay["doubted"]
            if stay["user"] == user and not over and not (stay["edge"] == edge and stay["hold"] in closes):
                return str(stay["edge"])
        for other, holds in self.holds.items():
            if other != edge and any(one["user"] == user and one["way"] == "in" for one in holds.values()):
                return other
        return None

    # ---- a desk ----

    def enrols(self, listed: Thing, user_id: str | None, badge: str | None) -> str | None:
        """Why this badge may not become this user's, by this list; None if it may."""
        user = listed["users"].get(user_id)
        if user is None or user["registration"] != "pre_registered":
            return "not_pre_registered"
        if not user["active"]:
            return "user_inactive"
        if not user["terms"]:
            return "terms_not_accepted"
        if not user["checked"]:
            return "not_checked"
        having = [one for one in listed["users"].values() if badge in one["badges"]]
        having = [one for one in having if one["badges"][badge] == "active"] or having
        return "badge_already_assigned" if having and having[0]["id"] != user_id else None

    def enrolled(self, user_id: str, badge: str) -> None:
        """Number, badge, both contracts and the permits to drive and ride along, all in one."""
        user = self.list["users"][user_id]
        user["badges"] = {uid: state for uid, state in user["badges"].items() if uid != badge} | {badge: "active"}
        user["registration"], user["number"] = "registered", True
        if not user["contracts"]:
            work = {"id": f"b-{user_id}", "kind": "business", "payable": True}
            user["contracts"] = [work, {"id": f"p-{user_id}", "kind": "private", "payable": False}]
        user["default"] = user["default"] or user["contracts"][0]["id"]

    def desk(self, name: str, badge: str, site: str, now: datetime, known: Thing) -> Thing:
        """A key or a ride is granted, with what is fixed then, or the one reason."""
        listed = self.lists[known["revision"]]
        reason = _device(listed, name)
        if reason:
            return {"reason": reason}
        found = _found(listed, {"kind": "badge", "text": badge})
        if isinstance(found, str):
            return {"reason": found}
        user, credential = found
        if credential["state"] != "active":
            return {"reason": f"credential_{credential['state']}"}
        if not user["active"]:
            return {"reason": "user_inactive"}
        mine = [one | {"id": key} for key, one in listed["reservations"].items() if one["user"] == user["id"]]
        trip = _riding(mine, site, now)
        action = "drive" if trip is None else "carpool"
        fit = fitting(listed, user, name, action, now)
        if isinstance(fit, str):
            return {"reason": fit}
        contract = chosen(user, user["default"])
        if trip is None:
            driving = _licence(user, now) or _driving(mine, site, now)
            if isinstance(driving, str):
                return {"reason": driving}
            trip, contract = driving, chosen(user, driving["contract"], user["default"])
        if contract and not contract["payable"]:
            return {"reason": "no_payment_profile"}
        temporary = all(permit["to"] is not None for permit in fit)
        if known["age"] > (TEMPORARY_MAX if temporary else PERMANENT_MAX):
            return {"reason": "list_too_old"}
        return {
            "reason": None,
            "user": user["id"],
            "action": action,
            "reservation": trip["id"],
            "slot": trip["slot"] or 0 if action == "drive" else 0,
            "contract": contract["id"] if contract else "",
            "payer": payer(user, contract),
            "billed": billed(listed, name, now),
        }

    # ---- an exit ----

    def exit(self, edge: str, lane: str, shown: Thing | None, now: datetime, known: Thing) -> Thing:
        """A car must get out: by its session, as somebody known, or as nobody."""
        listed = self.lists[known["revision"]]
        reason = _device(listed, lane)
        if reason:
            return {"reason": reason}
        granted: Thing = {"reason": None, "billed": billed(listed, lane, now)}
        found = _found(listed, shown) if shown else "unreadable_plate"
        stay = self._leaving(edge, shown, found) if shown else None
        if stay:
            same = {key: stay[key] for key in ("user", "external", "plate", "contract", "payer")}
            return granted | same | {"closes": [stay["hold"]]}
        plate = shown["text"] if shown and shown["kind"] == "plate" else ""
        nobody = {"user": None, "external": "", "plate": plate, "contract": "", "payer": "", "closes": []}
        if isinstance(found, str):
            return granted | nobody
        user, _ = found
        pays = payer(user, chosen(user, user["default"]))
        return granted | nobody | {"user": user["id"], "external": user["external"], "payer": pays}

    def _leaving(self, edge: str, shown: Thing, found: Any) -> Thing | None:
        inside = self.inside[edge]
        own = [stay for stay in inside if not isinstance(found, str) and stay["user"] == found[0]["id"]]
        if shown["kind"] == "plate":
            by_plate = [stay for stay in inside if stay["plate"] == shown["text"]]
            return next(iter([*by_plate, *(stay for stay in own if not stay["plate"])]), None)
        if shown["kind"] == "pass":
            own = [stay for stay in inside if stay["user"] == shown["user"]]
        by_this = [stay for stay in inside if stay["credential"] == shown["text"]]
        return next(iter([*by_this, *own]), None)

    # ---- what becomes of a grant ----

    def granted(self, edge: str, hold: str, way: str, verdict: Thing, now: datetime) -> None:
        """A vehicle may go, and has not yet."""
        self.holds[edge][hold] = verdict | {"edge": edge, "hold": hold, "way": way, "at": now, "fenced": False}

    def fenced(self, edge: str, hold: str, err_ms: int | None) -> None:
        """The portal gave the place (None), or nobody answered and the clock may be so far off."""
        self.holds[edge][hold] |= {"fenced": err_ms is None, "err_ms": err_ms or 1000}

    def passed(self, edge: str, hold: str, now: datetime) -> None:
        """The vehicle went through."""
        held = self.holds[edge].pop(hold)
        user = held["user"]
        for stay in [one for one in self.inside[edge] if one["hold"] in held["closes"]]:
            self.inside[edge].remove(stay)
            stay["until"] = now
        if user is None:
            return
        self.neutral[edge].discard(user)
        if held["way"] == "in":
            stay = held | {"until": None, "left": None, "doubted": None}
            self.stays.append(stay)
            self.pair()
            self.inside[edge].append(stay)
            if held["once"]:
                self.spent[edge].add(held["credential"])
        elif not held["closes"]:
            self._left_unseen(edge, user, now)

    def _left_unseen(self, edge: str, user: str, now: datetime) -> None:
        if any(stay["user"] == user for stay in self.inside[edge]):
            self.neutral[edge].add(user)
        self.departures.append((edge, user, now))
        self.pair()

    def pair(self) -> None:
        """An exit of somebody who was not inside there ends the latest stay at another edge, from its grant on."""
        self.stays.sort(key=lambda stay: stay["at"])
        self.lonely = []
        for stay in self.stays:
            stay["left"] = None
        for edge, user, at in self.departures:
            there = [one for one in self.stays if one["user"] == user and one["edge"] != edge and one["at"] <= at]
            there = [one for one in there if one["left"] is None and (one["until"] is None or one["until"] >= at)]
            if there:
                there[-1]["left"] = at
            else:
                self.lonely.append((edge, user))

    def released(self, edge: str, hold: str, now: datetime, *, doubtful: bool) -> None:
        """The vehicle did not go through, or nobody knows."""
        held = self.holds[edge].pop(hold)
        self.gone.append(held)
        if doubtful and held["user"] is not None:
            self.neutral[edge].add(held["user"])
            for stay in self.inside[edge]:
                if stay["user"] == held["user"]:
                    stay["doubted"] = stay["doubted"] or now

    def told_left(self, edge: str, hold: str) -> bool:
        """The portal says that a session ended elsewhere; whether that is so."""
        stay = next(one for one in self.inside[edge] if one["hold"] == hold)
        self.inside[edge].remove(stay)
        stay["until"] = stay["left"]
        return stay["left"] is not None

    # ---- in the end ----

    def conflicts(self) -> tuple[set[str], set[str]]:
        """Holds of entries that there was no place for and nobody was asked about; and those that clocks hide."""
        found, unsure = set(), set()
        for number, stay in enumerate(self.stays):
            before = [one for one in self.stays[:number] if one["user"] == stay["user"]]
            inside = [one for one in before if (end := _end(one)) is None or end > stay["at"]]
            unasked = [
                one for one in inside if one["edge"] != stay["edge"] and not (one["fenced"] and stay["fenced"])
            ]
            if unasked:
                found.add(stay["hold"])
            for one in before:
                end = _end(one)
                slack = timedelta(milliseconds=one["err_ms"] + stay["err_ms"] + 2000)
                if abs(stay["at"] - one["at"]) <= slack or (end is not None and abs(end - stay["at"]) <= slack):
                    unsure.add(stay["hold"])
        return found, unsure

    def credits(self) -> dict[str, int]:
        """How many scans each organisation pays for, by the time of the scan."""
        used: dict[str, int] = {}
        for device, at in self.scans:
            who = billed(self.list, device, at)
            used[who] = used.get(who, 0) + 1
        return used


def _end(stay: Thing) -> datetime | None:
    return min((at for at in (stay["until"], stay["left"], stay["doubted"]) if at is not None), default=None)


# ---- what a list says ----


def _device(listed: Thing, name: str) -> str | None:
    device = listed["devices"].get(name)
    if device is None or device["state"] == "active":
        return None
    return "device_unclaimed" if device["state"] == "unclaimed" else "device_inactive"


def billed(listed: Thing, name: str, at: datetime) -> str:
    """Who pays for a scan: the partner in charge then, else the owner."""
    device = listed["devices"].get(name)
    if device is None:
        return ""
    in_charge = [who for who, since, until in device["spans"] if since <= at and (until is None or at < until)]
    return next(iter(in_charge), str(device["owner"]))


def _found(listed: Thing, shown: Thing) -> tuple[Thing, Thing] | str:
    """User and credential, or why there is none."""
    kind, text = shown["kind"], shown["text"]
    always = {"from": None, "to": None}
    if kind == "pass":
        user = listed["users"].get(shown["user"])
        if user is None and shown["guest"] and shown["user"] not in listed["removed"]:
            user = new_user(shown["user"], shown["guest"]) | {"app": "active"}
        if user is None or user["app"] is None:
            return "unknown_credential"
        return user, {"state": user["app"], "from": shown["from"], "to": shown["to"]}
    if kind == "code":
        for user in listed["users"].values():
            if text in user["codes"]:
                return user, user["codes"][text]
        return "not_an_access_pass" if shown["activation"] else "code_wrong"
    having = [user for user in listed["users"].values() if text in user[f"{kind}s"]]
    having = [user for user in having if user[f"{kind}s"][text] == "active"] or having
    if not having:
        return "unknown_credential"
    if len(having) > 1:
        return "ambiguous_plate"
    return having[0], always | {"state": having[0][f"{kind}s"][text]}


def fitting(
    listed: Thing, user: Thing, place: str, action: str, now: datetime, shown: Thing | None = None
) -> list[Thing] | str:
    """The permits by which the user may do this here and now, or why none does."""
    if shown and shown["kind"] == "pass" and user["id"] not in listed["users"]:
        own = [{"from": shown["from"], "to": shown["to"], "device": None, "days": None}]
        permits = own if action == "park" else []
    else:
        permits = [
            one
            for one in listed["permits"].values()
            if one["action"] == action and (one["user"] == user["id"] or one["group"] in user["groups"])
        ]
    here = [one for one in permits if one["device"] in (None, place)]
    if not here:
        return "no_permit"
    reasons = [_permit(one, now) for one in here]
    fit = [one for one, reason in zip(here, reasons, strict=True) if reason is None]
    nearest = next((one for one in ("outside_schedule", "not_yet_valid", "expired") if one in reasons), "")
    return fit or nearest


def _permit(permit: Thing, now: datetime) -> str | None:
    if permit["from"] is not None and now < permit["from"]:
        return "not_yet_valid"
    if permit["to"] is not None and now >= permit["to"]:
        return "expired"
    if permit["days"] is None:
        return None
    local = now.astimezone(ZONE)
    on = local.weekday() in permit["days"] and permit["hours"][0] <= local.hour < permit["hours"][1]
    return None if on else "outside_schedule"


def chosen(user: Thing, *wanted: str | None) -> Thing | None:
    """The contract wanted, else the first."""
    by_id = {one["id"]: one for one in user["contracts"]}
    return next((by_id[name] for name in (*wanted, *by_id) if name in by_id), None)


def payer(user: Thing, contract: Thing | None) -> str:
    """A private contract is the user's own, everything else the customer's."""
    return str(user["id"]) if contract and contract["kind"] == "private" else str(user["customer"])


def new_user(user_id: str, external: str) -> Thing:
    """Somebody about whom nothing else is said."""
    return {
        "id": user_id, "external": external, "customer": TENANT, "active": True, "groups": [], "plates": {},
        "badges": {}, "codes": {}, "contracts": [], "default": None, "app": None, "registration": None,
        "terms": False, "checked": False, "licence": None, "number": False,
    }  # fmt: skip


def _on(trip: Thing, now: datetime) -> bool:
    return bool(trip["start"] - EARLY <= now < trip["end"]) and trip["state"] in ("booked", "out")


def _riding(trips: list[Thing], site: str, now: datetime) -> Thing | None:
    """The ride beside somebody else that is on now, for whoever does not drive now."""
    on = [one for one in trips if _on(one, now) and one["site"] == site]
    if any(one["role"] == "driver" for one in on):
        return None
    return min(on, key=lambda one: (one["start"], one["id"]), default=None)


def _licence(user: Thing, now: datetime) -> str | None:
    status, until = user["licence"] or (None, None)
    if status != "validated":
        return "licence_not_validated"
    return "licence_expired" if until is not None and now >= until else None


def _driving(trips: list[Thing], site: str, now: datetime) -> Thing | str:
    """The reservation that gives a key here and now, or why none does: the nearest in time says so."""
    mine = [one for one in trips if one["role"] == "driver" and one["state"] in ("booked", "out")]
    on = sorted((one for one in mine if _on(one, now)), key=lambda one: (one["start"], one["id"]))
    here = [one for one in on if one["site"] == site]
    if on:
        return here[0] if here else "wrong_site"
    off = [(one["start"] - now, "too_early") for one in mine if now < one["start"]]
    off += [(now - one["end"], "reservation_ended") for one in mine if one["end"] <= now]
    return min(off, default=(timedelta(), "no_reservation"))[1]
