"""The loss contract, without torch: the same functions over whatever has operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evalharness import Loss, loss


class Squared(Loss):
    """Squared error, 0 or more."""

    name = "squared"

    def measure(self, prediction: Any, target: Any, sample_weight: Any = None) -> dict[str, Any]:
        weight = np.ones_like(prediction) if sample_weight is None else sample_weight
        return {"loss": weight * (prediction - target) ** 2, "weight": weight}


class Coupled(Loss):
    """Spread of the batch, 0 or more."""

    name, pool = "coupled", "batch"

    def loss(self, query: Any) -> Any:
        return query.max() - query.min()


@loss(unit="nats", tags=("differentiable",))
def absolute(prediction: Any, target: Any, *, scale: float = 1.0) -> Any:
    """Absolute error, 0 or more."""
    return scale * abs(prediction - target), np.ones_like(prediction)


ONE, TWO = np.array([1.0, 2.0]), np.array([0.0, 4.0])


def test_a_call_gives_the_scalar_of_the_batch_and_ignores_other_tensors() -> None:
    assert Squared()(prediction=ONE, target=TWO, labels=TWO) == pytest.approx(2.5)
    assert Coupled()(query=TWO, labels=ONE) == 4.0


def test_a_tensor_with_a_default_may_be_left_out() -> None:
    assert Squared()(prediction=ONE, target=TWO, sample_weight=np.array([1.0, 0.0])) == pytest.approx(1.0)


def test_a_decorated_function_is_a_loss_that_can_be_called() -> None:
    assert absolute.reads == ("prediction", "target")
    assert (absolute.better, absolute.unit, absolute.tags) == ("lower", "nats", ("differentiable",))
    assert absolute(scale=2.0)(prediction=ONE, target=TWO, labels=ONE) == pytest.approx(3.0)


@pytest.mark.parametrize("made", [Squared(), absolute()])
def test_a_missing_tensor_is_named(made: Loss) -> None:
    with pytest.raises(TypeError, match=rf"loss '{made.name}' needs the tensor 'target'; it was given: prediction"):
        made(prediction=ONE)
