"""The checks of a loss: a finite scalar, gradients that are right, and micro-batches that add up exactly."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalharness.contract import Loss, Rows
from evalharness.testing.every import EVERY, made, title
from evalharness.testing.outcomes import Broken, NotApplicable, Outcome, raise_failed, run_checks
from evalharness.testing.tensors import DIFFERENTIATED, changed_in_row, default_tensors, rows_of, sliced, weightless

Tensors = Mapping[str, Any]
TOLERANCE = 1e-9


@dataclass
class LossSubject:
    """A loss and the tensors that it is tried on, float64: those of the sample data where None."""

    loss: Loss
    given: Tensors | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        function = self.loss.loss if self.loss.pool == "batch" else self.loss.measure
        declared = [item for item in inspect.signature(function).parameters.values() if item.kind is not item.VAR_KEYWORD]
        self.names = self.loss.reads or tuple(item.name for item in declared if item.kind is not item.VAR_POSITIONAL)

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The tensors that it reads; raises NotApplicable without torch, which is the only way to try a loss."""
        try:
            import torch  # noqa: F401
        except ImportError:
            raise NotApplicable("torch is not installed") from None
        known = default_tensors(self.names) if self.given is None else dict(self.given)
        missing = [name for name in self.names if name not in known]
        if missing:
            mend = f"pass tensors={{'{missing[0]}': ...}}, a leading sample axis each"
            raise Broken("tensors to try the loss on", f"no '{missing[0]}' among {', '.join(known)}", mend)
        return {name: known[name] for name in self.names}

    @property
    def count(self) -> int:
        """How many rows the tensors have."""
        return rows_of(self.tensors)

    def measure(self, tensors: Tensors) -> dict[str, Any]:
        """Return the statistics of these tensors."""
        measured = self.loss.measure(**tensors)
        return dict(measured.statistics if isinstance(measured, Rows) else measured)

    def scalar(self, tensors: Tensors) -> Any:
        """Return the loss of these tensors."""
        return self.loss(**tensors)

    def gradients(self, compute: Callable[[Tensors], Any]) -> dict[str, Any]:
        """Return the gradients by tensor name of what `compute` gives for fresh copies of the tensors."""
        leaves = {name: _leaf(value) if name in DIFFERENTIATED else value for name, value in self.tensors.items()}
        compute(leaves).backward()
        return {name: tensor.grad for name, value in leaves.items() if name in DIFFERENTIATED for tensor in _flat(value)}


def check_loss(loss: Loss | type[Loss], tensors: Tensors | None = None) -> list[Outcome]:
    """Check that a loss keeps its contract; return the outcome of each check.

    `tensors` are what it is tried on, by name, in float64; without them small random ones of the shapes that
    `evalharness.contract` lists. Gradients are checked where the loss is tagged "differentiable". Raises
    ConformanceError.
    """
    return raise_failed(loss_outcomes(loss, tensors))


def loss_outcomes(loss: Loss | type[Loss], tensors: Tensors | None = None) -> list[Outcome]:
    """Return the outcome of every check of a loss."""
    built = made("loss", loss)
    return run_checks(title(built), EVERY, built) + run_checks(title(built), CHECKS, LossSubject(built, tensors))


def gives_a_finite_scalar(subject: LossSubject) -> None:
    import torch

    value = subject.scalar(subject.tensors)
    if not isinstance(value, torch.Tensor) or value.ndim:
        mend = "let score return one number for totals, and measure keep the sample axis first"
        raise Broken("the loss of a batch is a scalar tensor", _shown(value), mend)
    low, high = subject.loss.range or (None, None)
    number = float(value)
    if (
        not torch.isfinite(value)
        or (low is not None and number < low - TOLERANCE)
        or (high is not None and number > high + TOLERANCE)
    ):
        raise Broken(f"a finite value in {subject.loss.range}", str(number), "compute in float32 or better, with logsumexp")


def returns_one_row_per_sample_of_each_statistic(subject: LossSubject) -> None:
    _only_sums(subject)
    for name, values in subject.measure(subject.tensors).items():
        if not getattr(values, "ndim", 0) or values.shape[0] != subject.count:
            mend = "reduce over tokens only, .sum(-1); the harness adds over samples"
            raise Broken(f"'{name}' has a leading axis of {subject.count} samples", _shown(values), mend)


def leaves_its_tensors_untouched(subject: LossSubject) -> None:
    import torch

    copies = {name: _copy(value) for name, value in subject.tensors.items()}
    subject.scalar(copies)
    for name, value in subject.tensors.items():
        if any(not torch.equal(one, other) for one, other in zip(_flat(value), _flat(copies[name]), strict=True)):
            raise Broken("tensors stay as they are", f"it changed '{name}' in place", "use the operations without a trailing _")


