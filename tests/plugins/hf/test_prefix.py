"""Kept prefixes: the same bytes found or run, and the same numbers as rows that run whole."""

from __future__ import annotations

from typing import Any

import pytest
from evalharness_hf import prefix, support
from evalharness_hf.model import HuggingFace

BLOCK = prefix.BLOCK


def continued(model: Any, ids: list[int], kept: prefix.Prefix) -> Any:
    import torch

    with torch.inference_mode():
        rest = torch.tensor([ids[kept.length :]] * kept.cache.layers[0].keys.shape[0])
        return model(input_ids=rest, past_key_values=kept.cache).logits[:, -1]


def test_a_prefix_is_run_once_and_continues_as_if_the_row_ran_whole(absolute_model: HuggingFace) -> None:
    import torch

    model, ids = absolute_model._local().network(), [(7919 * place) % 49152 for place in range(BLOCK + 9)]
    assert support.reuses(model, 100)
    prefix.forget(model)
    first = prefix.of(model, ids)
    assert (first.length, first.run) == (BLOCK, BLOCK)
    again = prefix.of(model, ids, rows=3)
    assert (again.length, again.run) == (BLOCK, 0)
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([ids])).logits[:, -1]
    assert torch.equal(found := continued(model, ids, first), continued(model, ids, prefix.of(model, ids)))
    assert continued(model, ids, again) == pytest.approx(whole.expand(3, -1), abs=1e-4)
    assert found == pytest.approx(whole, abs=1e-4)


def test_a_block_is_the_same_bytes_whatever_was_run_before(absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(prefix, "BLOCK", 16)
    model, ids = absolute_model._local().network(), [(104729 * place) % 49152 for place in range(100)]
    prefix.forget(model)
    at_once = prefix.of(model, ids)
    prefix.forget(model)
    counts = [prefix.of(model, ids[:length]).run for length in (20, 16, 47, 96)]
    by_parts = prefix.of(model, ids)
    assert counts == [16, 0, 16, 64]
    assert (at_once.length, by_parts.length, at_once.run, by_parts.run) == (96, 96, 96, 0)
    for one, other in zip(at_once.cache.layers, by_parts.cache.layers, strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.values, other.values)


def test_less_than_a_block_is_left_to_its_row(absolute_model: HuggingFace) -> None:
    model = absolute_model._local().network()
    short = prefix.of(model, list(range(BLOCK - 1)), rows=2)
    assert (short.length, short.run, short.cache.get_seq_length()) == (0, 0, 0)


def test_a_small_machine_keeps_less(absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    model, ids = absolute_model._local().network(), [(6151 * place) % 49152 for place in range(2 * BLOCK)]
    prefix.forget(model)
    whole = prefix.of(model, ids)
    prefix.forget(model)
    block = 2 * 2 * BLOCK * 32 * 4  # bytes: keys and values of two layers of 32 numbers
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 8 * block}.__getitem__)
    assert prefix.most(torch.device("cpu")) == block
    for _ in range(2):
        again = prefix.of(model, ids)
        assert again.run == 2 * BLOCK
        assert all(torch.equal(one.keys, other.keys) for one, other in zip(again.cache.layers, whole.cache.layers, strict=True))
    prefix.forget(model)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2**40}.__getitem__)
    assert prefix.most(torch.device("cpu")) == 2**30
