"""The whole model step by step: each rule does something to the real parts and to the oracle, and compares.

What differs is a divergence, and ends the example with the steps that led to it. In the end everything is joined
and delivered: lists, journals, conflicts and credits must then be what the oracle says.
"""

import functools
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from gate_controller.allowlist import DevicePut, PermitPut, ReservationPut, User
from gate_controller.conflicts import Kind
from gate_controller.credentials import BadgeRead, CodeRead, CredentialState, GuestCode, PassRead, Shown
from gate_controller.delegation import Device, DeviceKind, DeviceState
from gate_controller.desk import Licence, LicenceStatus, Registration, Reservation, Role
from gate_controller.errors import BadInput, ListRejected
from gate_controller.facts import Claimed, DeskGranted, EnrolAsked, Fact, Granted, Refused, Unarbitrated
from gate_controller.plates import Plate, PlateRead
from gate_controller.reasons import Note
from hardware_sim.portal.codes import passes
from hardware_sim.portal.company import company
from hardware_sim.portal.company.company import Entry, contacts_of, mark_of
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.credits import BEGINS_WITH, Credits
from hardware_sim.portal.partners.partners import Partners, Word
from hardware_sim.portal.records.organisations import Organisation
from sync.passes import NUMBER_LEN
from tests.model.courier import Deal, Way
from tests.model.gate import DESK, Gate
from tests.model.listing import SCHEDULES, listed, new_permit
from tests.model.oracle import Oracle, Thing, new_user
from tests.model.world import EDGES, World

PLATES: Final = ("BKA1234", "HHXY777", "MUC9080", "KDE5511", "SLV2468", "FTZ3690")
STRANGERS: Final = ("WOP4327", "ACU8153")
BADGES: Final = ("04A22F1B", "04C77E90", "0455AA01")
NAMES: Final = tuple(f"x{number}" for number in range(5))
GROUPS: Final = ("staff", "night")
CUSTOMER, PARTNER = "cafe", "clean"
ASKED: Final = {"state": "requested", "from": None, "to": None}
"""Of an agreement that nobody has answered."""
LANES: Final = tuple(f"{edge}-{way}" for edge in EDGES for way in ("in", "out"))
DEVICES: Final = (*LANES, DESK)
DEVICE_REASONS: Final = {"inactive": "device_inactive", "unclaimed": "device_unclaimed"}
APART_S: Final = 180.0
"""Between two vehicles: more than clocks that nobody sets for two weeks are apart."""
PASSES_IN_TURN: Final = ("passes", "passes", "passes", "passes", "backs out", "waits")

STEPS: Counter[str] = Counter()
DECISIONS: Counter[str] = Counter()
"""What was played so far, for whoever wants to see it."""

M = TypeVar("M", bound="Model")
P = ParamSpec("P")

users = st.integers(0, 4)
edges = st.sampled_from(EDGES)
ways = st.sampled_from(Way)
some_plates = st.lists(st.sampled_from(PLATES), min_size=1, max_size=2, unique=True)
vehicles = st.fixed_dictionaries(
    {
        "number": users,
        "nth": st.integers(0, 1),
        "by_badge": st.sampled_from((False, False, True)),
        "edge": edges,
        "way": st.sampled_from(("in", "in", "out", "home", "home")),
        "read": st.sampled_from((True, True, True, False)),
        "outcome": st.sampled_from(PASSES_IN_TURN),
        "before": st.sampled_from((None, None, None, None, "cut", "join", "hold up", "hold down", "let through")),
    }
)
some_groups = st.sampled_from(((), (), ("staff",), ("staff", "night")))


def step(deed: Callable[Concatenate[M, P], None]) -> Callable[Concatenate[M, P], None]:
    """Counts a rule, looks at what came of it, and remembers that it diverged."""

    @functools.wraps(deed)
    def counted(self: M, *args: P.args, **kwargs: P.kwargs) -> None:
        STEPS[deed.__name__] += 1
        try:
            deed(self, *args, **kwargs)
            self.look()
            self.compare_books()
        except BaseException:
            self.diverged = True
            raise

    return counted


