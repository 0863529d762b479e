"""Log-likelihoods of texts in windows, against one plain forward pass each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from evalharness_hf.model import HuggingFace
from evalharness_hf.plain import token_logprobs
from evalharness_hf.rolling import windows

from tests.plugins.hf.test_likelihood import plain_logprobs, small


def test_windows_are_those_of_the_rolling_scheme() -> None:
    reader = SimpleNamespace(context=10, prefixed=lambda ids: [-100, *ids])
    found = [(row.ids[:-1], row.ids[row.start :]) for row in windows(list(range(34)), reader)]
    assert found == [
        ([-100, *range(9)], list(range(10))),
        (list(range(9, 19)), list(range(10, 20))),
        (list(range(19, 29)), list(range(20, 30))),
        (list(range(23, 33)), list(range(30, 34))),
    ]


@pytest.mark.parametrize("length", range(1, 25))
@pytest.mark.parametrize("context", [1, 4, 7])
def test_every_token_is_scored_once_within_the_context(length: int, context: int) -> None:
    reader = SimpleNamespace(context=context, prefixed=lambda ids: [-1, *ids])
    rows = windows(list(range(length)), reader)
    assert [token for row in rows for token in row.ids[row.start :]] == list(range(length))
    assert all(row.start >= 1 and len(row.ids) - 1 <= context for row in rows)


def test_a_text_longer_than_the_context_is_scored_in_windows(causal_model: HuggingFace) -> None:
    ids = small().encode("One two three four five six seven eight nine ten eleven twelve.")
    reader = SimpleNamespace(context=6, prefixed=small().prefixed)
    rows = windows(ids, reader)
    found = [value for row in token_logprobs(causal_model._local().network(), rows, 8192) for value in row]
    expected = [value for row in rows for value in plain_logprobs(causal_model, row.ids)[row.start - 1 :]]
    assert found == pytest.approx(expected, abs=1e-4)
    assert len(found) == len(ids)
    assert found[:6] == pytest.approx(plain_logprobs(causal_model, [1, *ids])[:6], abs=1e-4)
