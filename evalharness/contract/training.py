"""What a training task is made of beside its loss: rules, which change training but are no scalar, and networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from evalharness.contract.spec import Plugin, Spec


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
    - `reads`: "text" for a language model, "table" for a network over the features of a row.
    - `kept`: what the run folder calls the folder of what was trained.

    A network over a table takes `features=` (rows, columns) and returns (rows,), or (rows, classes) where the target is one
    of several: a tensor, or a mapping of `prediction` and `logits`. One over text is a transformers model.
    """

    needs: ClassVar[str] = ""
    reads: ClassVar[Literal["text", "table"]] = "text"
    kept: ClassVar[str] = "weights"

    @property
    def routed(self) -> bool:
        """Whether it is a mixture of experts, which gives `router_logits` and `router_indices`; found without building it."""
        return False

    def check(self) -> None:
        """Raise UsageError where it cannot be built as its options say; called before anything is trained."""

    @abstractmethod
    def build(self, data: Any, seed: int) -> Any:
        """Return the torch module to train, for this training data; random weights follow from the seed alone.

        Of a table, `data` says `columns`, the number of features, and `classes`, 0 where the target is a number.
        """
        raise NotImplementedError

    def tokenizer(self) -> Any:
        """Return the tokenizer of the transformers library that a network over text reads with."""
        raise NotImplementedError(f"network '{self.name}' reads no text")

    def start(self) -> Spec | None:
        """Return the model plugin that answers as the network does before training; None where it must be saved first."""
        return None

    def save(self, module: Any, folder: str) -> Spec | None:
        """Write what was trained to a folder and return the model plugin that answers with it; None where none does."""
        return None
