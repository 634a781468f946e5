"""Plain users and permits put many at a time make the very list, or the very refusal, that they make one by one."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from gate_controller.allowlist import Action, Allowlist, Permit, PermitPut, User, UserPut, WholeList
from gate_controller.changes import TablesDraft
from gate_controller.credentials import PlateCredential
from gate_controller.errors import ListRejected
from gate_controller.layers import rows_under
from gate_controller.plain_rows import put_permits, put_users
from gate_controller.plates import Plate

KEYS = st.sampled_from(["AB1", "ABI", "A81", "HH12", "b", "AB 1"])
"""Some look alike; the last two are none."""
USERS = st.lists(
    st.builds(
        lambda key, called, customer, plates, pool: User(
            key, called, customer, plates=tuple(PlateCredential(Plate(one)) for one in plates), pool_size=pool
        ),
        st.text("abcdef", min_size=1, max_size=2),
        st.text("abcdef", min_size=1, max_size=2),
        st.sampled_from(["", "acme"]),
        st.lists(KEYS, max_size=2),
        st.sampled_from([1, 3]),
    ),
    max_size=6,
)
HOLDERS = st.sampled_from([("a", None), ("b", None), (None, "g"), (None, None), ("a", "g")])
PERMITS = st.lists(
    st.builds(
        lambda key, holder: Permit(key, Action.PARK, *holder, device="gate"),
        st.sampled_from("pqrstuvw"),
        HOLDERS,
    ),
    max_size=4,
)
SLICES = st.lists(st.tuples(USERS, PERMITS), max_size=3)
GONE = Allowlist.empty("e").remembering([User("a", "gone")])


def tables_of(made: Allowlist) -> dict[str, dict[object, frozenset[object]]]:
    tables = made.tables
    return {
        field.name: {key: frozenset(rows_under(held)) for key, held in getattr(tables, field.name).items()}
        for field in fields(tables)
    }


def outcome(slices: list[tuple[list[User], list[Permit]]], *, many: bool) -> object:
    whole = WholeList((24,))
    whole.draft = TablesDraft(GONE.tables, (24,))
    try:
        for users, permits in slices:
            if many:
                whole.add_plain(users, permits)
            else:
                whole.add(map(UserPut, users))
                whole.add(map(PermitPut, permits))
        return tables_of(Allowlist.empty("e").replaced_by(whole, "e", 1))
    except ListRejected as error:
        return error.reason, str(error)


@given(SLICES)
def test_many_at_a_time_are_the_same_as_one_by_one(slices: list[tuple[list[User], list[Permit]]]) -> None:
    assert outcome(slices, many=True) == outcome(slices, many=False)


def draft() -> TablesDraft:
    return TablesDraft(Allowlist.empty("e").tables, ())


def put(into: TablesDraft, *users: User) -> bool:
    return put_users(users, into.users, into.by_external, into.plates, into.skeletons, into.removed)


def user(name: str, *keys: str) -> User:
    return User(f"id-{name}", name, plates=tuple(PlateCredential(Plate(key)) for key in keys))


def test_who_meets_nobody_is_put_at_once() -> None:
    into = draft()
    assert put(into, user("ann", "AB1", "AB2"), user("bob", "ABI"), user("cid"))
    assert put(into)
    assert put(into, user("dan", "HH1"))
    assert [*into.tables().users.base] == ["id-ann", "id-bob", "id-cid", "id-dan"]


def test_who_meets_anybody_is_not_put_at_all() -> None:
    into = draft()
    assert put(into, user("ann", "AB1"))
    into.removed.put("id-gone", "gone")
    twice = user("two", "CD2", "CD2")
    for wrong in (user("ann"), user("new", "AB1"), User("id-new", "ann"), user("gone"), user("odd", "a"), twice):
        assert not put(into, user("fine", "HH1"), wrong)
    assert not put(into, user("same", "HH1"), user("same", "HH2"))
    assert [*into.users.over] == ["id-ann"]
    assert [*into.plates.over] == ["AB1"]


def test_a_permit_that_is_there_or_of_nobody_is_not_put() -> None:
    into = draft()
    tables = into.permits, into.permits_by_user, into.permits_by_group
    park = Permit("p1", Action.PARK, user_id="u1")
    assert put_permits([park, Permit("p2", Action.PARK, group_id="g")], *tables)
    for wrong in (park, Permit("p3", Action.PARK), Permit("p3", Action.PARK, "u1", "g")):
        assert not put_permits([Permit("p9", Action.PARK, user_id="u9"), wrong], *tables)
    assert [*into.permits.over] == ["p1", "p2"]
    assert [*into.permits_by_group.over] == ["g"]
