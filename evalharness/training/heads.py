"""A language model without its output layer: the hidden states before it and its matrix, so that logits need not exist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LARGE = 50.0  # logits of this size show a cap or a scale, which small ones hide


class Head:
    """The output layer of a language model that is one matrix and nothing more.

    `removed()` puts the hidden states in the place of the logits while it lasts.
    """

    def __init__(self, parent: Any, name: str) -> None:
        self._parent, self._name = parent, name
        self.layer = getattr(parent, name)

    @property
    def weight(self) -> Any:
        """The matrix (vocabulary, width)."""
        return self.layer.weight

    @contextmanager
    def removed(self) -> Iterator[None]:
        """Let the model give its hidden states where it gives logits, whatever wraps it (adapters, compilation, processes)."""
        from torch.nn import Identity

        with self.replaced(Identity()):
            yield

    @contextmanager
    def replaced(self, other: Any) -> Iterator[None]:
        """Put another module in the place of the layer."""
        setattr(self._parent, self._name, other)
        try:
            yield
        finally:
            setattr(self._parent, self._name, self.layer)


def head_of(model: Any) -> Head | None:
    """Return the output layer of a language model, None where logits are more than hidden states times one matrix.

    So it is with a bias, with an adapter on the layer, and with models that scale or cap their logits, which is tried out
    with large ones.
    """
    from torch import nn

    layer = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if layer is None or type(layer) is not nn.Linear or layer.bias is not None:
        return None
    places = [(module, name) for module in model.modules() for name, child in module.named_children() if child is layer]
    head = Head(*places[0]) if len(places) == 1 else None
    return head if head is not None and _gives_logits_unchanged(model, head) else None


def _gives_logits_unchanged(model: Any, head: Head) -> bool:
    """Return whether a model returns what its output layer does, as it is."""
    import torch

    given = torch.linspace(-LARGE, LARGE, head.weight.shape[0], device=head.weight.device)
    layer = torch.nn.Identity()
    layer.register_forward_hook(lambda module, inputs, hidden: given.to(hidden.dtype).expand(*hidden.shape[:-1], -1))
    training = model.training
    with torch.no_grad(), head.replaced(layer):
        logits = model.eval()(input_ids=torch.zeros(1, 2, dtype=torch.int64, device=given.device)).logits
    model.train(training)
    return logits.shape[-1:] == given.shape and torch.allclose(logits.float(), given.expand_as(logits), rtol=1e-2)
