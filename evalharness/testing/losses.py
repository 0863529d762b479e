"""The checks of a loss: a finite scalar, gradients that are right, micro-batches that add up exactly, honest tags."""

from __future__ import annotations

import functools
import itertools
from importlib.util import find_spec
from typing import Any

from evalharness.contract import Loss
from evalharness.testing.every import EVERY, made, title
from evalharness.testing.loss_subject import (
    TOLERANCE,
    LossSubject,
    Tensors,
    copied,
    flat,
    leaf,
    only_sums,
    only_tagged,
    only_with_outputs,
)
from evalharness.testing.loss_tags import TAG_CHECKS
from evalharness.testing.outcomes import Broken, NotApplicable, Outcome, raise_failed, run_checks
from evalharness.testing.tensors import DIFFERENTIATED, changed_in_row, in_precision, rows_of, spoilt_in_row, weightless

_HALF = 1e-2


def check_loss(loss: Loss | type[Loss], tensors: Tensors | None = None) -> list[Outcome]:
    """Check that a loss keeps its contract; return the outcome of each check.

    `tensors` are what it is tried on, by name, in float64; without them its own `example_tensors`, or small random ones of
    the shapes that `evalharness.contract` lists. Gradients are held against finite differences where the loss is tagged
    "differentiable", and each tag is tried to be refuted. Raises ConformanceError.
    """
    return raise_failed(loss_outcomes(loss, tensors))


def loss_outcomes(loss: Loss | type[Loss], tensors: Tensors | None = None) -> list[Outcome]:
    """Return the outcome of every check of a loss."""
    built = made("loss", loss)
    checks = CHECKS if find_spec("torch") is not None else (can_be_tried,)
    return run_checks(title(built), EVERY, built) + run_checks(title(built), checks, LossSubject(built, tensors))


def can_be_tried(_: LossSubject) -> None:
    raise NotApplicable("torch is not installed")


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
    only_sums(subject)
    for name, values in subject.measure(subject.tensors).items():
        if not getattr(values, "ndim", 0) or values.shape[0] != subject.count:
            mend = "reduce over tokens only, .sum(-1); the harness adds over samples"
            raise Broken(f"'{name}' has a leading axis of {subject.count} samples", _shown(values), mend)


def leaves_its_tensors_untouched(subject: LossSubject) -> None:
    import torch

    copies = {name: copied(value) for name, value in subject.tensors.items()}
    subject.scalar(copies)
    for name, value in subject.tensors.items():
        if any(not torch.equal(one, other) for one, other in zip(flat(value), flat(copies[name]), strict=True)):
            raise Broken("tensors stay as they are", f"it changed '{name}' in place", "use the operations without a trailing _")


def micro_batches_add_up(subject: LossSubject) -> None:
    import torch

    only_sums(subject)
    whole = subject.measure(subject.tensors)
    mend = "let a row depend on its own sample only; divide in score"
    for split in subject.splits():
        parts = [subject.measure(subject.rows(chosen, subject.tensors)) for chosen in split]
        for name, values in whole.items():
            joined = torch.cat([part[name] for part in parts])
            if not torch.allclose(values, joined, rtol=TOLERANCE, atol=TOLERANCE):
                raise Broken(f"'{name}' of micro-batches is that of the whole batch", f"{joined} instead of {values}", mend)


def micro_batches_give_the_same_gradient(subject: LossSubject) -> None:
    """The rule of accumulation: shares at the totals of the whole batch, however it is cut."""
    import torch

    only_sums(subject)
    only_with_outputs(subject)
    totals = {name: values.sum(0).detach() for name, values in subject.measure(subject.tensors).items()}
    whole = subject.gradients(subject.scalar)
    for split in subject.splits():
        together = subject.gradients(functools.partial(_shares, subject, totals, split))
        for name, gradient in whole.items():
            if not torch.allclose(gradient, together[name], rtol=1e-7, atol=TOLERANCE):
                seen = f"gradients of '{name}' differ by up to {float((gradient - together[name]).abs().max())}"
                raise Broken(
                    "accumulated micro-batches have the gradient of the whole batch", seen, "return sums, and divide in score"
                )


