"""The root of a list: the same for the same entries however they came, another for any other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.roots import BUCKETS, SHORT_LEN, Buckets, bucket_of

names = st.text(alphabet="abc", min_size=1, max_size=3)
entries = st.dictionaries(names, st.text(max_size=5), max_size=8)


def root_of(listed: dict[str, str]) -> str:
    buckets = Buckets()
    for key, body in listed.items():
        buckets.add("user", key, body)
    return buckets.root


@given(entries, entries)
def test_the_way_to_a_list_leaves_no_trace(before: dict[str, str], after: dict[str, str]) -> None:
    buckets = Buckets()
    for key, body in before.items():
        buckets.add("user", key, body)
    buckets = Buckets(buckets.blob)
    for key, body in reversed(before.items()):
        buckets.take("user", key, body)
    for key, body in reversed(after.items()):
        buckets.add("user", key, body)
    assert buckets.root == root_of(after)


@given(entries, entries)
def test_different_lists_have_different_roots(one: dict[str, str], other: dict[str, str]) -> None:
    assert (root_of(one) == root_of(other)) is (one == other)


def test_kind_and_key_and_body_all_count() -> None:
    roots = set()
    for kind, key, body in (("user", "a", "x"), ("permit", "a", "x"), ("user", "b", "x"), ("user", "a", "y")):
        buckets = Buckets()
        buckets.add(kind, key, body)
        roots.add(buckets.root)
    assert len(roots) == 4


def test_what_is_no_buckets_is_refused() -> None:
    with pytest.raises(ValueError, match="sums"):
        Buckets(b"x")


@given(entries, entries)
def test_two_lists_joined_are_one(one: dict[str, str], other: dict[str, str]) -> None:
    buckets, others = Buckets(), Buckets()
    for sums, kind, listed in ((buckets, "user", one), (others, "permit", other)):
        sums.add_rows([(kind, key, None, body) for key, body in listed.items()], map(str.encode, listed.values()))
    buckets.join(others)
    assert (buckets.root == root_of(one)) is (not other)
    for key, body in other.items():
        buckets.take("permit", key, body)
    assert buckets.root == root_of(one)


@given(entries, entries)
def test_short_sums_tell_which_buckets_differ(here: dict[str, str], there: dict[str, str]) -> None:
    mine, theirs = Buckets(), Buckets()
    for sums, listed in ((mine, here), (theirs, there)):
        for key, body in listed.items():
            sums.add("user", key, body)
    odd = {bucket_of("user", key.encode()) for key, _ in set(here.items()) ^ set(there.items())}
    assert mine.differing(theirs.short) == theirs.differing(mine.short) == odd
    assert len(mine.short) == SHORT_LEN


def test_rows_read_from_a_disk_sum_up_to_the_same() -> None:
    written, read = Buckets(), Buckets()
    written.add("user", "ä", "{}")
    written.add("user", "b", "ü")
    read.add_read("user", [("ä".encode(), b"{}"), (b"b", "ü".encode())])
    assert read.root == written.root
    read.add_read("user", [(b"\xff", b"\xfe")])
    assert read.root != written.root
    assert 0 <= bucket_of("user", b"\xff") < BUCKETS
