"""What a loss is tried on: its tensors, and values and gradients of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalharness.contract import Loss
from evalharness.testing.outcomes import Broken, NotApplicable
from evalharness.testing.tensors import DIFFERENTIATED, SHARED, default_tensors, moved, rows_of, sliced

Tensors = Mapping[str, Any]
TOLERANCE = 1e-9
_WEIGHTS = ("sample_weight", "token_weight")
_LINES, _HALVINGS = 4, 10


@dataclass
class LossSubject:
    """A loss and the tensors that it is tried on, float64: its own examples or those of the sample data where None."""

    loss: Loss
    given: Tensors | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        function = self.loss.loss if self.loss.pool == "batch" else self.loss.measure
        declared = [item for item in inspect.signature(function).parameters.values() if item.kind is not item.VAR_KEYWORD]
        read = self.loss.reads or tuple(item.name for item in declared if item.kind is not item.VAR_POSITIONAL)
        self.names = tuple(dict.fromkeys((*read, *(name for name in _WEIGHTS if name in self.loss.accepts))))

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The tensors that it reads."""
        import torch

        known = dict(self.given or self.loss.example_tensors() or default_tensors(self.names))
        learned = {name: torch.tensor(start, dtype=torch.float64) for name, start in self.loss.learned().items()}
        missing = [name for name in self.names if name not in known and self.loss.accepts.get(name, True)]
        if missing:
            mend = f"pass tensors={{'{missing[0]}': ...}}, a leading sample axis each"
            raise Broken("tensors to try the loss on", f"no '{missing[0]}' among {', '.join(known)}", mend)
        return {**{name: known[name] for name in known if name in {*self.names, *self.loss.accepts}}, **learned}

    @cached_property
    def differentiated(self) -> tuple[str, ...]:
        """The tensors by which gradients are taken: what a model computes, and what is learned along with it."""
        return tuple(name for name in self.tensors if name in DIFFERENTIATED or name in self.loss.learned())

    @property
    def count(self) -> int:
        """How many rows the tensors have."""
        return rows_of(self.tensors)

    def rows(self, chosen: slice, tensors: Tensors) -> dict[str, Any]:
        """Return the tensors of some samples; learned ones belong to all."""
        return sliced(tensors, chosen, shared=self.loss.learned())

    def splits(self) -> list[list[slice]]:
        """Return ways to cut the batch: into two uneven parts, and into single samples."""
        cut = max(self.count // 3, 1)
        return [[slice(0, cut), slice(cut, self.count)], [slice(row, row + 1) for row in range(self.count)]]

    def measure(self, tensors: Tensors) -> dict[str, Any]:
        """Return the statistics of these tensors."""
        return self.loss.statistics(**tensors)

    def scalar(self, tensors: Tensors) -> Any:
        """Return the loss of these tensors."""
        return self.loss(**tensors)

    def gradients(self, compute: Callable[[Tensors], Any], tensors: Tensors | None = None) -> dict[str, Any]:
        """Return the gradients by tensor name of what `compute` gives for fresh copies of the tensors, 0 where it has none."""
        import torch

        given = self.tensors if tensors is None else tensors
        leaves = {name: leaf(value) if name in self.differentiated else value for name, value in given.items()}
        compute(leaves).backward()
        found = {
            f"{name}[{number}]" if isinstance(leaves[name], tuple) else name: tensor
            for name in self.differentiated
            for number, tensor in enumerate(flat(leaves[name]))
        }
        return {name: torch.zeros_like(tensor) if tensor.grad is None else tensor.grad for name, tensor in found.items()}

    def pull(self, tensors: Tensors) -> dict[str, Any]:
        """Return the gradients by the outputs of the model alone: not by weights that samples share, nor by what is learned."""
        fixed = {*SHARED, *self.loss.learned()}
        return {
            name: slope for name, slope in self.gradients(self.scalar, tensors).items() if name.partition("[")[0] not in fixed
        }

    @cached_property
    def jumps(self) -> list[tuple[float, float]]:
        """How far the gradient changes around the steepest place of some lines: along a short piece, and along 1/1024 of it."""
        import torch

        chance = torch.Generator().manual_seed(0)
        found = []
        for _ in range(_LINES):
            line = _Line(self, *(moved(self.tensors, 1.0, chance) for _ in range(2)))
            found.append((line.narrowed(_HALVINGS), line.narrowed(_HALVINGS)))
        return found


Place = tuple[float, dict[str, Any]]  # of a line: where it is from 0 to 1, and the gradient there


class _Line:
    """A line between two outputs, halved time and again around where the gradient changes the most."""

    def __init__(self, subject: LossSubject, start: Tensors, end: Tensors) -> None:
        self.subject, self.start, self.end = subject, start, end
        self.piece = self._place(0.0), self._place(1.0)

    def narrowed(self, halvings: int) -> float:
        """Halve the line so often; return by how much the gradient differs at the ends of what remains."""
        for _ in range(halvings):
            low, high = self.piece
            middle = self._place((low[0] + high[0]) / 2)
            self.piece = max((low, middle), (middle, high), key=_change)
        return _change(self.piece)

    def _place(self, where: float) -> Place:
        return where, self.subject.pull(along(self.start, self.end, where))


def _change(piece: tuple[Place, Place]) -> float:
    """Return the length of the difference of the gradients at both ends."""
    (_, first), (_, last) = piece
    return norm({name: last[name] - slope for name, slope in first.items()})


def only_sums(subject: LossSubject) -> None:
    """Raise NotApplicable for a loss that is coupled across the batch."""
    if subject.loss.pool == "batch":
        raise NotApplicable("its samples are coupled across the batch")


def only_tagged(subject: LossSubject, tag: str) -> None:
    """Raise NotApplicable for a loss without the tag, or with nothing to try it on."""
    if tag not in subject.loss.tags:
        raise NotApplicable(f"it is not tagged {tag}")
    only_with_outputs(subject)


def only_with_outputs(subject: LossSubject) -> None:
    """Raise NotApplicable for a loss that reads nothing by which a gradient is taken."""
    if not subject.differentiated:
        raise NotApplicable(f"it reads none of {', '.join(sorted(DIFFERENTIATED))}")


def leaf(value: Any) -> Any:
    """Return a copy of a tensor, or of a tuple of them, by which a gradient can be taken."""
    return tuple(map(leaf, value)) if isinstance(value, tuple) else value.detach().clone().requires_grad_()


def copied(value: Any) -> Any:
    """Return a copy of a tensor or of a tuple of them."""
    return tuple(map(copied, value)) if isinstance(value, tuple) else value.clone()


def along(start: Tensors, end: Tensors, place: float) -> dict[str, Any]:
    """Return the tensors at a place of the line through `start`, at 0, and `end`, at 1; those of whole numbers stay."""
    return {name: _between(value, end[name], place) for name, value in start.items()}


def _between(start: Any, end: Any, place: float) -> Any:
    if isinstance(start, tuple):
        return tuple(_between(one, other, place) for one, other in zip(start, end, strict=True))
    return start + place * (end - start) if start.is_floating_point() else start


def flat(value: Any) -> tuple[Any, ...]:
    """Return the tensors of a tuple, or the one that there is."""
    return value if isinstance(value, tuple) else (value,)


def norm(gradients: Mapping[str, Any]) -> float:
    """Return the length of all gradients together."""
    return sum(float(gradient.double().norm() ** 2) for gradient in gradients.values()) ** 0.5
