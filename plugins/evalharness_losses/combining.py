"""Several losses as one: a weighted sum whose weights are given, scheduled, learned, or follow from how losses vary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar, Literal

import evalharness as eh

_FLOOR = 1e-8  # of a variance, as in the authors' code


class Combine(eh.Loss):
    """Weighted sum of losses, in their units, 0 or more where all are; each is logged by its name, and reads its own tensors.

    - `of`: the losses; `weights`: one constant a loss, 1 each where none is given. Combined losses within it are taken
      apart, so that every name stands once.
    - `by`: "sum" leaves it at the constants. "uncertainty" learns a log variance s of each loss: the factor is exp(-s) / 2
      and s / 2 is added; without the half for the `likelihoods`, the names of those that are one. "variation" takes the
      share of each loss in all coefficients of variation, sd / mean of its ratio to its own mean so far; equal shares at
      the first two steps. `decay` keeps so much of a mean at each step, null all steps alike.
    - `schedule`: how the weights of all but the first loss rise from 0 on, until the share `until` of training is done.

    Statistics are those of the losses under `NAME/`, so any split into micro-batches gives the whole. With a loss that is
    coupled across the batch the sum is too. Reduction: that of each loss by itself, then their sum. Computed in the
    precision of each, float32 or better.

    >>> import torch
    >>> tensors = {"prediction": torch.tensor([1.0, 3.0]), "target": torch.tensor([0.0, 1.0])}
    >>> Combine(of=(eh.Spec("mse"), eh.Spec("mae")), weights=(1.0, 0.5))(**tensors).item()
    3.25
    """

    name = "combine"
    example: ClassVar[Mapping[str, Any]] = {"of": ["mse", {"huber": {"delta": 2.0}}], "weights": [1.0, 0.5]}
    formula = (
        "sum over k of w_k f_k L_k; f_k = 1 (sum), exp(-s_k) / 2 with s_k / 2 added (uncertainty), c_k / sum of c (variation)"
    )
    gradient = "sum over k of w_k f_k times the gradient of L_k; by s_k: 1 / 2 - w_k f_k L_k"
    cite = (
        "Kendall et al., Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018; "
        "Groenendijk et al., Multi-Loss Weighting with Coefficient of Variations, WACV 2021"
    )
    reference = "closed form; github.com/rickgroen/cov-weighting, by its formula"

    of: tuple[eh.Spec, ...] = field(metadata={"kind": "loss"})
    weights: tuple[float, ...] = ()
    by: Literal["sum", "uncertainty", "variation"] = "sum"
    likelihoods: tuple[str, ...] = ()
    decay: float | None = None
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    until: float = 0.5

    def __post_init__(self) -> None:
        if self.weights and len(self.weights) != len(self.of):
            raise ValueError(f"'weights' has {len(self.weights)} numbers for {len(self.of)} losses")
        if any(not (math.isfinite(weight) and weight >= 0) for weight in self.weights):
            raise ValueError("'weights' must be 0 or more")
        for option, by in (("likelihoods", "uncertainty"), ("decay", "variation")):
            if getattr(self, option) not in ((), None) and self.by != by:
                raise ValueError(
                    f"'{option}' is only read with by: {by}, not with by: {self.by}; leave it out, or write by: {by}"
                )
        unknown = [name for name in self.likelihoods if name not in self.components]
        if unknown:
            raise ValueError(f"'likelihoods' names '{unknown[0]}', which is none of: {', '.join(self.components)}")
        if not 0 < self.until <= 1 or not (self.decay is None or 0 <= self.decay < 1):
            raise ValueError("'until' must be above 0 and at most 1, 'decay' 0 or more and below 1")
        super().__post_init__()

    @cached_property
    def _constants(self) -> dict[str, tuple[eh.Loss, float]]:
        """The losses by name, each with its constant; those of a combined loss take its place."""
        found: dict[str, tuple[eh.Loss, float]] = {}
        for spec, weight in zip(self.of, self.weights or (1.0,) * len(self.of), strict=True):
            part = eh.load_loss(spec)
            if isinstance(part, Combine) and (part.by != "sum" or part.schedule != "constant"):
                raise ValueError("a combined loss within another must be a sum of constant weights (by: sum)")
            inner = part._constants if isinstance(part, Combine) else {part.name: (part, 1.0)}
            for name, (loss, own) in inner.items():
                if name in found:
                    raise ValueError(f"'of' has the loss '{name}' twice; each may stand once")
                found[name] = (loss, weight * own)
        if not found:
            raise ValueError("'of' must name at least one loss")
        return found

    @cached_property
    def components(self) -> Mapping[str, eh.Loss]:
        """The losses by name."""
        return {name: loss for name, (loss, _) in self._constants.items()}

    @property
    def pool(self) -> Literal["sum", "batch"]:  # type: ignore[override]
        """ "batch" where one of the losses is coupled across the batch."""
        return "batch" if any(loss.pool == "batch" for loss in self.components.values()) else "sum"

    @property
    def range(self) -> tuple[float | None, float | None] | None:  # type: ignore[override]
        """0 or more where every loss is; signed with learned variances, whose logarithms are added."""
        positive = all(loss.range is not None and loss.range[0] == 0 for loss in self.components.values())
        return (0, None) if positive and self.by != "uncertainty" else None

    @property
    def tags(self) -> tuple[str, ...]:  # type: ignore[override]
        """What holds of all the losses holds of their sum."""
        first, *others = (loss.tags for loss in self.components.values())
        return tuple(tag for tag in first if all(tag in other for other in others))

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The tensors that it needs."""
        return tuple(name for name, needed in self.accepts.items() if needed)

    @cached_property
    def accepts(self) -> Mapping[str, bool]:
        """The tensors that it reads by name, and whether each must be given."""
        found: dict[str, bool] = dict.fromkeys((*self._own_learned(), *self._own_carried()), False)
        if self.schedule != "constant":
            found["progress"] = False
        for loss in self.components.values():
            for name, needed in loss.accepts.items():
                found[name] = needed or found.get(name, False)
        return found

    def chosen(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the tensors that it reads; raises TypeError that names the loss which misses one."""
        own = {name: tensors[name] for name in self.accepts if tensors.get(name) is not None}
        for loss in self.components.values():
            own |= loss.chosen(tensors)
        return own

    def measure(self, *_: Any, **tensors: Any) -> dict[str, Any]:
        parts = {name: loss.statistics(**tensors) for name, loss in self.components.items()}
        found = {f"{name}/{key}": values for name, rows in parts.items() for key, values in rows.items()}
        return {**found, **self._factors(next(iter(found.values())), tensors)}

    def count(self, *_: Any, **tensors: Any) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for name, loss in self.components.items():
            counted = loss.count(**{key: tensors[key] for key in loss.accepts if key in tensors})
            if counted is None or self.by == "uncertainty":
                return None
            found |= {f"{name}/{key}": values for key, values in counted.items()}
        return {**found, **self._factors(next(iter(found.values())), tensors)}

    def _factors(self, like: Any, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the factors as statistics, so that those of a window are known, and learned ones get their gradient."""
        import torch

        dtype = like.dtype if like.is_floating_point() else torch.float32
        ones = torch.ones(len(like), dtype=dtype, device=like.device)
        factors = torch.stack([torch.as_tensor(value).to(ones) for value in self.weighting(**tensors).values()])
        offset = {"offset": ones * self._offset(tensors).to(ones)} if self.by == "uncertainty" else {}
        return {"factors": ones[:, None] * factors, "rows": ones, **offset}

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the weighted sum of the scores of the losses."""
        rows, total = sums["rows"], sums.get("offset", 0.0 * sums["rows"]) / sums["rows"]
        for index, (name, loss) in enumerate(self.components.items()):
            own = {key.removeprefix(f"{name}/"): value for key, value in sums.items() if key.startswith(f"{name}/")}
            total = total + sums["factors"][..., index] / rows * loss.score(**own)
        return total

    def loss(self, *_: Any, **tensors: Any) -> Any:
        """Return the weighted sum of one batch."""
        return self.combined({name: loss(**tensors) for name, loss in self.components.items()}, **tensors)

    def combined(self, values: Mapping[str, Any], **tensors: Any) -> Any:
        """Return the whole, given the value of each component: the weighted sum and, by uncertainty, half the log variances."""
        total = super().combined(values, **tensors)
        return total + self._offset(tensors) if self.by == "uncertainty" else total

    def weighting(self, **tensors: Any) -> dict[str, Any]:
        """Return the factor of each loss in the sum, given progress, learned and carried tensors."""
        rise = self._rise(tensors.get("progress"))
        own = {"sum": self._plain, "uncertainty": self._certainty, "variation": self._variation}[self.by](tensors)
        first = next(iter(own))
        constants = {name: weight for name, (_, weight) in self._constants.items()}
        return {name: constants[name] * value * (1.0 if name == first else rise) for name, value in own.items()}

    def _rise(self, progress: Any) -> Any:
        """Return which share of their weight the later losses have at this point of training."""
        import torch

        if progress is None or self.schedule == "constant":
            return 1.0
        done = (torch.as_tensor(progress) / self.until).clamp(0, 1)
        return done if self.schedule == "linear" else (1 - torch.cos(math.pi * done)) / 2

    def _plain(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(self.components, 1.0)

    def _certainty(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        variances = self._log_variances(tensors)
        return {name: (-s).exp() * (1.0 if name in self.likelihoods else 0.5) for name, s in variances.items()}

    def _offset(self, tensors: Mapping[str, Any]) -> Any:
        return sum(self._log_variances(tensors).values()) / 2

    def _log_variances(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        start = self._own_learned()
        return {name: torch.as_tensor(tensors.get(key, start[key])) for name, key in zip(self.components, start, strict=True)}

    def _own_learned(self) -> dict[str, float]:
        return {f"log_variance_{name}": 0.0 for name in self.components} if self.by == "uncertainty" else {}

    def learned(self) -> dict[str, Any]:
        """Return the learned tensors of the losses and, by uncertainty, their log variances, from 0 on."""
        of_parts = {key: start for loss in self.components.values() for key, start in loss.learned().items()}
        return {**of_parts, **self._own_learned()}

    def _variation(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        carried = {key: torch.as_tensor(tensors.get(key, start)).double() for key, start in self._own_carried().items()}
        spread = (carried["variation_spread"] / carried["variation_steps"] + _FLOOR).sqrt() / carried["variation_ratio"]
        equal = torch.full_like(spread, 1 / len(spread))
        factors = torch.where(carried["variation_steps"] <= 1, equal, spread / spread.sum())
        return dict(zip(self.components, factors, strict=True))

    def _own_carried(self) -> dict[str, Any]:
        if self.by != "variation":
            return {}
        zeros = [0.0] * len(self.components)
        return {"variation_steps": 0.0, "variation_loss": zeros, "variation_ratio": zeros, "variation_spread": zeros}

    def carried(self) -> dict[str, Any]:
        """Return what the losses carry and, by variation, the running means of losses and of their ratios."""
        of_parts = {key: start for loss in self.components.values() for key, start in loss.carried().items()}
        return {**of_parts, **self._own_carried()}

    def carry(self, values: Mapping[str, float], **carried: Any) -> dict[str, Any]:
        """Return the running moments after a step at which the losses had these values (Welford's algorithm)."""
        found: dict[str, Any] = {}
        for name, loss in self.components.items():
            found |= loss.carry({name: values[name]}, **{key: carried[key] for key in loss.carried()})
        return {**found, **(self._moments(values, carried) if self.by == "variation" else {})}

    def _moments(self, values: Mapping[str, float], carried: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        before = {key: torch.as_tensor(carried[key]).double() for key in self._own_carried()}
        steps = before["variation_steps"]
        losses = torch.stack([torch.as_tensor(values[name]).to(steps) for name in self.components])
        first = steps == 0
        ratio = losses / torch.where(first, losses, before["variation_loss"])
        kept = torch.where(first, 0.0, 1 - 1 / (steps + 1) if self.decay is None else self.decay)
        mean = kept * before["variation_ratio"] + (1 - kept) * ratio
        return {
            "variation_steps": steps + 1,
            "variation_loss": kept * before["variation_loss"] + (1 - kept) * losses,
            "variation_ratio": mean,
            "variation_spread": before["variation_spread"] + (ratio - before["variation_ratio"]) * (ratio - mean),
        }


LOSSES: tuple[type[eh.Loss], ...] = (Combine,)