def micro_batches_add_up(subject: LossSubject) -> None:
    import torch

    _only_sums(subject)
    whole = subject.measure(subject.tensors)
    parts = [subject.measure(part) for part in _micro_batches(subject, subject.tensors)]
    mend = "let a row depend on its own sample only; divide in score"
    for name, values in whole.items():
        joined = torch.cat([part[name] for part in parts])
        if not torch.allclose(values, joined, rtol=TOLERANCE, atol=TOLERANCE):
            raise Broken(f"'{name}' of micro-batches is that of the whole batch", f"{joined} instead of {values}", mend)


def micro_batches_give_the_same_gradient(subject: LossSubject) -> None:
    """The rule of accumulation: statistics weighted by the gradient of score at the totals of the whole batch."""
    import torch

    _only_sums(subject)
    _only_differentiable(subject)
    totals = {name: values.sum(0).detach() for name, values in subject.measure(subject.tensors).items()}
    slopes = {name: values.clone().requires_grad_(values.is_floating_point()) for name, values in totals.items()}
    subject.loss.score(**slopes).backward()
    weights = {name: torch.zeros_like(value) if value.grad is None else value.grad for name, value in slopes.items()}

    def accumulated(leaves: Tensors) -> Any:
        parts = [subject.measure(part) for part in _micro_batches(subject, leaves)]
        return torch.stack([(values.sum(0) * weights[name]).sum() for part in parts for name, values in part.items()]).sum()

    whole, together = subject.gradients(subject.scalar), subject.gradients(accumulated)
    for name, gradient in whole.items():
        if not torch.allclose(_zero_if_none(gradient), _zero_if_none(together[name]), rtol=1e-7, atol=TOLERANCE):
            seen = f"gradients of '{name}' differ by up to {float((gradient - together[name]).abs().max())}"
            raise Broken(
                "accumulated micro-batches have the gradient of the whole batch", seen, "return sums, and divide in score"
            )


def has_the_gradient_of_its_value(subject: LossSubject) -> None:
    import torch

    _only_differentiable(subject)
    names = [name for name in subject.names if name in DIFFERENTIATED and isinstance(subject.tensors[name], torch.Tensor)]
    if not names:
        raise NotApplicable(f"it reads none of {', '.join(sorted(DIFFERENTIATED))}")
    leaves = [_leaf(subject.tensors[name]) for name in names]
    try:
        torch.autograd.gradcheck(
            lambda *values: subject.scalar({**subject.tensors, **dict(zip(names, values, strict=True))}), leaves
        )
    except RuntimeError as error:
        mend = "look for detach(), .data, argmax or in-place operations; or leave out the tag 'differentiable'"
        raise Broken("gradients agree with finite differences, in float64", str(error).strip(), mend) from error


def gives_no_influence_to_weight_zero(subject: LossSubject) -> None:
    import torch

    without = weightless(subject.tensors, row=0)
    if without is None:
        raise NotApplicable("it reads no weights and no labels")
    one, other = subject.scalar(without), subject.scalar(changed_in_row(without, row=0))
    if not torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE):
        mend = "multiply by the weight, leave out labels of -100, and divide by the sum of weights"
        raise Broken("a sample of weight 0 changes nothing", f"{float(one)}, then {float(other)}", mend)


def _micro_batches(subject: LossSubject, tensors: Tensors) -> Sequence[Tensors]:
    cut = max(subject.count // 3, 1)
    return [sliced(tensors, slice(0, cut)), sliced(tensors, slice(cut, subject.count))]


def _only_sums(subject: LossSubject) -> None:
    if subject.loss.pool == "batch":
        raise NotApplicable("its samples are coupled across the batch")


def _only_differentiable(subject: LossSubject) -> None:
    if "differentiable" not in subject.loss.tags:
        raise NotApplicable("it is not tagged differentiable")


def _leaf(value: Any) -> Any:
    return tuple(map(_leaf, value)) if isinstance(value, tuple) else value.detach().clone().requires_grad_()


def _copy(value: Any) -> Any:
    return tuple(map(_copy, value)) if isinstance(value, tuple) else value.clone()


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _zero_if_none(gradient: Any) -> Any:
    import torch

    return torch.zeros(()) if gradient is None else gradient


def _shown(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)


CHECKS = (
    gives_a_finite_scalar, returns_one_row_per_sample_of_each_statistic, leaves_its_tensors_untouched, micro_batches_add_up,
    micro_batches_give_the_same_gradient, has_the_gradient_of_its_value, gives_no_influence_to_weight_zero,
)  # fmt: skip
