"""Lookup: exact first, then look-alikes the reader itself holds possible, and only one user may qualify."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.allowlist import ALTERNATIVE_MIN, OVERLAY_LEN_MAX, Allowlist, MatchKind, UserPut
from gate_controller.changes import PermitPut, UserRemoved
from gate_controller.credentials import (
    Badge,
    BadgeRead,
    CodeRead,
    CredentialState,
    GuestCode,
    PlateCredential,
    QrPass,
)
from gate_controller.desk import Licence, LicenceStatus
from gate_controller.look_alikes import GROUP_OF, fold
from gate_controller.plates import Plate, PlateRead
from gate_controller.users import Action, Permit, User

PASS, CODE = "Q1.visitor.7f3a9c01d2", "K7M2-PX94"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÄÖÜ"


def user(name: str, *plates: str, badges: tuple[str, ...] = (), **more: object) -> User:
    return User(
        f"id-{name}",
        name,
        plates=tuple(PlateCredential(Plate.parse(plate)) for plate in plates),
        badges=tuple(map(Badge.parse, badges)),
        **more,  # type: ignore[arg-type]
    )


def listed(*people: User, reader_bits: tuple[int, ...] = ()) -> Allowlist:
    return Allowlist.empty("e", reader_bits).apply(map(UserPut, people), 1)


def read(text: str, doubts: dict[int, tuple[str, float]] | None = None) -> PlateRead:
    """A read that is sure of every character except those named: position -> (other character, its probability)."""
    plate = Plate.parse(text)
    options = []
    for at, char in enumerate(plate.key):
        other = (doubts or {}).get(at)
        options.append(((char, 1 - other[1]), other) if other else ((char, 0.999),))
    return PlateRead(plate, 0.9, tuple(options))


def found(allowlist: Allowlist, seen: PlateRead | Plate) -> tuple[MatchKind, str | None]:
    match = allowlist.find_plate(seen)
    return match.kind, match.user.external_id if match.user else None


def test_an_exact_plate_is_found_as_listed() -> None:
    allowlist = listed(user("ann", "B-NO 1234"))
    match = allowlist.find_plate(read("BNO1234"))
    assert match.kind is MatchKind.EXACT
    assert match.user == user("ann", "B-NO 1234")
    assert match.plate == Plate("BNO1234", ("B", "NO", "1234"))
    assert match.credential == PlateCredential(Plate("BNO1234", ("B", "NO", "1234")))
    assert allowlist.exact("BNO1234") is not None
    assert allowlist.exact("BNO1235") is None


def test_groups_part_two_users_and_a_read_without_groups_is_ambiguous() -> None:
    allowlist = listed(user("berlin", "B NO 1234"), user("bonn", "BN O 1234"))
    assert found(allowlist, read("B NO 1234")) == (MatchKind.EXACT, "berlin")
    assert found(allowlist, read("BN O 1234")) == (MatchKind.EXACT, "bonn")
    match = allowlist.find_plate(read("BNO1234"))
    assert match.kind is MatchKind.AMBIGUOUS
    assert {person.external_id for person in match.candidates} == {"berlin", "bonn"}
    assert found(listed(user("berlin", "B NO 1234")), read("BN O 1234")) == (MatchKind.NONE, None)
    assert found(listed(user("berlin", "B NO 1234")), read("BNO1234")) == (MatchKind.EXACT, "berlin")


def test_a_look_alike_needs_the_readers_own_doubt() -> None:
    allowlist = listed(user("ann", "K-AB 128"))
    assert found(allowlist, read("KAB12B", {5: ("8", 0.2)})) == (MatchKind.LOOK_ALIKE, "ann")
    assert found(allowlist, read("KAB12B")) == (MatchKind.NONE, None)
    assert found(allowlist, read("KAB12B", {5: ("8", ALTERNATIVE_MIN / 2)})) == (MatchKind.NONE, None)
    assert found(allowlist, read("KAB12B", {4: ("8", 0.2)})) == (MatchKind.NONE, None)


def test_many_slight_doubts_are_together_too_slight() -> None:
    allowlist = listed(user("ann", "OO-OO 11"))
    slight = {at: (char, 0.01) for at, char in enumerate("OOOO11")}
    assert found(allowlist, read("0000II", slight)) == (MatchKind.NONE, None)
    even = {at: (char, 0.45) for at, char in enumerate("OOOO11")}
    assert found(allowlist, read("0000II", even)) == (MatchKind.LOOK_ALIKE, "ann")


def test_a_text_without_probabilities_has_no_say() -> None:
    allowlist = listed(user("ann", "K-AB 128"))
    assert found(allowlist, Plate.parse("KAB12B")) == (MatchKind.LOOK_ALIKE, "ann")
    assert found(allowlist, PlateRead(Plate.parse("KAB12B"), 0.9, ())) == (MatchKind.LOOK_ALIKE, "ann")


def test_two_users_behind_a_look_alike_are_ambiguous() -> None:
    allowlist = listed(user("ann", "K-OO 12"), user("bob", "K-QO 12"))
    torn = PlateRead(
        Plate("K0O12"), 0.5, ((("K", 1.0),), (("0", 0.4), ("O", 0.3), ("Q", 0.3)), *[(("O", 1.0),)] * 3)
    )
    assert allowlist.find_plate(torn).kind is MatchKind.AMBIGUOUS
    surer = replace(torn, alternatives=((("K", 1.0),), (("0", 0.6), ("O", 0.4)), *[(("O", 1.0),)] * 3))
    assert found(allowlist, surer) == (MatchKind.LOOK_ALIKE, "ann")


def test_two_plates_of_one_user_are_not_ambiguous() -> None:
    allowlist = listed(user("ann", "K-OO 12", "K-QO 12"))
    assert found(allowlist, Plate("K0O12")) == (MatchKind.LOOK_ALIKE, "ann")


def test_exact_goes_before_look_alike() -> None:
    allowlist = listed(user("ann", "K-AB 128"), user("bob", "KAB12B"))
    assert found(allowlist, read("KAB12B", {5: ("8", 0.45)})) == (MatchKind.EXACT, "bob")


def test_a_withdrawn_plate_is_told_exactly_and_never_by_look_alike() -> None:
    gone = replace(user("ann"), plates=(PlateCredential(Plate.parse("K-AB 128"), CredentialState.REVOKED),))
    allowlist = listed(gone)
    match = allowlist.find_plate(read("KAB128"))
    assert match.credential is not None
    assert match.credential.state is CredentialState.REVOKED
    assert found(allowlist, Plate("KAB12B")) == (MatchKind.NONE, None)
    assert found(listed(gone, user("bob", "K-AB 128")), read("KAB128")) == (MatchKind.EXACT, "bob")


def test_a_person_goes_before_a_pool_that_shares_the_vehicle() -> None:
    allowlist = listed(user("ann", "K-AB 128"), user("pool", "K-AB 128", pool_size=4))
    assert found(allowlist, read("KAB128")) == (MatchKind.EXACT, "ann")


KEYS = st.text(ALPHABET, min_size=2, max_size=9)


@given(st.lists(KEYS, min_size=1, max_size=30, unique=True), st.data())
def test_nothing_but_exact_and_look_alikes_is_ever_found(keys: list[str], data: st.DataObject) -> None:
    allowlist = listed(*(User(f"u{key}", key, plates=(PlateCredential(Plate(key)),)) for key in keys))
    key = data.draw(st.sampled_from(keys))
    at = data.draw(st.integers(0, len(key)))
    char = data.draw(st.sampled_from(ALPHABET))
    kind = data.draw(st.sampled_from(["insertion", "deletion", "substitution"]))
    seen = (
        key[:at]
        + {"insertion": char, "deletion": "", "substitution": char}[kind]
        + key[at + (kind != "insertion") :]
    )
    if not seen:
        return
    match = allowlist.find_plate(Plate(seen))
    if match.plate is not None:
        assert fold(match.plate.key) == fold(seen)
    assert (match.kind is MatchKind.NONE) == all(fold(other) != fold(seen) for other in keys)
    assert (match.kind is MatchKind.EXACT) == (seen in keys)


@given(KEYS, st.data())
def test_an_even_doubt_rescues_any_one_look_alike(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.sampled_from(GROUP_OF.get(key[at], key[at])))
    allowlist = listed(User("u", "u", plates=(PlateCredential(Plate(key)),)))
    options: list[tuple[tuple[str, float], ...]] = [((char, 0.99),) for char in key]
    options[at] = ((other, 0.55), (key[at], 0.45))
    seen = PlateRead(Plate(key[:at] + other + key[at + 1 :]), 0.5, tuple(options))
    assert found(allowlist, seen)[1] == "u"


def test_a_badge_is_its_whole_number() -> None:
    allowlist = listed(user("ann", badges=("04A22F1B",)), user("bob", badges=("0004A22F1B",)))
    assert allowlist.find_badge(BadgeRead("04A22F1B", 32)).user == allowlist.user("id-ann")
    assert allowlist.find_badge(BadgeRead("0004A22F1B", 40)).user == allowlist.user("id-bob")
    for part in (BadgeRead("A22F1B", 24), BadgeRead("2F1B", 16), BadgeRead("1104A22F1B", 40)):
        assert allowlist.find_badge(part).kind is MatchKind.NONE


def test_only_a_declared_width_is_compared_by_its_low_bits() -> None:
    allowlist = listed(user("ann", badges=("04A22F1B",)), reader_bits=(24,))
    match = allowlist.find_badge(BadgeRead("A22F1B", 24))
    assert match.kind is MatchKind.BADGE
    assert match.credential == Badge("04A22F1B", 32)
    assert allowlist.find_badge(BadgeRead("2F1B", 16)).kind is MatchKind.NONE
    assert allowlist.find_badge(BadgeRead("A22F1C", 24)).kind is MatchKind.NONE


def test_a_badge_of_two_customers_is_ambiguous() -> None:
    allowlist = listed(user("ann", badges=("04A22F1B",)), user("bob", badges=("04A22F1B",), customer="another"))
    assert allowlist.find_badge(BadgeRead("04A22F1B", 32)).kind is MatchKind.AMBIGUOUS


def test_a_withdrawn_badge_is_told() -> None:
    gone = replace(user("ann"), badges=(Badge("04A22F1B", 32, CredentialState.SUSPENDED),))
    match = listed(gone).find_badge(BadgeRead("04A22F1B", 32))
    assert match.credential is not None
    assert match.credential.state is CredentialState.SUSPENDED


def test_permits_are_the_users_own_and_its_groups_for_the_action_asked() -> None:
    person = user("ann", groups=("staff",))
    allowlist = listed(person, user("bob")).apply(
        [
            PermitPut(Permit("own", Action.PARK, "id-ann")),
            PermitPut(Permit("group", Action.PARK, None, "staff")),
            PermitPut(Permit("drive", Action.DRIVE, "id-ann")),
            PermitPut(Permit("other", Action.PARK, "id-bob")),
        ],
        2,
    )
    assert {permit.id for permit in allowlist.permits_of(person)} == {"own", "group"}
    assert {permit.id for permit in allowlist.permits_of(person, Action.DRIVE)} == {"drive"}


def test_subscribers_are_those_who_have_to_do_with_desks_or_contracts() -> None:
    ann = user("ann", licence=Licence(LicenceStatus.PENDING))
    assert [*listed(ann, user("bob", "AB12CD")).subscribers()] == [ann]


def test_colliding_pairs_name_both_sides() -> None:
    allowlist = listed(
        user("ann", "K-AB 128"), user("bob", "KAB12B"), user("cid", "K-XY 1"), user("dan", "KA B 129")
    )
    pairs = [{(pair.plate.key, pair.user.external_id), (pair.other_plate.key, pair.other_user.external_id)}
             for pair in allowlist.colliding_pairs()]  # fmt: skip
    assert pairs == [{("KAB128", "ann"), ("KAB12B", "bob")}]
    assert list(listed(user("ann", "K-AB 128", "KAB12B")).colliding_pairs()) == []


def test_a_snapshot_that_is_read_never_changes() -> None:
    before = listed(user("ann", "K-AB 128"))
    after = before.apply([UserPut(user("ann", "K-AB 129"))], 2)
    assert found(before, read("KAB128")) == (MatchKind.EXACT, "ann")
    assert found(after, read("KAB128")) == (MatchKind.NONE, None)
    assert found(after, read("KAB129")) == (MatchKind.EXACT, "ann")
    assert after.compacted().exact("KAB128") is None
    assert list(before.look_alikes(Plate("KAB12B"))) == ["KAB128"]
    assert list(after.look_alikes(Plate("KAB12B"))) == []
    with pytest.raises(AttributeError):
        before.revision = 9  # type: ignore[misc]


def test_a_list_asks_to_be_compacted_when_its_overlay_has_grown() -> None:
    allowlist = listed(user("ann", "K-AB 128"))
    assert not allowlist.wants_compaction
    many = [
        UserPut(User(f"u{n}", f"e{n}", plates=(PlateCredential(Plate(f"KX{n}")),))) for n in range(OVERLAY_LEN_MAX)
    ]
    grown = allowlist.apply(many, 2)
    assert grown.wants_compaction
    assert not grown.compacted().wants_compaction


def guest(name: str, **more: object) -> User:
    return user(name, passes=(QrPass.of(PASS),), codes=(GuestCode.parse(CODE),), **more)


def test_a_pass_or_code_is_found_as_it_is_and_in_no_other_way() -> None:
    allowlist = listed(guest("gina"), user("bob", "B-NO 1234"))
    scanned, typed = allowlist.find_code(CodeRead.of(PASS)), allowlist.find_code(CodeRead.of("k7m2 px94"))
    assert (scanned.kind, scanned.user) == (MatchKind.QR_PASS, allowlist.user("id-gina"))
    assert (typed.kind, typed.user) == (MatchKind.GUEST_CODE, allowlist.user("id-gina"))
    assert scanned.credential == QrPass.of(PASS)
    assert typed.credential == GuestCode.parse(CODE)
    for near in (PASS.lower(), PASS[:-1], "K7M2-PX95", "K7M2-PX9", "K7M2PX944", "B-NO 1234", ""):
        assert allowlist.find_code(CodeRead.of(near)).kind is MatchKind.NONE


def test_what_is_shown_finds_by_its_own_kind() -> None:
    allowlist = listed(guest("gina"), user("ann", "B-NO 1234", badges=("04A22F1B",)))
    seen = [read("B-NO 1234"), BadgeRead("04A22F1B", 32), CodeRead.of(PASS), CodeRead.of(CODE)]
    assert [allowlist.find(one).kind for one in seen] == [
        MatchKind.EXACT,
        MatchKind.BADGE,
        MatchKind.QR_PASS,
        MatchKind.GUEST_CODE,
    ]


def test_a_code_works_through_a_delta_an_overlay_a_whole_list_and_compaction() -> None:
    allowlist = listed(user("bob", "B-NO 1234")).apply([UserPut(guest("gina"))], 2)
    for one in (allowlist, allowlist.compacted(), allowlist.replaced("f", [UserPut(guest("gina"))], 1)):
        assert one.find_code(CodeRead.of(CODE)).kind is MatchKind.GUEST_CODE
    without = allowlist.apply([UserPut(replace(guest("gina"), codes=()))], 3)
    assert without.find_code(CodeRead.of(CODE)).kind is MatchKind.NONE
    assert without.find_code(CodeRead.of(PASS)).kind is MatchKind.QR_PASS
    gone = allowlist.apply([UserRemoved("id-gina")], 3)
    assert gone.find_code(CodeRead.of(PASS)).kind is MatchKind.NONE
    assert gone.apply([UserPut(user("ann", codes=(GuestCode.parse(CODE),)))], 4).find_code(
        CodeRead.of(CODE)
    ).user == user("ann", codes=(GuestCode.parse(CODE),))


def test_a_withdrawn_code_is_told_and_an_active_one_counts_before_it() -> None:
    revoked = GuestCode(GuestCode.parse(CODE).digest, CredentialState.REVOKED)
    one = listed(user("old", codes=(revoked,)))
    match = one.find_code(CodeRead.of(CODE))
    assert match.credential == revoked
    both = one.apply([UserPut(guest("gina"))], 2).find_code(CodeRead.of(CODE))
    assert both.user == guest("gina")