def counts_what_measure_gives(subject: LossSubject) -> None:
    """`count` needs no output of a model, agrees with `measure`, and leaves a score that is linear in the rest."""
    import torch

    counted = _counted(subject)
    measured = subject.measure(subject.tensors)
    for name, values in counted.items():
        if name not in measured or not torch.allclose(values.double(), measured[name].double(), rtol=TOLERANCE, atol=TOLERANCE):
            mend = "let measure call count, or leave this statistic out of count"
            raise Broken(f"'{name}' of count is that of measure", f"{values} instead of {measured.get(name)}", mend)
    fixed = {name: values.double().sum(0) for name, values in counted.items()}
    rest = {name: values.double().sum(0) for name, values in measured.items() if name not in counted}
    doubled = subject.loss.score(**fixed, **{name: 2 * values for name, values in rest.items()})
    if not torch.allclose(doubled, 2 * subject.loss.score(**fixed, **rest), rtol=1e-7, atol=TOLERANCE):
        mend = "let count return None: the gradient at the window's totals is not known beforehand"
        raise Broken("score is linear in what count does not give", "twice the rest is not twice the score", mend)


def shares_at_counted_totals_are_parts_of_the_value(subject: LossSubject) -> None:
    import torch

    totals = {name: values.double().sum(0) for name, values in _counted(subject).items()}
    whole = subject.scalar(subject.tensors)
    for split in subject.splits():
        together = _shares(subject, totals, split, subject.tensors)
        if not torch.allclose(whole, together, rtol=1e-7, atol=TOLERANCE):
            seen = f"{float(together)} instead of {float(whole)}"
            raise Broken("the shares of micro-batches add up to the loss of the window", seen, "leave share as it is inherited")


def has_the_gradient_of_its_value(subject: LossSubject) -> None:
    import torch

    only_tagged(subject, "differentiable")
    names = subject.differentiated
    counts = [len(flat(subject.tensors[name])) for name in names]

    def value(*tensors: Any) -> Any:
        rest = iter(tensors)
        layers = {name: tuple(itertools.islice(rest, count)) for name, count in zip(names, counts, strict=True)}
        given = {name: found if isinstance(subject.tensors[name], tuple) else found[0] for name, found in layers.items()}
        return subject.scalar({**subject.tensors, **given})

    try:
        leaves = [tensor for name in names for tensor in flat(leaf(subject.tensors[name]))]
        torch.autograd.gradcheck(value, leaves, fast_mode=True)  # along one random direction, all entries where that fails
    except RuntimeError as error:
        mend = "look for detach(), .data, argmax or in-place operations; or leave out the tag 'differentiable'"
        raise Broken("gradients agree with finite differences, in float64", str(error).strip(), mend) from error


def gives_no_influence_to_weight_zero(subject: LossSubject) -> None:
    import torch

    without = _without_row(subject)
    one, other = subject.scalar(without), subject.scalar(changed_in_row(without, row=0))
    if not torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE):
        mend = "multiply by the weight, leave out labels of -100, and divide by the sum of weights"
        raise Broken("a sample of weight 0 changes nothing", f"{float(one)}, then {float(other)}", mend)


def gives_no_influence_to_nan_of_weight_zero(subject: LossSubject) -> None:
    """0 times NaN is NaN, in the value and in the gradient: such rows must be replaced, not multiplied."""
    import torch

    without = _without_row(subject)
    spoilt = spoilt_in_row(without, row=0)
    mend = "replace what weighs nothing before computing, torch.where(weight > 0, tensor, 0.0)"
    one, other = subject.scalar(without), subject.scalar(spoilt)
    if not torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE):
        raise Broken("NaN in a sample of weight 0 changes nothing", f"{float(one)}, then {float(other)}", mend)
    if not one.requires_grad and not subject.differentiated:
        return
    for name, gradient in subject.gradients(subject.scalar, spoilt).items():
        if not bool(torch.isfinite(gradient).all()):
            raise Broken("NaN in a sample of weight 0 has no gradient", f"the gradient of '{name}' is not finite", mend)


