"""Hashes of keys."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness import canonical
from evalharness.scoring import group_hashes, hash_keys

keys = st.one_of(st.text(st.characters(codec=None)), st.integers(), st.lists(st.text(), max_size=2), st.booleans())


@given(st.lists(keys, max_size=20))
def test_a_hash_is_blake2b_of_the_canonical_json(values):
    expected = [
        int.from_bytes(blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        for value in values
    ]
    assert hash_keys(values).tolist() == expected


def test_text_and_number_differ():
    assert len(set(hash_keys(["1", 1, [1]]).tolist())) == 3


def test_a_sample_without_a_group_is_its_own():
    ids = hash_keys(["a", "b", "c"])
    hashes = group_hashes(["topic", None, "topic"], ids)
    assert hashes[0] == hashes[2] == hash_keys(["topic"])[0]
    assert hashes[1] == ids[1]
    assert np.array_equal(group_hashes([None] * 3, ids), ids)
