"""Draws a loss and its gradient along one axis: the prediction, the logit of the true class, or its probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.contract import Loss
from evalharness.errors import DataError, UsageError

POINTS = 801
REACH = 5.0


@dataclass(frozen=True)
class Axis:
    """What is varied: a tensor by its name, where to, what it is called, and the tensors that go with its values."""

    name: str
    start: float
    end: float
    title: str
    tensors: Callable[[Any], dict[str, Any]]


def draw_loss(loss: Loss, path: Path) -> Path:
    """Draw a loss and its gradient into a PNG file and return its path.

    Raises UsageError where matplotlib or torch is missing, and for a loss that is none of one number a sample.
    """
    for package, extra in (("matplotlib", "train"), ("torch", "hf")):
        _need(package, extra)
    from evalharness.results.drawing import framed, saved

    axis, places, values, slopes = _curve(loss)
    with framed(2, 1) as (figure, axes):
        for panel, title, line in zip(axes.flat, ("loss", "gradient"), (values, slopes), strict=True):
            panel.plot(places, line, linewidth=1.4, color="C0" if title == "loss" else "C1")
            panel.axhline(0, color="0.7", linewidth=0.8, zorder=0)
            panel.set_title(title, fontsize=10, loc="left")
            panel.set_xlabel(axis.title, fontsize=8)
        figure.suptitle(loss.signature(), fontsize=9)
        return saved(path, figure)


def _need(package: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise UsageError(f"--plot needs {package}, which is not installed; install it with: pip install 'evalharness[{extra}]'")


def _curve(loss: Loss) -> tuple[Axis, Any, Any, Any]:
    """Return an axis along which the loss can be computed, the places on it, and values and slopes there."""
    import torch

    refused: DataError | None = None
    for axis in _axes(loss):
        places = torch.linspace(axis.start, axis.end, POINTS, dtype=torch.float64, requires_grad=True)
        try:
            values = loss.score(**loss.statistics(**axis.tensors(places)))
        except DataError as error:
            refused = error
            continue
        (slopes,) = torch.autograd.grad(values.sum(), places)
        return axis, *(each.detach().numpy() for each in (places, values, slopes))
    reason = f"it reads {', '.join(loss.accepts)}" if refused is None else str(refused)
    known = "only losses over a target and prediction, logits or probabilities are drawn"
    mend = "'evalharness describe huber --plot' draws one, and 'evalharness list losses' names all"
    raise UsageError(f"loss '{loss.name}' has nothing to draw along one axis: {reason}; {known}. {mend}")


def _axes(loss: Loss) -> Iterator[Axis]:
    """Yield the axes along which a loss of one number a sample may be drawn."""
    example = loss.example_tensors()
    needed = {name for name, must in loss.accepts.items() if must} | ({*_OUTPUTS} & {*loss.accepts})
    if loss.pool == "batch" or "target" not in needed or not needed <= {"target", *_OUTPUTS}:
        return
    if "prediction" in needed:
        yield from _of_numbers(example)
    elif "logits" in needed:
        yield _of_logits(example)
    elif "probabilities" in needed:
        yield _of_probabilities(example)


_OUTPUTS = ("prediction", "logits", "probabilities")


def _of_numbers(example: Mapping[str, Any]) -> Iterator[Axis]:
    """Yield the prediction of a target of 0 or, where that is none, of one that is; to both sides, or above 0 alone."""
    target = example.get("target")
    at = 0.0 if target is None or bool((target < 0).any()) else float(target.max())
    title = "residual: prediction - target" if at == 0 else f"prediction of a target of {at:g}"

    def tensors(places: Any) -> dict[str, Any]:
        return {"prediction": places, "target": places.detach() * 0 + at}

    yield Axis("prediction", -REACH, REACH, title, tensors)
    yield Axis("prediction", REACH / 100, 2 * REACH, title, tensors)


def _of_logits(example: Mapping[str, Any]) -> Axis:
    """Return the logit of the true class, the others being 0."""
    logits: Any = example.get("logits")
    several = logits is not None and logits.ndim > 1

    def tensors(places: Any) -> dict[str, Any]:
        ones = places.detach() * 0 + 1
        if not several:
            return {"logits": places, "target": ones}
        return {"logits": _first(places, logits.shape[1], 0 * ones), "target": _of_first_class(example, ones)}

    return Axis("logits", -REACH, REACH, f"logit of the true class{', the others 0' if several else ''}", tensors)


def _of_probabilities(example: Mapping[str, Any]) -> Axis:
    """Return the probability of the true class, the others having equal shares of the rest."""
    found: Any = example.get("probabilities")
    several = found is not None and found.ndim > 1

    def tensors(places: Any) -> dict[str, Any]:
        ones = places.detach() * 0 + 1
        if not several:
            return {"probabilities": places, "target": ones}
        count = found.shape[1]
        table = _first(places, count, (1 - places) / (count - 1))
        return {"probabilities": table, "target": _of_first_class(example, ones)}

    return Axis("probabilities", 0.01, 1.0, "probability of the true class", tensors)


def _first(places: Any, count: int, others: Any) -> Any:
    """Return a table with these values in its first column."""
    import torch

    return torch.stack([places, *[others] * (count - 1)], 1)


def _of_first_class(example: Mapping[str, Any], ones: Any) -> Any:
    """Return the first class as the target, a number or a table as in the example."""
    target = example.get("target")
    if target is not None and target.ndim > 1:
        return _first(ones, target.shape[1], 0 * ones)
    return (0 * ones).long()
