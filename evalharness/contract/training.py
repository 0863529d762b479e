"""What a training task is made of beside its loss: rules, which change training but are no scalar, and networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from evalharness.contract.spec import Plugin


class TrainingRule(Plugin):
    """What changes training but is no scalar: a router bias update, gradient surgery, embedding noise.

    `parts` of `after_backward` are the gradients of each component of the loss, already weighted: by component, the
    gradient of each trained parameter by its name. They are computed only for rules with `splits = True`, since each
    costs a backward pass; such a rule writes the gradients that the optimiser takes, into `parameter.grad`.
    """

    splits: ClassVar[bool] = False

    def before_step(self, model: Any) -> None:
        """Called before each optimiser step's forward passes."""

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Called after the gradients of all parts are known and before the optimiser steps."""


class Network(Plugin):
    """A model that a training task trains: how it is built, and how what was trained is kept.

    - `needs`: the extra of the distribution that it needs ("hf"), or "".
    """

    needs: ClassVar[str] = ""

    @abstractmethod
    def build(self, data: Any, seed: int) -> Any:
        """Return the torch module to train, for this training data; random weights follow from the seed alone."""
        raise NotImplementedError
