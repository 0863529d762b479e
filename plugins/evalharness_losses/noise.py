"""Noise on embeddings, as a training rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import evalharness as eh


class Neftune(eh.TrainingRule):
    """NEFTune: adds uniform noise to the input embeddings of each training step; the loss stays as it is.

    Each number of an embedding gets noise from U(-a, a), a = alpha / sqrt(L d), L the tokens of a row, padding included, d
    the width of the embeddings. Only in training mode, and only between the start of a step and its optimiser: no hook stays
    on the model. alpha above 0, in practice 5 to 15. Raises UsageError for a model without input embeddings. Reference:
    transformers.integrations.neftune (the same noise from the same generator); Jain et al., NEFTune: Noisy Embeddings
    Improve Instruction Finetuning, ICLR 2024.

    >>> import torch
    >>> class Model(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embed = torch.nn.Embedding(3, 4)
    ...     def get_input_embeddings(self):
    ...         return self.embed
    >>> model, rule, ids = Model(), Neftune(alpha=2.0), torch.tensor([[0, 1]])
    >>> rule.before_step(model)
    >>> bool(0 < (model.embed(ids) - model.embed.weight[ids]).abs().max() <= 2 / 8**0.5)
    True
    >>> rule.after_backward({}, model)
    >>> bool((model.embed(ids) == model.embed.weight[ids]).all())
    True
    """

    name = "neftune"

    alpha: float = 5.0
    # Those that are on a model now.
    _hooks: list[Any] = field(default_factory=list, init=False, repr=False, compare=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ValueError(f"alpha is {self.alpha}, but must be above 0")

    def before_step(self, model: Any) -> None:
        """Put the noise on the output of the input embeddings."""
        self._remove()  # of a step that failed
        found = getattr(model, "get_input_embeddings", lambda: None)()
        if found is None:
            raise eh.UsageError(f"rule 'neftune' needs a model with input embeddings, which {type(model).__name__} has not")
        self._hooks.append(found.register_forward_hook(self._with_noise))

    def after_backward(self, parts: Mapping[str, Any], model: Any) -> None:
        """Take the noise off again."""
        self._remove()

    def _remove(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _with_noise(self, module: Any, _: Any, output: Any) -> Any:
        import torch

        if not module.training:
            return output
        reach = self.alpha / math.sqrt(output.shape[1] * output.shape[2])
        return output + torch.zeros_like(output).uniform_(-reach, reach)
