"""When an old digest may stand for a file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roar_core.hashing.cache import COARSE_SETTLE_NS, SETTLE_NS, is_settled, key_of
from roar_core.model.fingerprint import Fingerprint

SECOND_NS = 10**9
times = st.integers(0, 4 * 10**18)


def version(mtime_ns: int, ctime_ns: int) -> Fingerprint:
    return Fingerprint(1, 2, 3, mtime_ns, ctime_ns, 0o100644, 1)


@given(mtime_ns=times, ctime_ns=times)
def test_two_jiffies_must_have_passed_since_the_later_of_both_times(
    mtime_ns: int, ctime_ns: int
) -> None:
    ctime_ns += 1 if ctime_ns % SECOND_NS == 0 else 0
    last = max(mtime_ns, ctime_ns)
    assert not is_settled(version(mtime_ns, ctime_ns), last + SETTLE_NS)
    assert is_settled(version(mtime_ns, ctime_ns), last + SETTLE_NS + 1)


def test_a_file_system_of_whole_seconds_needs_longer() -> None:
    coarse = version(5 * SECOND_NS, 5 * SECOND_NS)
    assert not is_settled(coarse, 6 * SECOND_NS)
    assert is_settled(coarse, 5 * SECOND_NS + COARSE_SETTLE_NS + 1)


def test_a_file_from_the_future_is_never_settled() -> None:
    assert not is_settled(version(9 * SECOND_NS, 1), 5 * SECOND_NS)


def test_links_and_permissions_are_no_part_of_a_version() -> None:
    one = version(1, 2)
    assert key_of(one) == key_of(one._replace(nlink=7, mode=0o100600)) == (1, 2, 3, 1, 2)
