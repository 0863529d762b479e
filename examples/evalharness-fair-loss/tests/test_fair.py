"""The loss by its formula, by the conformance kit, and at work: a line is found among outliers."""

from __future__ import annotations

import evalharness_fair_loss
import pytest
import torch

import evalharness as eh
from evalharness.testing import check_loss


def test_it_is_its_formula_with_the_gradient_that_it_states() -> None:
    errors = torch.linspace(-5, 5, 41, dtype=torch.float64).requires_grad_()
    value = eh.load_loss("fair", c=2.0)(prediction=errors, target=torch.zeros(41, dtype=torch.float64))
    assert value.item() == pytest.approx((4 * (errors.abs() / 2 - torch.log(1 + errors.abs() / 2))).mean().item(), rel=1e-12)
    value.backward()
    assert torch.allclose(errors.grad * 41, errors / (1 + errors.abs() / 2))


def test_it_keeps_its_contract() -> None:
    check_loss(evalharness_fair_loss.fair)


def test_a_few_outliers_do_not_move_the_line_that_it_fits() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(200, 1, generator=generator)
    target = 3 * features[:, 0] + 1
    target[:20] += 100
    line = torch.nn.Linear(1, 1)
    optimiser = torch.optim.Adam(line.parameters(), lr=0.05)
    loss = eh.load_loss("fair", c=0.5)
    for _ in range(1500):
        optimiser.zero_grad()
        loss(prediction=line(features)[:, 0], target=target).backward()
        optimiser.step()
    assert line.weight.item() == pytest.approx(3, abs=0.3)
    assert line.bias.item() == pytest.approx(1, abs=0.3)
