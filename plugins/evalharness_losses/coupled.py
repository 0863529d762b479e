"""What losses that couple the samples of a batch have in common: one scalar of the whole batch, weighted by sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import evalharness as eh
from evalharness_losses.declaring import Limit, check_limits
from evalharness_losses.tensors import all_filled, check, check_named, check_weight, in_full


class Coupled(eh.Loss):
    """A loss of a whole batch. Under accumulation each micro-batch is a batch of its own: its share is its value."""

    pool: ClassVar[Literal["sum", "rows", "batch"]] = "batch"
    limits: ClassVar[Mapping[str, Limit]] = {}  # what options must be

    def __post_init__(self) -> None:
        check_limits(self, self.limits)

    def whole(self, **tensors: Any) -> Any:
        """Return the loss of one batch; raises DataError where no sample of it has a weight."""
        import torch

        weight = tensors.get("sample_weight")
        if weight is not None and not torch.compiler.is_compiling() and not bool(weight.any()):
            shape = tuple(weight.shape)
            raise eh.DataError(f"loss '{self.name}': 'sample_weight' {shape} gives no sample of the batch a weight")
        return super().whole(**tensors)

    def prepared(self, sample_weight: Any, **tensors: Any) -> tuple[dict[str, Any], Any]:
        """Return the tensors in float32 or better, checked and harmless where a sample weighs nothing, and the weights."""
        import torch

        given = {name: in_full(tensor) for name, tensor in tensors.items() if tensor is not None}
        first = next(iter(given.values()))
        if sample_weight is None:
            weight = torch.ones(len(first), dtype=torch.float32, device=first.device)
        else:
            weight = in_full(sample_weight)
            check_weight(self.name, weight, given)
            given = all_filled(given, weight > 0)
        check(self.name, given)
        check_named(self.name, given)
        return given, weight.to(first.dtype)


def mean(values: Any, weight: Any) -> Any:
    """Return the weighted mean; 0 where nothing has a weight, as in a micro-batch that is all padding."""
    import torch

    return (values * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
