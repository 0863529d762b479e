"""Networks over the features of a table: linear, and layers with a nonlinearity between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import evalharness as eh

ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "gelu": "GELU"}


class Linear(eh.Network):
    """One number a row, linear in its features; as many as there are classes where the target is one of several.

    `bias`: whether a constant is added. Weights start at 0, so that all seeds start alike.
    """

    name, needs, reads = "linear", "hf", "table"

    bias: bool = True

    def build(self, data: Any, seed: int) -> Any:
        import torch

        layer = torch.nn.Linear(data.columns, _outputs(data), bias=self.bias)
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
        return _of_features(layer)


class Perceptron(eh.Network):
    """Linear layers with a nonlinearity between them, over the features of a row.

    `width`: the size of each hidden layer; `layers`: how many there are. Weights start as torch draws them.
    """

    name, needs, reads = "mlp", "hf", "table"
    example: ClassVar[Mapping[str, Any]] = {"width": 32}

    width: int = 32
    layers: int = 1
    activation: Literal["relu", "tanh", "gelu"] = "relu"

    def __post_init__(self) -> None:
        if self.width < 1 or self.layers < 1:
            raise ValueError("'width' and 'layers' must be at least 1")

    def build(self, data: Any, seed: int) -> Any:
        import torch

        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            sizes = [data.columns, *[self.width] * self.layers]
            hidden = [
                layer
                for inside, outside in pairwise(sizes)
                for layer in (torch.nn.Linear(inside, outside), getattr(torch.nn, ACTIVATIONS[self.activation])())
            ]
            return _of_features(*hidden, torch.nn.Linear(sizes[-1], _outputs(data)))


def _outputs(data: Any) -> int:
    return data.classes if data.classes > 2 else 1


def _of_features(*layers: Any) -> Any:
    """Return a module that takes features by name; where it makes one number a row, that has no axis of its own."""
    import torch

    class OfFeatures(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, layers: Sequence[Any]) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(*layers)

        def forward(self, features: Any) -> Any:
            made = self.layers(features)
            return made.squeeze(-1) if made.shape[-1] == 1 else made

    return OfFeatures(layers)