class Model(RuleBasedStateMachine):
    """One example."""

    def __init__(self) -> None:
        super().__init__()
        self.diverged = False
        self.world = World()
        self.oracle = Oracle(EDGES)
        self.guests: list[Thing] = []
        self.asked: list[tuple[str, str]] = []
        """Users and badges that desks have asked for."""
        self.shown: list[str] = []
        """Phone passes that were shown before."""
        try:
            self._furnish()
        except BaseException:
            self.world.close()
            raise

    def _furnish(self) -> None:
        house = self.world.house

        def organisations() -> None:
            house.organisations.put(Organisation("cafe", "Café Ünal"))
            house.organisations.put(Organisation("clean", "Clean & Co", partner=True, customer=False))

        self.world.do(house.write(organisations))
        kinds = {name: DeviceKind.DESK if name == DESK else DeviceKind.GATE for name in DEVICES}
        self.world.do(
            house.portal.change([DevicePut(Device(name, kind, owner="cafe")) for name, kind in kinds.items()])
        )
        self.oracle.list["devices"] = {name: {"state": "active", "owner": "cafe", "spans": []} for name in DEVICES}
        self.changed()
        self._permit_group("staff", None, None)
        for number in range(3):
            self._add(Entry(NAMES[number], plates=PLATES[2 * number : 2 * number + 2 - number // 2]))

    # ---- what is common ----

    @property
    def now(self) -> datetime:
        return self.world.now().wall

    @property
    def house(self) -> Any:
        return self.world.house

    def changed(self) -> None:
        """The portal has made one change, which the oracle has made too."""
        revision = self.world.portal.allowlist.revision
        known = max(self.oracle.lists)
        assert revision == known + 1, f"the list went from {known} to {revision}"
        self.oracle.changed(revision)

    def attempt(self, coroutine: Coroutine[Any, Any, Any], refused: str) -> bool:
        """Have the portal do it; whether it did, which must be so unless the oracle knows why not."""
        try:
            self.world.do(coroutine)
        except (BadInput, ListRejected) as error:
            if not refused:
                raise AssertionError(f"the portal refuses what must be possible: {error}") from error
            return False
        assert not refused, f"the portal does what it must refuse: {refused}"
        return True

    def pick(self, number: int) -> Thing | None:
        """One of the users there are, who is no guest."""
        known = sorted(one for one in self.oracle.list["users"] if not one.startswith("g-"))
        return self.oracle.list["users"][known[number % len(known)]] if known else None

    def look(self) -> None:
        """Take note of what came to the edges meanwhile."""
        self.world.check()
        self._enrolled()
        for name, gate in self.world.gates.items():
            for hold in gate.left:
                assert self.oracle.told_left(name, hold), (
                    f"{name} was told that {hold} left elsewhere, and it did not"
                )
            gate.left.clear()

    def compare_books(self) -> None:
        """Who is inside where, by the edges' books and by the oracle's."""
        for name, gate in self.world.gates.items():
            books = gate.site.occupancy
            real = {(s.id, s.user_id, s.plate, s.external_id, s.contract, s.payer) for s in books.inside()}
            wanted = {
                (s["hold"], s["user"], s["plate"], s["external"], s["contract"], s["payer"])
                for s in self.oracle.inside[name]
            }
            assert real == wanted, f"inside at {name}: {real}, and should be {wanted}"
            assert books.neutral == self.oracle.neutral[name], f"in doubt at {name}: {books.neutral}"

    # ---- users ----

    def _refused(self, user: Thing) -> str:
        """Why the list cannot have this user, "" if it can."""
        others = [one for one in self.oracle.list["users"].values() if one["id"] != user["id"]]
        if any(one["external"] == user["external"] for one in others):
            return "duplicate_external_id"
        for kind in ("plates", "badges"):
            for value, state in user[kind].items():
                if state == "active" and any(one[kind].get(value) == "active" for one in others):
                    return "duplicate_credential"
        return ""

    def _written(self, user: Thing, entry: Entry) -> Thing:
        """The user as the entry says; a contract never goes away again."""
        new = user | {"external": entry.external_id, "groups": list(entry.groups)}
        for kind, values in (("plates", entry.plates), ("badges", entry.badges)):
            new[kind] = {value: user[kind].get(value, "active") for value in values}
        if entry.private or user["contracts"]:
            work = {"id": f"b-{user['id']}", "kind": "business", "payable": True}
            home = {"id": f"p-{user['id']}", "kind": "private", "payable": entry.payable}
            new["contracts"] = [work, home]
            new["default"] = home["id"] if entry.private else work["id"]
        return new

    def _add(self, entry: Entry) -> None:
        wanted = self._written(new_user("", entry.external_id), entry)
        made: list[User] = []

        async def add() -> None:
            made.append(await company.add(self.house, "frida", entry))

        if self.attempt(add(), self._refused(wanted)):
            user = self._written(new_user(made[0].id, entry.external_id), entry)
            self.oracle.list["users"][user["id"]] = user
            if not entry.groups:
                self.oracle.list["permits"][f"park-{user['id']}"] = new_permit(user["id"])
            self.changed()

    @rule(
        name=st.sampled_from(NAMES),
        plates=some_plates,
        badges=st.lists(st.sampled_from(BADGES), max_size=1),
        groups=some_groups,
        private=st.booleans(),
        payable=st.booleans(),
    )
    @step
    def add_user(
        self, name: str, plates: list[str], badges: list[str], groups: Sequence[str], private: bool, payable: bool
    ) -> None:
        self._add(Entry(name, "", "", plates, badges, groups, private, "", payable))

    @rule(
        number=users,
        name=st.sampled_from((None, None, *NAMES)),
        plates=some_plates,
        badges=st.lists(st.sampled_from(BADGES), max_size=1),
        groups=some_groups,
        private=st.booleans(),
        payable=st.booleans(),
    )
    @step
    def edit_user(
        self,
        number: int,
        name: str | None,
        plates: list[str],
        badges: list[str],
        groups: Sequence[str],
        private: bool,
        payable: bool,
    ) -> None:
        """Plates, badges, groups, payment profile and the name on the invoice, as a manager writes them."""
        old = self.pick(number)
        if old is None:
            return
        entry = Entry(name or old["external"], "", "", plates, badges, groups, private, "", payable)
        new = self._written(old, entry)
        user = self.world.portal.allowlist.user(old["id"])
        assert user is not None
        mark = mark_of(user, contacts_of(self.house).email(user.id))
        if self.attempt(company.edit(self.house, "frida", user.id, mark, entry), self._refused(new)):
            self.oracle.list["users"][old["id"]] = new
            own = [one for one in self.oracle.list["permits"].values() if one["user"] == old["id"]]
            if not groups and not any(one["action"] == "park" for one in own):
                self.oracle.list["permits"][f"park-{old['id']}"] = new_permit(old["id"])
            self.changed()

    def _switch_user(self, number: int, *, on: bool) -> None:
        user = self.pick(number)
        if user is not None and self.attempt(company.switch(self.house, "frida", user["id"], on=on), ""):
            user["active"] = on
            self.changed()

    def _remove_user(self, number: int) -> None:
        user = self.pick(number)
        if user is not None and self.attempt(company.remove(self.house, "frida", user["id"]), ""):
            self.oracle.remove_user(user["id"])
            self.changed()

    def _suspend(self, number: int, kind: str, state: CredentialState) -> None:
        """All plates or badges of a user get a state, and maybe become active again."""
        old = self.pick(number)
        if old is None or not old[kind]:
            return
        new = old | {kind: dict.fromkeys(old[kind], state.value)}

        def edited(user: User) -> User:
            if kind == "plates":
                return replace(user, plates=tuple(replace(one, state=state) for one in user.plates))
            return replace(user, badges=tuple(replace(one, state=state) for one in user.badges))

        if self.attempt(self.world.portal.edit(old["external"], edited), self._refused(new)):
            self.oracle.list["users"][old["id"]] = new
            self.changed()

    @rule(
        what=st.sampled_from(("off", "off", "suspend", "suspend", "remove", "permit", "device")),
        number=users,
        kind=st.sampled_from(("plates", "badges")),
        state=st.sampled_from(CredentialState),
        device=st.sampled_from(DEVICES),
        to=st.sampled_from((DeviceState.INACTIVE, DeviceState.UNCLAIMED)),
    )
    @step
    def withdraw(
        self, what: str, number: int, kind: str, state: CredentialState, device: str, to: DeviceState
    ) -> None:
        """Somebody or something may not do any more what it could."""
        STEPS[f"withdraw: {what}"] += 1
        match what:
            case "off":
                self._switch_user(number, on=False)
            case "suspend":
                self._suspend(number, kind, state)
            case "remove":
                self._remove_user(number)
            case "permit":
                self._remove_permit(number)
            case "device":
                self._switch_device(device, to)

    @rule(number=users)
    @step
    def restore(self, number: int) -> None:
        """A user may do all again, at any lane."""
        for name in DEVICES:
            if self.oracle.list["devices"][name]["state"] != "active":
                self._switch_device(name, DeviceState.ACTIVE)
        user = self.pick(number)
        if user is not None:
            self._switch_user(number, on=True)
            for kind in ("plates", "badges"):
                self._suspend(number, kind, CredentialState.ACTIVE)
            self._permit_user(number, None, None, None)

    @rule(
        number=users,
        group=st.sampled_from((None, *GROUPS)),
        schedule=st.sampled_from([*SCHEDULES]),
        device=st.sampled_from((None, None, "e1-in", "e2-in")),
        begins_h=st.sampled_from((None, None, -5, 20)),
        ends_h=st.sampled_from((None, None, -1, 40, 400)),
    )
    @step
    def permit(
        self,
        number: int,
        group: str | None,
        schedule: str | None,
        device: str | None,
        begins_h: int | None,
        ends_h: int | None,
    ) -> None:
        """A group gets a permit, or a user another one."""
        if group is not None:
            self._permit_group(group, schedule, device)
        else:
            self._permit_user(number, schedule, begins_h, ends_h)

    # ---- permits and devices ----

    def _permit_group(self, group: str, schedule: str | None, device: str | None) -> None:
        permit = self.world.do(self.world.portal.permit_group(group, schedule, device))
        self.oracle.list["permits"][permit.id] = new_permit(group=group, device=device, schedule=schedule)
        self.changed()

    def _permit_user(self, number: int, schedule: str | None, begins_h: int | None, ends_h: int | None) -> None:
        """A user's own permit becomes another."""
        user = self.pick(number)
        if user is None:
            return
        start, end = (None if h is None else self.now + timedelta(hours=h) for h in (begins_h, ends_h))
        permit = replace(newcomers.parking(user["id"], schedule=schedule), valid_from=start, valid_to=end)
        self.world.do(self.world.portal.change([PermitPut(permit)]))
        self.oracle.list["permits"][permit.id] = new_permit(user["id"], schedule=schedule, from_=start, to=end)
        self.changed()

    def _remove_permit(self, number: int) -> None:
        known = sorted(self.oracle.list["permits"])
        if known:
            permit = known[number % len(known)]
            self.world.do(self.world.portal.remove_permit(permit))
            del self.oracle.list["permits"][permit]
            self.changed()

    def _switch_device(self, name: str, state: DeviceState) -> None:
        device = self.world.portal.allowlist.device(name)
        assert device is not None
        self.world.do(self.world.portal.change([DevicePut(replace(device, state=state))]))
        self.oracle.list["devices"][name]["state"] = state.value
        self.changed()

    # ---- passes ----

    @rule(number=users, state=st.sampled_from((None, CredentialState.PENDING, *[CredentialState.ACTIVE] * 4)))
    @step
    def app(self, number: int, state: CredentialState | None) -> None:
        """A user's phone is activated, waits for it, or shows passes no more."""
        user = self.pick(number)
        if user is not None:
            self.world.do(self.world.portal.edit(user["external"], lambda one: replace(one, app=state)))
            user["app"] = state.value if state is not None else None
            self.changed()

    @rule(begins_h=st.sampled_from((-1, -1, 5)), lasts_h=st.sampled_from((2, 30, 200)))
    @step
    def invite(self, begins_h: int, lasts_h: int) -> None:
        """A guest gets a pass and a code for some hours."""
        start = self.now + timedelta(hours=begins_h)
        end = start + timedelta(hours=lasts_h)
        made = self.world.do(passes.invite(self.house, "frida", "Gast", start, end))
        visit, code = made.visit, GuestCode.parse(made.code).text
        user = new_user(visit.user_id, passes.external_id(visit.user_id)) | {"app": "active"}
        user["codes"] = {code: {"state": "active", "from": start, "to": end}}
        self.oracle.list["users"][visit.user_id] = user
        self.oracle.list["permits"][f"park-{visit.user_id}"] = new_permit(visit.user_id, from_=start, to=end)
        text = passes.text_of(self.world.portal.keys, visit.read)
        self.guests.append({"id": visit.user_id, "code": made.code, "pass": text, "to": end})
        self.changed()

    @rule(number=st.integers(0, 3))
    @step
    def call_off(self, number: int) -> None:
        """A visit ends before its time."""
        there = [one for one in self.guests if one["id"] in self.oracle.list["users"]]
        coming = [one["id"] for one in there if one["to"] > self.now]
        if coming:
            guest = coming[number % len(coming)]
            self.world.do(passes.call_off(self.house, "frida", guest))
            self.oracle.remove_user(guest)
            self.changed()

    @rule(
        edge=edges,
        way=st.sampled_from(("in", "in", "out")),
        what=st.sampled_from(("phone", "phone", "again", "pass", "pass", "code", "code", "wrong", "letter")),
        number=users,
        lives_s=st.sampled_from((90, 400, 400)),
        outcome=st.sampled_from(PASSES_IN_TURN),
    )
    @step
    def show(self, edge: str, way: str, what: str, number: int, lives_s: int, outcome: str) -> None:
        """A phone's pass is scanned, or shown again; a guest's pass or code; or something that is neither."""
        STEPS[f"show: {what}"] += 1
        user, guest = self.pick(number), self.guests[-1 - number % len(self.guests)] if self.guests else None
        if what == "phone" and user is not None:
            told = f"{len(self.shown) + 1:0{2 * NUMBER_LEN}x}"
            read = PassRead(user["id"], told, self.now, self.now + timedelta(seconds=lives_s), once=True)
            self.shown.append(passes.text_of(self.world.portal.keys, read))
        texts = {"wrong": "ABCD-EFGH", "letter": "https://portal.example.net/activate/K7M2PX94"}
        if self.shown:
            texts |= {"phone": self.shown[-1], "again": self.shown[-1]}
        if guest is not None:
            texts |= {"pass": guest["pass"], "code": guest["code"]}
        if what in texts:
            self._scanned(edge, way, texts[what], outcome)

    def _scanned(self, edge: str, way: str, text: str, outcome: str) -> None:
        signed = self.world.gates[edge].read_pass(text)
        if signed is None:
            code = CodeRead.of(text)
            said: Thing = {"kind": "code", "text": code.text, "activation": code.activation}
            self._arrives(edge, way, code, said, None, outcome)
            return
        said = {
            "kind": "pass",
            "text": signed.text,
            "user": signed.user_id,
            "from": signed.valid_from,
            "to": signed.valid_to,
            "once": signed.once,
            "guest": signed.guest,
        }
        self._arrives(edge, way, signed, said, None, outcome)

    # ---- partners ----

    @rule(
        what=st.sampled_from(("ask", "accept", "accept", "end", "refuse")),
        about=st.sampled_from(("link", "charge", "charge")),
        device=st.sampled_from((*DEVICES, "all")),
        side=st.sampled_from((CUSTOMER, PARTNER)),
    )
    @step
    def agree(self, what: str, about: str, device: str, side: str) -> None:
        """A partner and a customer ask, accept, refuse and end what is between them."""
        STEPS[f"agree: {what} {about}"] += 1
        partners, link, open_ = Partners(self.house), self.oracle.link, ("requested", "accepted")
        if what == "ask" and about == "link":
            if link is None or link["state"] not in open_:
                made = self.world.do(partners.ask_for("sven", PARTNER, CUSTOMER))
                self.oracle.link = {"id": made.id} | ASKED
            return
        if link is None:
            return
        if what == "ask":
            taken = {one["device"] for one in self.oracle.charges if one["state"] in open_}
            wanted = [one for one in DEVICES if device in (one, "all") and one not in taken]
            if link["state"] == "accepted" and wanted:
                asked = self.world.do(partners.delegate("cora", CUSTOMER, link["id"], wanted))
                self.oracle.charges += [
                    {
                        "id": one.id,
                        "device": one.device,
                        "link": link,
                        "state": "requested",
                        "from": None,
                        "to": None,
                    }
                    for one in asked
                ]
            return
        chosen = [link] if about == "link" else [one for one in self.oracle.charges if one["device"] == device][-1:]
        for one in chosen:
            self._answer(partners, one, about, what, side)

    def _answer(self, partners: Partners, one: Thing, about: str, what: str, side: str) -> None:
        asked = CUSTOMER if about == "link" else PARTNER
        by = side if what == "end" and (about == "charge" or one["state"] == "accepted") else asked
        answer = partners.answer if about == "link" else partners.respond
        possible = ("requested", "accepted") if what == "end" else ("requested",)
        refused = "" if one["state"] in possible else f"it is {one['state']}"
        if what == "accept" and about == "charge" and one["link"]["state"] != "accepted":
            refused = refused or "the link has ended"
        before = self.world.portal.allowlist.revision
        if not self.attempt(answer("somebody", by, one["id"], Word(what), one["state"]), refused):
            return
        self.oracle.answered(one, about, what, self.now)
        if self.oracle.charged():
            self.changed()
        else:
            assert self.world.portal.allowlist.revision == before, "the list has changed, and nothing on it did"

    # ---- the desk ----

    @rule(
        number=users,
        terms=st.sampled_from((True, True, True, False)),
        checked=st.sampled_from((True, True, True, False)),
        status=st.sampled_from((LicenceStatus.VALIDATED, LicenceStatus.VALIDATED, LicenceStatus.REJECTED)),
        days=st.sampled_from((None, 1, 30)),
    )
    @step
    def pre_register(
        self, number: int, terms: bool, checked: bool, status: LicenceStatus, days: int | None
    ) -> None:
        """A user has filled in the form, and a clerk has looked at the licence, or not yet."""
        self._pre_register(number, terms, checked, status, days)

    def _pre_register(
        self, number: int, terms: bool, checked: bool, status: LicenceStatus, days: int | None
    ) -> None:
        user, now = self.pick(number), self.now
        if user is None or user["registration"] == "registered":
            return
        until = None if days is None else now + timedelta(days=days)
        licence = Licence(status if checked else LicenceStatus.PENDING, now if checked else None, until)
        new = {"registration": Registration.PRE_REGISTERED, "terms_accepted_at": now if terms else None}
        edited = self.world.portal.edit(user["external"], lambda one: replace(one, licence=licence, **new))
        self.world.do(edited)
        user |= {"registration": "pre_registered", "terms": terms, "checked": checked}
        user["licence"] = (licence.status.value, until)
        self.changed()

    @rule(number=users, badge=st.sampled_from(BADGES))
    @step
    def enrol(self, number: int, badge: str) -> None:
        """A clerk chooses a user, and a badge is tapped."""
        self._enrol(number, badge)

    @rule(
        number=users,
        badge=st.sampled_from(BADGES),
        status=st.sampled_from((LicenceStatus.VALIDATED, LicenceStatus.VALIDATED, LicenceStatus.REJECTED)),
        begins_min=st.sampled_from((-30, 5, 10, 200)),
        role=st.sampled_from((Role.DRIVER, Role.DRIVER, Role.PASSENGER)),
    )
    @step
    def first_trip(self, number: int, badge: str, status: LicenceStatus, begins_min: int, role: Role) -> None:
        """A user registers, comes to the desk for a badge, and goes on a trip with it."""
        self._pre_register(number, True, True, status, 30)
        self._enrol(number, badge)
        self.look()
        self._reserve(number, begins_min, 8, "north", role, False)
        self._tap(badge, number)

    def _enrol(self, number: int, badge: str) -> None:
        gate = self._at_desk()
        user = self.pick(number)
        if user is None:
            return
        known = self.oracle.lists[gate.site.allowlist.revision]
        listed_as = next(
            (one["id"] for one in known["users"].values() if one["external"] == user["external"]), None
        )
        device = known["devices"].get(DESK, {"state": "active"})["state"]
        reason = DEVICE_REASONS.get(device) or self.oracle.enrols(known, listed_as, None)
        answer = gate.choose(user["external"], "clerk")
        assert answer.done is (reason is None), f"{answer}, and should be {reason}"
        assert reason is None or reason in answer.text, f"{answer}, and should be {reason}"
        if reason is not None:
            DECISIONS[f"desk: {reason}"] += 1
            return
        reason = self.oracle.enrols(known, listed_as, badge)
        first = gate.tap(badge)[0]
        if isinstance(first, Refused):
            assert first.reason.value == reason, f"{first}, and should be {reason}"
            DECISIONS[f"desk: {reason}"] += 1
            return
        assert isinstance(first, EnrolAsked), f"{first}, and should be asked"
        assert reason is None, f"{first}, and should be {reason}"
        DECISIONS["desk: badge asked for"] += 1
        self.asked.append((str(listed_as), badge))

    def _at_desk(self) -> Gate:
        """Nobody has been chosen there any more."""
        self.world.pass_(60.0)
        self.look()
        return self.world.gates[EDGES[0]]

    def _enrolled(self) -> None:
        """What the portal has since made of badges that were asked for."""
        allowlist = self.world.portal.allowlist
        while max(self.oracle.lists) < allowlist.revision:
            done = [one for one in self.asked if self._is_enrolled(*one)]
            assert done, f"the list is at {allowlist.revision}, and nobody changed it"
            reason = self.oracle.enrols(self.oracle.list, *done[0])
            assert reason is None, f"{done[0]} was enrolled, and should not be: {reason}"
            self.asked.remove(done[0])
            self.oracle.enrolled(*done[0])
            for action in ("drive", "carpool"):
                permit = new_permit(done[0][0], action=action)
                self.oracle.list["permits"][f"{action}-{done[0][0]}"] = permit
            self.oracle.changed(max(self.oracle.lists) + 1)
            DECISIONS["desk: badge given"] += 1

    def _is_enrolled(self, user_id: str, badge: str) -> bool:
        user, mine = self.world.portal.allowlist.user(user_id), self.oracle.list["users"].get(user_id)
        if user is None or mine is None or mine["registration"] == "registered":
            return False
        return user.registration is Registration.REGISTERED and any(one.uid == badge for one in user.badges)

    @rule(
        number=users,
        begins_min=st.sampled_from((-600, -30, 5, 10, 200)),
        lasts_h=st.sampled_from((1, 8)),
        site=st.sampled_from(("north", "north", "north", "south")),
        role=st.sampled_from((Role.DRIVER, Role.DRIVER, Role.PASSENGER)),
        private=st.booleans(),
    )
    @step
    def reserve(self, number: int, begins_min: int, lasts_h: int, site: str, role: Role, private: bool) -> None:
        """A user has a pool vehicle for some hours, or a seat in one."""
        self._reserve(number, begins_min, lasts_h, site, role, private)

    def _reserve(self, number: int, begins_min: int, lasts_h: int, site: str, role: Role, private: bool) -> None:
        user = self.pick(number)
        if user is None:
            return
        start = self.now + timedelta(minutes=begins_min)
        end = start + timedelta(hours=lasts_h)
        mine = [one for one in self.oracle.list["reservations"].values() if one["user"] == user["id"]]
        if any(one["start"] < end and start < one["end"] for one in mine):
            return
        contract = f"{'p' if private else 'b'}-{user['id']}"
        trip = Reservation(
            f"r-{len(self.oracle.lists)}", user["id"], f"Z-{user['id']}", site, start, end,
            contract, 1 if role is Role.DRIVER else None, role=role,
        )  # fmt: skip
        self.world.do(self.world.portal.change([ReservationPut(trip)]))
        self.oracle.list["reservations"][trip.id] = {
            "user": trip.user_id, "vehicle": trip.vehicle, "site": site, "start": start, "end": trip.end,
            "contract": contract, "slot": trip.slot, "state": "booked", "role": role.value,
        }  # fmt: skip
        self.changed()

    @rule(badge=st.sampled_from((*BADGES, "04FFFFFF")), number=users)
    @step
    def tap(self, badge: str, number: int) -> None:
        """A badge at the desk: a key, a ride, or a reason."""
        self._tap(badge, number)

    def _tap(self, badge: str, number: int) -> None:
        gate, user = self._at_desk(), self.pick(number)
        badge = sorted(user["badges"])[0] if user is not None and user["badges"] else badge
        wanted = self.oracle.desk(DESK, badge, self.world.site, self.now, self._known(gate))
        freed, online = len(gate.freed), gate.link.connected
        now, verdict = self.now, gate.tap(badge)[0]
        assert isinstance(verdict, DeskGranted | Refused)
        reason = verdict.reason.value if isinstance(verdict, Refused) else None
        DECISIONS[f"desk: {reason or verdict.action}"] += 1  # type: ignore[union-attr]
        assert reason == wanted["reason"], f"{verdict}, and should be {wanted}"
        assert (Note.DEGRADED in verdict.notes) is not online, f"{verdict}, and the portal is there: {online}"
        if isinstance(verdict, DeskGranted):
            fixed = ("user", "action", "reservation", "slot", "contract", "payer", "billed")
            real = (verdict.user_id, verdict.action, verdict.reservation, verdict.slot)
            real = (*real, verdict.contract, verdict.payer, verdict.billed_to)  # type: ignore[assignment]
            assert dict(zip(fixed, real, strict=True)) == {key: wanted[key] for key in fixed}, (
                f"{verdict}: {wanted}"
            )
            self.oracle.scans.append((DESK, now))
        assert gate.freed[freed:] == ([wanted["slot"]] if wanted.get("slot") else []), f"slots {gate.freed[freed:]}"

    # ---- time and messages ----

    @rule(minutes=st.sampled_from((1, 10, 50, 240, 720, 1440, 4000)))
    @step
    def wait(self, minutes: int) -> None:
        self.world.pass_(60.0 * minutes)

    @rule(
        edge=edges, what=st.sampled_from(("cut", "cut", "join", "hold up", "hold down", "let through", "restart"))
    )
    @step
    def network(self, edge: str, what: str) -> None:
        """A road is cut or joined, messages pile up on it or go through again, or an edge is restarted."""
        self._network(edge, what)

    def _network(self, edge: str, what: str) -> None:
        STEPS[f"network: {what}"] += 1
        match what:
            case "cut":
                self.world.courier.cut(edge)
            case "join":
                self._join(edge)
            case "let through":
                self.world.courier.clear(edge)
            case "restart":
                self._restart(edge)
            case _:
                self.world.courier.hold(edge, Way(what.removeprefix("hold ")))
        self.world.loop.quiet()

    def _join(self, edge: str) -> None:
        """The edge has had the time to call, too."""
        self.world.courier.clear(edge)
        self.world.courier.join(edge)
        for _ in range(3):
            self.world.pass_(400.0)

    @rule(edge=edges, way=ways, deals=st.lists(st.sampled_from(Deal), min_size=1, max_size=6))
    @step
    def deal(self, edge: str, way: Way, deals: list[Deal]) -> None:
        """What has piled up is delivered, dropped, doubled, or comes out of turn."""
        for deal in deals:
            self.world.courier.deal(edge, way, deal)
            self.world.loop.quiet()

    def _restart(self, edge: str) -> None:
        """From what is on disk; whoever was at a boom then is in doubt."""
        gate = self.world.gates[edge]
        before = gate.site.allowlist.revision
        gate.stop()
        self.look()
        for hold in [*self.oracle.holds[edge]]:
            self.oracle.released(edge, hold, self.now, doubtful=True)
        gate.start()
        assert gate.site.allowlist.revision >= before, f"{edge} came back with an older list"

    # ---- vehicles ----

    @rule(vehicles=st.lists(vehicles, min_size=1, max_size=4))
    @step
    def traffic(self, vehicles: list[Thing]) -> None:
        """Vehicles of users, one after the other, whatever becomes of the roads between."""
        for vehicle in vehicles:
            before = vehicle.pop("before")
            if before is not None:
                self._network(vehicle["edge"], before)
            user = self.pick(vehicle.pop("number"))
            plates, badges = (sorted(user["plates"]), sorted(user["badges"])) if user else ([], [])
            badge = badges[0] if badges and vehicle.pop("by_badge", False) else None
            nth = vehicle.pop("nth")
            vehicle.pop("by_badge", None)
            inside = [
                edge
                for edge in EDGES
                if user and any(one["user"] == user["id"] for one in self.oracle.inside[edge])
            ]
            if vehicle["way"] == "home":
                vehicle |= {"way": "out", "edge": inside[0]} if inside else {"way": "in"}
            self._drives(plate=plates[nth % len(plates)] if plates else STRANGERS[0], badge=badge, **vehicle)
            self.look()
            self.compare_books()

    @rule(number=users, way=st.sampled_from(("in", "out")), edge=edges, nth=st.integers(0, 1))
    @step
    def drive(self, number: int, way: str, edge: str, nth: int) -> None:
        """A user's vehicle comes and goes through if it may."""
        user = self.pick(number)
        if user is not None and user["plates"]:
            plates = sorted(user["plates"])
            self._drives(edge, way, plates[nth % len(plates)], None, True, "passes")

    @rule(
        edge=edges,
        way=st.sampled_from(("in", "out")),
        plate=st.sampled_from((*PLATES, *STRANGERS)),
        badge=st.sampled_from((None, *BADGES, "04FFFFFF")),
        read=st.booleans(),
        outcome=st.sampled_from(PASSES_IN_TURN),
    )
    @step
    def drive_any(self, edge: str, way: str, plate: str, badge: str | None, read: bool, outcome: str) -> None:
        """Any vehicle with any badge; its plate is read or not."""
        self._drives(edge, way, plate, badge, read, outcome)

    def _drives(self, edge: str, way: str, plate: str, badge: str | None, read: bool, outcome: str) -> None:
        seen = PlateRead(Plate.parse(plate), 1.0, ()) if read else None
        shown: Shown | PlateRead | None = seen
        said: Thing | None = {"kind": "plate", "text": plate} if read else None
        if badge is not None:
            shown = BadgeRead(badge, 4 * len(badge))
            said = {"kind": "badge", "text": badge, "seen": plate if read else ""}
        self._arrives(edge, way, shown, said, seen, outcome)

    @rule(edge=edges, way=st.sampled_from(("in", "out")), passes=st.booleans())
    @step
    def leave_boom(self, edge: str, way: str, passes: bool) -> None:
        """Whoever waits at a boom goes through, or backs out."""
        self._leaves(self.world.gates[edge], way, passes=passes)

    def _arrives(
        self,
        edge: str,
        way: str,
        shown: Shown | PlateRead | None,
        said: Thing | None,
        seen: PlateRead | None,
        outcome: str,
    ) -> None:
        gate = self.world.gates[edge]
        self._leaves(gate, way, passes=True)
        self.world.pass_(APART_S)
        self.look()
        lane, told = gate.entry if way == "in" else gate.exit, self.world.told()
        ask = self.oracle.entry if way == "in" else self.oracle.exit
        now = self.now
        wanted = ask(edge, lane, said, now, self._known(gate))
        facts = gate.arrive(lane, shown, seen)
        verdict = facts[0]
        assert isinstance(verdict, Granted | Refused)
        self._judged(verdict, wanted)
        if isinstance(verdict, Granted):
            self._granted(gate, verdict, wanted, facts[1:], told, now)
        self.look()
        if outcome != "waits":
            self._leaves(gate, way, passes=outcome == "passes")

    def _known(self, gate: Gate) -> Thing:
        confirmed = gate.site.list_confirmed_at
        age = self.now - confirmed if confirmed is not None else timedelta()
        return {"revision": gate.site.allowlist.revision, "age": max(age, timedelta())}

    def _judged(self, verdict: Granted | Refused, wanted: Thing) -> None:
        direction = verdict.direction.value
        if isinstance(verdict, Refused):
            DECISIONS[f"{direction}: {verdict.reason.value}"] += 1
            assert verdict.reason.value == wanted["reason"], f"{verdict}, and should be {wanted}"
            return
        DECISIONS[f"{direction}: granted"] += 1
        assert wanted["reason"] is None, f"{verdict}, and should be refused for {wanted['reason']}"
        fixed = ("user", "external", "plate", "contract", "payer", "billed")
        real = (
            verdict.user_id,
            verdict.external_id,
            verdict.plate,
            verdict.contract,
            verdict.payer,
            verdict.billed_to,
        )
        assert dict(zip(fixed, real, strict=True)) == {key: wanted[key] for key in fixed}, f"{verdict}: {wanted}"
        assert {*verdict.closes} == {*wanted["closes"]}, f"{verdict} closes others than {wanted['closes']}"

    def _granted(
        self, gate: Gate, verdict: Granted, wanted: Thing, more: list[Fact], told: bool, now: datetime
    ) -> None:
        edge, way = gate.name, verdict.direction.value
        taken = self.oracle.elsewhere(edge, verdict.user_id or "", wanted["closes"]) if way == "in" else None
        self.oracle.granted(edge, verdict.hold, way, wanted, now)
        if way == "out":
            return
        match more:
            case [Claimed()]:
                DECISIONS["portal: given"] += 1
                assert not told or taken is None, f"{verdict} is given a place that is taken at {taken}"
                self.oracle.fenced(edge, verdict.hold, None)
            case [Unarbitrated() as alone]:
                DECISIONS["portal: no answer"] += 1
                assert not told, f"{verdict}: nobody answered, and the portal could"
                self.oracle.fenced(edge, verdict.hold, alone.clock_err_ms)
            case [_, Refused() as refused]:
                DECISIONS[f"portal: {refused.reason.value}"] += 1
                assert not told or taken == refused.holder, f"{refused}, and the place is taken at {taken}"
                assert self._was_at(refused.holder, verdict.user_id), f"{refused}, and was never there"
                self.oracle.released(edge, verdict.hold, now, doubtful=False)
                return
            case _:
                raise AssertionError(f"{verdict} led to {more}")
        self.oracle.scans.append((verdict.lane, now))

    def _was_at(self, edge: str, user: str | None) -> bool:
        every = [*self.oracle.stays, *self.oracle.holds[edge].values(), *self.oracle.gone]
        return any(one["edge"] == edge and one["user"] == user for one in every)

    def _leaves(self, gate: Gate, way: str, *, passes: bool) -> None:
        self.look()
        grant = gate.leave(gate.entry if way == "in" else gate.exit, passes=passes)
        if grant is None:
            return
        if passes:
            self.oracle.passed(gate.name, grant.hold, self.now)
        else:
            self.oracle.released(gate.name, grant.hold, self.now, doubtful=False)

    # ---- in the end ----

    def teardown(self) -> None:
        try:
            if not self.diverged:
                self.world.come_right()
                self.look()
                self.compare_books()
                self._lists_agree()
                self._journals_agree()
                self._conflicts_agree()
                self._credits_agree()
        finally:
            self.world.close()

    def _lists_agree(self) -> None:
        wanted = {key: value for key, value in self.oracle.list.items() if key != "removed"}
        lists = {"portal": self.world.portal.allowlist}
        lists |= {name: gate.site.allowlist for name, gate in self.world.gates.items()}
        for name, allowlist in lists.items():
            real = listed(allowlist)
            for kind, entries in wanted.items():
                assert real[kind] == entries, f"{kind} at {name}: {real[kind]}, and should be {entries}"

    def _journals_agree(self) -> None:
        """Every fact of every edge is at the portal, once and as it was."""
        events: list[PortalEvent] = []
        while page := self.world.do(self.world.portal.events(events[-1].number if events else 0)):
            events += page
        for name, gate in self.world.gates.items():
            own = sorted((event for event in events if event.edge == name), key=lambda event: event.seq)
            assert [event.seq for event in own] == [*range(1, len(gate.facts) + 1)], f"rows of {name}"
            differing = [(e, f) for e, f in zip(own, gate.facts, strict=True) if (e.at, e.fact) != f]
            assert not differing, f"{differing[0][0]} at the portal, and {differing[0][1]} at {name}"

    def _conflicts_agree(self) -> None:
        records = self.world.do(self.world.portal.places.conflicts())
        wanted, unsure = self.oracle.conflicts()
        entries = {one.claims[-1].hold for one in records if one.kind is not Kind.EXIT_WITHOUT_ENTRY}
        assert entries - unsure == wanted - unsure, f"conflicts {entries}, and should be {wanted}, but for {unsure}"
        alone = sorted((one.claims[0].id.edge, one.user) for one in records if one.kind is Kind.EXIT_WITHOUT_ENTRY)
        assert alone == sorted(self.oracle.lonely), f"exits alone {alone}, and should be {self.oracle.lonely}"
        DECISIONS["conflicts found"] += len(entries)
        DECISIONS["exits of nobody inside"] += len(alone)

    def _credits_agree(self) -> None:
        """Each granted scan was charged once, to whom it belongs by its time; nothing else was."""
        real = {one.organisation: one.credits for one in self.world.do(self.house.run(Credits(self.house).all))}
        wanted = dict.fromkeys(real, BEGINS_WITH) | {
            who: BEGINS_WITH - used for who, used in self.oracle.credits().items()
        }
        assert real == wanted, f"credits {real}, and should be {wanted}"
        DECISIONS["scans charged"] += len(self.oracle.scans)
