"""The kit on losses: what it passes, and what it catches."""

from __future__ import annotations

from typing import Any

import pytest

from evalharness import Loss
from evalharness.testing import check_loss
from evalharness.testing.losses import loss_outcomes

torch = pytest.importorskip("torch")


class CrossEntropy(Loss):
    """Negative log-likelihood of the labels in nats per token, 0 or more."""

    name, unit, range, tags = "cross_entropy", "nats/token", (0, None), ("differentiable",)

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
        return {"loss": loss.view(labels.shape).sum(-1), "weight": (labels != -100).to(logits.dtype).sum(-1)}


class Weighted(Loss):
    """Squared error per weight, 0 or more."""

    name, range, tags = "weighted", (0, None), ("differentiable",)

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return {"loss": sample_weight * (prediction - target) ** 2, "weight": sample_weight}


class Coupled(Loss):
    """Contrastive loss over the batch in nats, 0 or more."""

    name, range, pool, tags = "coupled", (0, None), "batch", ("differentiable",)

    def loss(self, query: Any, positive: Any) -> Any:
        return torch.nn.functional.cross_entropy(query @ positive.T, torch.arange(len(query)))


class RootMean(Weighted):
    """Root of the weighted mean squared error, 0 or more; its score is no mean."""

    def score(self, loss: Any, weight: Any) -> Any:
        return (loss / weight) ** 0.5


class Balance(Loss):
    """How unevenly experts are used, 0 or more; reads the layers of a mixture of experts."""

    name, range, tags = "balance", (0, None), ("differentiable",)

    def measure(self, router_logits: Any) -> dict[str, Any]:
        probabilities = torch.stack([layer.softmax(-1) for layer in router_logits], 1)
        return {"probability": probabilities, "count": torch.ones(len(probabilities), dtype=probabilities.dtype)}

    def score(self, probability: Any, count: Any) -> Any:
        return ((probability / count) ** 2).sum()


class Vector(CrossEntropy):
    """Returns the loss of each sample instead of one number."""

    def score(self, loss: Any, weight: Any) -> Any:
        return (loss / weight).expand(3)


class Reduced(CrossEntropy):
    """Averages over the batch in measure."""

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        return {name: values.mean() for name, values in super().measure(logits, labels).items()}


class BatchMean(Weighted):
    """Centres on the mean of the micro-batch."""

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return super().measure(prediction - prediction.mean(), target, sample_weight)


class Detached(Weighted):
    """Loses half of its gradient."""

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return {"loss": sample_weight * (prediction - target) * (prediction - target).detach(), "weight": sample_weight}


class InPlace(Weighted):
    """Works on its input."""

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return {"loss": target.sub_(1).abs(), "weight": sample_weight}


class Unweighted(Weighted):
    """Forgets to multiply."""

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return {"loss": (prediction - target) ** 2, "weight": sample_weight}


class Infinite(Weighted):
    """Divides by nothing."""

    def score(self, loss: Any, weight: Any) -> Any:
        return loss / (weight * 0)


class Peculiar(Weighted):
    """Reads a tensor of its own."""

    def measure(self, temperature: Any) -> dict[str, Any]:
        return {"loss": temperature, "weight": temperature}


BREACHES: list[tuple[Any, str, str]] = [
    (Vector, "gives a finite scalar", "shape (3,)"),
    (Infinite, "gives a finite scalar", "inf"),
    (Reduced, "returns one row per sample of each statistic", "leading axis of 5 samples"),
    (BatchMean, "micro batches add up", "own sample only"),
    (BatchMean, "micro batches give the same gradient", "differ by up to"),
    (Detached, "has the gradient of its value", "look for detach()"),
    (InPlace, "leaves its tensors untouched", "it changed 'target'"),
    (Unweighted, "gives no influence to weight zero", "multiply by the weight"),
    (Peculiar, "gives a finite scalar", "pass tensors={'temperature': ...}"),
]


@pytest.mark.parametrize("loss", [CrossEntropy, Weighted, Coupled, RootMean, Balance])
def test_a_loss_that_keeps_the_contract_passes(loss: Any) -> None:
    assert {outcome.status for outcome in check_loss(loss)} == {"passed", "skipped"}


def test_gradients_are_checked_only_where_they_are_promised() -> None:
    outcomes = {
        outcome.check: outcome.status
        for outcome in loss_outcomes(type("Plain", (Weighted,), {"tags": (), "__doc__": "Error, 0 or more."}))
    }
    assert outcomes["has the gradient of its value"] == "skipped"


@pytest.mark.parametrize(("loss", "check", "message"), BREACHES, ids=[f"{cls.__name__}-{check}" for cls, check, _ in BREACHES])
def test_each_breach_is_caught_by_its_check(loss: Any, check: str, message: str) -> None:
    failed = {outcome.check: outcome.message for outcome in loss_outcomes(loss) if outcome.status == "failed"}
    assert check in failed, failed
    assert message in failed[check]
