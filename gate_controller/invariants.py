"""What must be true of one entry of a list, or of it and the one it replaces; each check raises `ListRejected`.

Not here: what entries must be to each other, which only their indexes can tell (`changes`).
"""

from gate_controller import contracts
from gate_controller.errors import ListRejected
from gate_controller.users import ListedCredential, Permit, Row, User, user_of


def reject(problem: tuple[str, str] | None) -> None:
    """Raises for a problem, given as reason and words."""
    if problem is not None:
        raise ListRejected(*problem)


def check_user(user: User, row: Row) -> None:
    """Raises for moments without a zone and contracts that cannot be; `row` is the user's."""
    dated: tuple[ListedCredential, ...] = (*user.plates, *user.badges, *user.passes, *user.codes)
    if any(map(_without_zone, dated)):
        raise ListRejected("bad_credential", f"user {user.external_id}: validity needs a time zone")
    # Most users have no account, and whole lists are long.
    if row[-1] is None:
        return
    wrong = contracts.problem(user.contracts, user.default_contract, user.id, user.customer)
    if wrong:
        raise ListRejected("bad_contract", f"user {user.external_id}: {wrong}", user.external_id)
    licence = user.licence
    moments = [user.terms_accepted_at, *((licence.checked_at, licence.valid_until) if licence else ())]
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ListRejected("bad_user", f"user {user.external_id}: its moments need a time zone", user.external_id)


def check_contracts(old: Row, new: Row) -> None:
    """Who pays under a contract was fixed when its first stay began."""
    changed = contracts.changed_contract(user_of(old).contracts, user_of(new).contracts)
    if changed:
        raise ListRejected("immutable_id", f"contract {changed} of user {new[1]} became another one", new[1])


def code_keys(user: User) -> dict[str, None]:
    """What a user's passes and codes are known by."""
    return dict.fromkeys(credential.text for credential in user.secrets)


def _without_zone(dated: Permit | ListedCredential) -> bool:
    """Whether a moment would be compared with one that has a time zone, and fail."""
    start, end = dated.valid_from, dated.valid_to
    return (start is not None and start.tzinfo is None) or (end is not None and end.tzinfo is None)


def same_person(user: User, other: User) -> bool:
    """Whether two entries with one external id share a credential: then it is the id that was changed."""
    plates = {credential.plate.key for credential in user.plates}
    badges = {badge.uid for badge in user.badges}
    return (
        any(credential.plate.key in plates for credential in other.plates)
        or any(badge.uid in badges for badge in other.badges)
        or not code_keys(user).keys().isdisjoint(code_keys(other))
    )


def given_before(user_id: str, external_id: str) -> ListRejected:
    """The error for an id that was somebody else's."""
    text = f"user id {user_id} belonged to another user and is not given again"
    return ListRejected("immutable_id", text, external_id)


def check_permit(permit: Permit) -> None:
    """Raises for a permit of nobody or of two, without a zone, or with a quota that means nothing."""
    if (permit.user_id is None) == (permit.group_id is None):
        raise ListRejected("bad_permit", f"permit {permit.id}: name a user or a group, exactly one of them")
    if _without_zone(permit):
        raise ListRejected("bad_permit", f"permit {permit.id}: its validity needs a time zone")
    if permit.quota is not None and (permit.quota < 1 or permit.group_id is None):
        raise ListRejected("bad_permit", f"permit {permit.id}: a quota is of a group, and 1 or more")
