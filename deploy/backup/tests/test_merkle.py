"""Merkle roots agree with RFC 6962 and see every change."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from deploy.backup.merkle import Tally


def tree(leaves):
    """The definition of RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\1" + tree(leaves[:half]) + tree(leaves[half:])).digest()


def tally(leaves):
    found = Tally()
    for leaf in leaves:
        found.add(leaf)
    return found


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_root_is_that_of_the_standard(leaves):
    found = tally(leaves)
    assert found.root == tree(leaves).hex()
    assert (found.count, found.size) == (len(leaves), sum(map(len, leaves)))


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=20), st.integers(0), st.binary(max_size=4))
def test_a_change_changes_the_root(leaves, at, other):
    changed = [*leaves]
    changed[at % len(leaves)] = other
    assert (tally(changed).root == tally(leaves).root) == (changed == leaves)
