"""Comparing a loss with another computation of it, in value and gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

Compute = Callable[..., Any]
Tensors = Mapping[str, Any]


def value_and_gradients(compute: Compute, tensors: Tensors) -> tuple[Any, dict[str, Any]]:
    """Return a scalar of named tensors and its gradients by each floating one."""
    leaves = {
        name: value.detach().clone().requires_grad_() if torch.is_tensor(value) and value.is_floating_point() else value
        for name, value in tensors.items()
    }
    found = compute(**leaves)
    found.backward()
    floats = {name: leaf for name, leaf in leaves.items() if torch.is_tensor(leaf) and leaf.requires_grad}
    return found.detach(), {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in floats.items()}


@pytest.fixture
def same() -> Callable[..., Any]:
    """Give a function that holds a computation against an oracle on the same tensors and returns the common value."""

    def compare(ours: Compute, theirs: Compute, tensors: Tensors, rtol: float = 1e-6, atol: float = 1e-12) -> Any:
        (value, slopes), (expected, expected_slopes) = value_and_gradients(ours, tensors), value_and_gradients(theirs, tensors)
        torch.testing.assert_close(value, expected, rtol=rtol, atol=atol, check_dtype=False)
        for name, slope in slopes.items():
            torch.testing.assert_close(
                slope, expected_slopes[name], rtol=rtol, atol=atol, msg=lambda told, name=name: f"gradient by {name}: {told}"
            )
        return value

    return compare
