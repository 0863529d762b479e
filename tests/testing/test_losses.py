"""The kit on losses: what it passes, and what it catches."""

from __future__ import annotations

from typing import Any

import pytest

from evalharness import Loss
from evalharness.testing import check_loss
from evalharness.testing.losses import loss_outcomes

torch = pytest.importorskip("torch")
NAN = float("nan")


def full(tensor: Any) -> Any:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


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
        return torch.nn.functional.cross_entropy(full(query) @ full(positive).T, torch.arange(len(query)))


class RootMean(Weighted):
    """Root of the weighted mean squared error, 0 or more; its score is no mean."""

    def score(self, loss: Any, weight: Any) -> Any:
        return (loss / weight) ** 0.5


class Balance(Loss):
    """How unevenly experts are used, 0 or more; reads the layers of a mixture of experts."""

    name, range, tags = "balance", (0, None), ("differentiable",)

    def measure(self, router_logits: Any) -> dict[str, Any]:
        probabilities = torch.stack([full(layer).softmax(-1) for layer in router_logits], 1)
        return {"probability": probabilities, "count": torch.ones(len(probabilities), dtype=probabilities.dtype)}

    def score(self, probability: Any, count: Any) -> Any:
        return ((probability / count) ** 2).sum()


class Sorted(Balance):
    """Reads the logits of the experts in their order, a kink where two are alike."""

    def measure(self, router_logits: Any) -> dict[str, Any]:
        weights = torch.arange(router_logits[0].shape[-1], dtype=torch.float64)
        return super().measure(tuple(layer.double().sort().values * weights for layer in router_logits))


class Stopped(Balance):
    """Passes no gradient to its last layer."""

    def measure(self, router_logits: Any) -> dict[str, Any]:
        return super().measure((*router_logits[:-1], router_logits[-1].detach()))


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


class Peculiar(Loss):
    """Reads a tensor of its own."""

    name = "peculiar"

    def measure(self, temperature: Any) -> dict[str, Any]:
        return {"loss": temperature, "weight": temperature}


class Counting(Weighted):
    """Counts a weight that is not the one of measure."""

    def count(self, sample_weight: Any = None, **_: Any) -> dict[str, Any]:
        return {"weight": sample_weight * 2}


class Rooted(Weighted):
    """Promises by count a score that is linear, and takes a root."""

    def count(self, sample_weight: Any = None, **_: Any) -> dict[str, Any]:
        return {"weight": sample_weight}

    def score(self, loss: Any, weight: Any) -> Any:
        return (loss / weight) ** 0.5


class Multiplied(Weighted):
    """Multiplies by a weight of 0 what may be NaN."""


class Masked(CrossEntropy):
    """Gives a weight to a sample without labels."""

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        measured = super().measure(logits, labels)
        return {**measured, "weight": measured["weight"] + 1}


class Half(CrossEntropy):
    """Computes in the precision that it is given."""

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        logs = logits.log_softmax(-1)
        own = logs.gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1) * (labels != -100)
        return {"loss": -own.sum(-1), "weight": (labels != -100).to(logs.dtype).sum(-1)}


class NoNumber(CrossEntropy):
    """Overflows in half precision."""

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        measured = super().measure(full(logits), labels)
        return {**measured, "loss": measured["loss"] * (NAN if logits.dtype == torch.bfloat16 else 1.0)}


class Parted(Weighted):
    """Names a component that makes half of it."""

    def combined(self, values: Any, **tensors: Any) -> Any:
        return sum(values.values()) / 2


def claiming(tag: str, value: Any) -> type[Loss]:
    """Return a loss with this tag and this value of an error."""

    def measure(self: Loss, prediction: Any, target: Any) -> dict[str, Any]:
        return {"loss": value(prediction - target), "weight": torch.ones_like(prediction)}

    return type("Claiming", (Loss,), {"__doc__": "A claim.", "name": "claiming", "tags": (tag,), "measure": measure})


def nan_far_out(error: Any) -> Any:
    """Return the size of an error up to 100, and beyond no number, of which the gradient knows nothing."""
    return torch.where(error.abs() < 100, error.abs(), NAN)


