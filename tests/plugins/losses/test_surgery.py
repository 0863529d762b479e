"""Gradient surgery against closed forms and a quadratic programme solved by scipy."""

from __future__ import annotations

from typing import Any

import pytest
from evalharness_losses.surgery import MGDA, PCGrad
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import evalharness as eh

torch = pytest.importorskip("torch")
VECTOR = st.lists(st.floats(-5, 5).map(lambda value: round(value, 3)), min_size=3, max_size=3)


def stepped(rule: eh.TrainingRule, *gradients: list[float]) -> list[float]:
    """Return the gradient that a rule writes into a model of two parameters, one of which some parts do not reach."""
    model = torch.nn.Linear(2, 1, dtype=torch.float64)
    frozen = torch.nn.Module()
    frozen.inner, frozen.fixed = model, torch.nn.Parameter(torch.ones(1), requires_grad=False)
    parts: dict[str, Any] = {}
    for number, (first, second, bias) in enumerate(gradients):
        parts[f"part{number}"] = {"inner.weight": torch.tensor([[first, second]], dtype=torch.float64)}
        if bias:
            parts[f"part{number}"]["inner.bias"] = torch.tensor([bias], dtype=torch.float64)
    rule.after_backward(parts, frozen)
    assert frozen.fixed.grad is None
    return [*model.weight.grad.flatten().tolist(), *model.bias.grad.tolist()]


def test_parts_that_agree_are_added() -> None:
    assert stepped(PCGrad(), [1.0, 1.0, 0.0], [2.0, 0.0, 1.0]) == [3.0, 1.0, 1.0]


def test_parts_that_conflict_lose_what_works_against_the_other() -> None:
    assert stepped(PCGrad(), [1.0, 0.0, 0.0], [-1.0, 1.0, 0.0]) == [0.5, 1.5, 0.0]


@given(VECTOR, VECTOR)
@settings(max_examples=50, deadline=None)
def test_no_projected_part_works_against_the_other_part(one: list[float], other: list[float]) -> None:
    first, second = (torch.tensor(values, dtype=torch.float64) for values in (one, other))
    whole = torch.tensor(stepped(PCGrad(), one, other), dtype=torch.float64)
    dot = first @ second
    expected = first + second
    if dot < 0:
        expected = first - dot / (second @ second) * second + second - dot / (first @ first) * first
    assert torch.allclose(whole, expected, atol=1e-9)


@given(VECTOR, VECTOR, st.sampled_from(["none", "norm"]))
@settings(max_examples=50, deadline=None)
def test_the_shortest_combination_is_that_of_a_quadratic_programme(one: list[float], other: list[float], normalise: Any) -> None:
    first, second = (torch.tensor(values, dtype=torch.float64) for values in (one, other))
    if normalise == "norm" and min(first.norm(), second.norm()) < 1e-2:
        return
    seen = torch.tensor(stepped(MGDA(normalise=normalise), one, other), dtype=torch.float64)
    lengths = (first.norm(), second.norm()) if normalise == "norm" else (1.0, 1.0)

    def length(share: Any) -> float:
        return float((share[0] * first / lengths[0] + (1 - share[0]) * second / lengths[1]).norm() ** 2)

    best = min((minimize(length, [start], bounds=[(0, 1)], tol=1e-14) for start in (0.0, 0.5, 1.0)), key=lambda found: found.fun)
    share = float(best.x[0])
    if normalise == "none":
        assert float(seen @ seen) <= best.fun + 1e-9
    if (first / lengths[0] - second / lengths[1]).norm() > 1e-2:
        assert torch.allclose(seen, share * first + (1 - share) * second, atol=1e-3)


def test_opposite_parts_stop_the_step() -> None:
    assert stepped(MGDA(), [1.0, 0.0, 0.0], [-3.0, 0.0, 0.0]) == pytest.approx([0.0, 0.0, 0.0])


def test_more_than_two_parts_are_refused_by_name() -> None:
    with pytest.raises(eh.UsageError, match="'mgda' is for a loss of two parts, not of 3: part0, part1, part2"):
        stepped(MGDA(), [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