def gives_nothing_for_a_masked_row(subject: LossSubject) -> None:
    only_sums(subject)
    measured = subject.measure(_without_row(subject))
    for name in ("loss", "weight"):
        if name in measured and float(measured[name][0].detach().abs().sum()) != 0:
            mend = "multiply by the weights before adding over tokens"
            raise Broken(f"'{name}' of a sample that is masked throughout is 0", str(float(measured[name][0])), mend)


def computes_half_precision_in_float32(subject: LossSubject) -> None:
    import torch

    only_with_outputs(subject)
    names = [name for name in subject.tensors if name in DIFFERENTIATED]
    floats = [name for name, value in subject.tensors.items() if all(each.is_floating_point() for each in flat(value))]
    half = in_precision(in_precision(subject.tensors, torch.float32, floats), torch.bfloat16, names)
    full, value = subject.scalar(in_precision(half, torch.float32, names)), subject.scalar(half)
    if value.dtype == torch.bfloat16 or not abs(float(value) - float(full)) <= _HALF * max(1.0, abs(float(full))):
        mend = "turn half-precision tensors into float32 first, tensor.float()"
        raise Broken(f"in bfloat16 the value of float32 within {_HALF}", f"{float(value)} ({value.dtype}), {float(full)}", mend)


def components_make_the_whole(subject: LossSubject) -> None:
    import torch

    loss, tensors = subject.loss, subject.tensors
    if set(loss.weighting(**tensors)) != set(loss.components):
        seen = f"weights of {', '.join(loss.weighting(**tensors))}, components {', '.join(loss.components)}"
        raise Broken("weighting names the components", seen, "give both the same names")
    values = {name: part(**tensors) for name, part in loss.components.items()}
    together, whole = loss.combined(values, **tensors), subject.scalar(tensors)
    if not torch.allclose(torch.as_tensor(together, dtype=whole.dtype), whole, rtol=1e-7, atol=TOLERANCE):
        mend = "let combined return what the loss is, given the values of its components"
        raise Broken("the components make the loss", f"{float(together)} instead of {float(whole)}", mend)
    carried = loss.carry({name: value.detach() for name, value in values.items()}, **loss.carried())
    if set(carried) != set(loss.carried()):
        raise Broken("carry returns what is carried", ", ".join(carried), f"return {', '.join(loss.carried())}")


def _shares(subject: LossSubject, totals: Tensors, split: list[slice], tensors: Tensors) -> Any:
    import torch

    return torch.stack([subject.loss.share(totals, **subject.rows(chosen, tensors)) for chosen in split]).sum()


def _counted(subject: LossSubject) -> dict[str, Any]:
    """Return what `count` gives without anything that a model computes."""
    only_sums(subject)
    known = {name: value for name, value in subject.tensors.items() if name not in subject.differentiated}
    counted = subject.loss.count(**known)
    if counted is None:
        raise NotApplicable("it counts nothing beforehand")
    return dict(counted)


def _without_row(subject: LossSubject) -> dict[str, Any]:
    """Return the tensors with a first sample that weighs nothing."""
    without = weightless(subject.tensors, row=0)
    if without is None or rows_of(without) < 2:
        raise NotApplicable("it reads no weights and no labels")
    return without


def _shown(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)


CHECKS = (
    gives_a_finite_scalar, returns_one_row_per_sample_of_each_statistic, leaves_its_tensors_untouched, micro_batches_add_up,
    micro_batches_give_the_same_gradient, counts_what_measure_gives, shares_at_counted_totals_are_parts_of_the_value,
    has_the_gradient_of_its_value, gives_no_influence_to_weight_zero, gives_no_influence_to_nan_of_weight_zero,
    gives_nothing_for_a_masked_row, computes_half_precision_in_float32, components_make_the_whole, *TAG_CHECKS,
)  # fmt: skip
