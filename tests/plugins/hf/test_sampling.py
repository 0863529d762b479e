"""Draws: in proportion to the probability, cut to the nucleus, the same whether few or all tokens are looked at."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from evalharness_hf.continuation import Continuation
from evalharness_hf.sampling import drawn, next_tokens
from evalharness_hf.tokens import tokens

import evalharness as eh


def asked(temperature: float, top_p: float = 1.0) -> eh.Generate:
    return eh.Generate(prompt="x", temperature=temperature, top_p=top_p)


def counts(logits: object, request: eh.Generate, times: int) -> Counter[int]:
    uniforms = [(step + 0.5) / times for step in range(times)]
    return Counter(drawn(logits.expand(times, -1), [request] * times, uniforms))


def test_tokens_are_drawn_in_proportion_to_their_probability() -> None:
    import torch

    logits = torch.tensor([0.0, 2.0, 1.0, -math.inf])
    found = counts(logits, asked(0.5), 2_000)
    expected = torch.softmax(logits.double() / 0.5, 0)
    assert [found[token] / 2_000 for token in range(4)] == pytest.approx(expected.tolist(), abs=1e-3)
    cut = counts(logits, asked(0.5, top_p=0.9), 1_000)
    kept = expected[1:3] / expected[1:3].sum()
    assert [cut[token] / 1_000 for token in range(4)] == pytest.approx([0, *kept.tolist(), 0], abs=2e-3)
    assert drawn(logits[None], [asked(0.5)], [0.0]) == [1]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("top_p", [1e-6, 0.2, 0.9, 0.999, 1.0])
def test_a_draw_is_the_place_in_the_sorted_distribution(temperature: float, top_p: float) -> None:
    import torch

    torch.manual_seed(0)
    logits = (torch.randn(64, 500) * 2).round(decimals=1)  # many equal ones
    uniforms = torch.rand(64, dtype=torch.float64).tolist()
    ranked, order = torch.sort(logits, descending=True, stable=True)
    mass = torch.softmax(ranked.double() / temperature, 1).cumsum(1)
    expected = []
    for row, uniform in enumerate(uniforms):
        size = int((mass[row] < top_p).sum()) + 1 if top_p < 1 else 500
        expected.append(int(order[row, int((mass[row] <= uniform * mass[row, size - 1]).sum())]))
    assert drawn(logits, [asked(temperature, top_p)] * 64, uniforms) == expected


def test_rows_of_any_temperature_go_together_and_tell_their_log_probability_at_temperature_1() -> None:
    import torch

    torch.manual_seed(1)
    logits = torch.randn(6, 100)
    reader = tokens("smollm2-135m-instruct")
    rows = [Continuation(asked(temperature), [1], reader) for temperature in (0, 2.0, 0, 0.5, 1.0, 0)]
    found, logprobs = next_tokens(logits, rows)
    assert [found[row] for row in (0, 2, 5)] == logits.argmax(1)[[0, 2, 5]].tolist()
    for row, (token, logprob) in enumerate(zip(found, logprobs, strict=True)):
        assert logprob == pytest.approx(float(logits[row].log_softmax(0)[token]), abs=1e-6)
    again = [Continuation(asked(temperature), [1], reader) for temperature in (2.0, 0.5, 1.0)]
    assert next_tokens(logits[[1, 3, 4]], again)[0] == [found[1], found[3], found[4]]