BREACHES: list[tuple[Any, str, str]] = [
    (Counting, "counts what measure gives", "'weight' of count is that of measure"),
    (Rooted, "counts what measure gives", "twice the rest is not twice the score"),
    (Rooted, "shares at counted totals are parts of the value", "add up to the loss of the window"),
    (Multiplied, "gives no influence to nan of weight zero", "torch.where(weight > 0, tensor, 0.0)"),
    (Masked, "gives nothing for a masked row", "'weight' of a sample that is masked throughout is 0"),
    (Half, "computes half precision in float32", "tensor.float()"),
    (Parted, "components make the whole", "let combined return what the loss is"),
    (claiming("convex", lambda error: torch.log1p(error**2)), "is convex", "leave out the tag 'convex'"),
    (claiming("convex", lambda error: error**2 + NAN * (error > 1)), "is convex", "nan between two outputs"),
    (claiming("differentiable", abs), "has no kinks", "leave out the tag 'differentiable'"),
    (claiming("differentiable", lambda error: error**2 + 1e-2 * error.relu()), "has no kinks", "clamp, abs, max and where"),
    (claiming("differentiable", lambda error: error.abs().sqrt()), "has no kinks", "does not jump"),
    (Sorted, "has no kinks", "does not jump"),
    (Stopped, "has the gradient of its value", "look for detach()"),
    (claiming("robust", lambda error: error**2), "has a bounded influence", "leave out the tag 'robust'"),
    (claiming("robust", lambda error: error.abs() * error.abs().log1p()), "has a bounded influence", "at 1e+09"),
    (claiming("robust", lambda error: error.abs().exp()), "has a bounded influence", "a gradient of nan"),
    (claiming("robust", nan_far_out), "has a bounded influence", "a gradient of nan at outputs of 1e+06"),
    (claiming("bounded gradient", lambda error: error**2), "has a bounded gradient", "leave out the tag 'bounded gradient'"),
    (claiming("bounded gradient", lambda error: error.abs().sqrt()), "has a bounded gradient", "bounded everywhere"),
    (claiming("bounded gradient", abs), "has a bounded gradient", "add the tag 'robust'"),
    (claiming("bounded gradient", lambda error: error.exp().log1p()), "stays finite far out", "softplus"),
    (NoNumber, "computes half precision in float32", "nan"),
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


class Replaced(Weighted):
    """Replaces what weighs nothing before it computes."""

    def measure(self, prediction: Any, target: Any, sample_weight: Any) -> dict[str, Any]:
        return super().measure(torch.where(sample_weight > 0, prediction, target), target, sample_weight)

    def count(self, sample_weight: Any = None, **_: Any) -> dict[str, Any]:
        return {"weight": sample_weight}


class Masking(CrossEntropy):
    """Replaces logits without a label before it computes."""

    def measure(self, logits: Any, labels: Any) -> dict[str, Any]:
        return super().measure(torch.where((labels != -100).unsqueeze(-1), full(logits), 0.0), labels)


class ReplacedRoot(Replaced):
    """Root of the weighted mean squared error, 0 or more; its score is no mean."""

    def count(self, sample_weight: Any = None, **_: Any) -> Any:
        return None

    def score(self, loss: Any, weight: Any) -> Any:
        return (loss / weight) ** 0.5


class Absolute(Loss):
    """Absolute error on examples of its own, 0 or more."""

    name, range, tags = "absolute", (0, None), ("convex", "robust", "bounded gradient")

    def measure(self, prediction: Any, scale: Any, slope: Any = 1.0) -> dict[str, Any]:
        return {"loss": (slope * prediction / scale).abs(), "weight": torch.ones_like(prediction)}

    def example_tensors(self) -> dict[str, Any]:
        return {name: torch.arange(1.0, 6.0, dtype=torch.float64) for name in ("prediction", "scale")}

    def learned(self) -> dict[str, Any]:
        return {"slope": 1.0}


@pytest.mark.parametrize("loss", [Masking, Replaced, Coupled, ReplacedRoot, Balance, Absolute])
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


def test_without_torch_a_loss_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.testing.losses.find_spec", lambda _: None)
    outcomes = {outcome.check: (outcome.status, outcome.message) for outcome in loss_outcomes(Replaced)}
    assert outcomes["can be tried"] == ("skipped", "torch is not installed")
    assert "gives a finite scalar" not in outcomes
