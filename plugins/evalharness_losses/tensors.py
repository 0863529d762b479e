"""What every loss does with its tensors: numbers in float32 or better, and clear errors for what cannot be computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import evalharness as eh


def in_full(tensor: Any) -> Any:
    """Return a half-precision tensor in float32, any other as it is."""
    import torch

    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check(loss: str, tensors: Mapping[str, Any]) -> None:
    """Raise DataError that names the loss, the tensor, its shape and the sample where a number is NaN.

    Nothing is checked while torch.compile traces, where a value cannot be looked at.
    """
    import torch

    if torch.compiler.is_compiling():
        return
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and bool(torch.isnan(tensor.detach()).any()):
            row = (
                int(torch.isnan(tensor.detach()).flatten(1).any(1).nonzero()[0])
                if tensor.ndim > 1
                else int(torch.isnan(tensor.detach()).nonzero()[0])
            )
            raise eh.DataError(f"loss '{loss}': '{name}' {tuple(tensor.shape)} is NaN in sample {row} of the batch")
