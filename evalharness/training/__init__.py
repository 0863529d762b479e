"""Training under any loss: the Trainer that supplies tensors by name, and the tasks that compare losses by metrics."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {"LossTrainer": "evalharness.training.trainer", "run": "evalharness.training.running"}

__all__ = ["LossTrainer", "run"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, since it needs torch and transformers."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'evalharness.training' has no attribute '{name}'")
