"""The state digest."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.bundle.state import state_digest

entries = st.dictionaries(
    st.tuples(st.integers(1, 3), st.text(min_size=1, max_size=5)), st.binary(min_size=32, max_size=32), max_size=6
).map(lambda found: [(kind, key, sha256) for (kind, key), sha256 in sorted(found.items())])


def test_the_digest_is_what_the_page_on_formats_says():
    state = [(1, "ä", b"\x01" * 32), (2, "ä\x1f0", b"\x02" * 32)]
    said = b"\x01\x00\x00\x00\x02\xc3\xa4" + b"\x01" * 32 + b"\x02\x00\x00\x00\x04\xc3\xa4\x1f0" + b"\x02" * 32
    assert state_digest(state) == hashlib.sha256(said).digest()


def test_the_digest_of_nothing_is_that_of_no_bytes():
    assert state_digest([]) == hashlib.sha256().digest()


@given(entries, entries)
def test_two_states_have_one_digest_only_when_they_are_one(a, b):
    assert (state_digest(a) == state_digest(b)) == (a == b)


@pytest.mark.parametrize(
    "state",
    [
        [(1, "b", bytes(32)), (1, "a", bytes(32))],
        [(1, "a", bytes(32)), (1, "a", bytes(32))],
        [(2, "a", bytes(32)), (1, "b", bytes(32))],
    ],
)
def test_entries_out_of_order_are_a_mistake_of_the_caller(state):
    with pytest.raises(ValueError, match="ascend"):
        state_digest(state)
