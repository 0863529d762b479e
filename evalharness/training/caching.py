"""A loss that couples a whole batch, through an encoder that sees a few samples at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Encode = Callable[[Any], Any]
RandomState = tuple[Any, list[Any]]


def cached_loss(encode: Encode, inputs: Mapping[str, Sequence[Any]], loss: Callable[..., Any], **tensors: Any) -> Any:
    """Return the loss of a whole batch as a scalar whose backward pass goes through the encoder by micro-batches.

    `inputs` holds for each tensor that the loss reads ("query", "positive", ...) the micro-batches that `encode` turns into
    it, each with a leading axis of its samples; `tensors` are handed to the loss as they are. Everything is encoded once
    without gradients, and the gradients of the loss by these embeddings are kept. The backward pass encodes each micro-batch
    again, with the random numbers of the first time, so that dropout is the same: gradients are those of one large batch, in
    the memory of a micro-batch (Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup).

    >>> import torch
    >>> encoder = torch.nn.Linear(1, 1, bias=False)
    >>> cached_loss(encoder, {"query": torch.ones(4, 1).split(2)}, lambda query: (query ** 2).sum()).backward()
    >>> bool(torch.allclose(encoder.weight.grad, 8 * encoder.weight))
    True
    """
    import torch

    with torch.no_grad():
        first = {name: [(part, _random_state(), encode(part)) for part in parts] for name, parts in inputs.items()}
    leaves = {name: torch.cat([embedded for *_, embedded in done]) for name, done in first.items()}
    if not torch.is_grad_enabled():
        return loss(**leaves, **tensors)
    value = loss(**{name: leaf.requires_grad_() for name, leaf in leaves.items()}, **tensors)
    value.backward()
    kept = []
    for name, done in first.items():
        slopes = leaves[name].grad.split([len(embedded) for *_, embedded in done])
        kept += [(part, state, slope) for (part, state, _), slope in zip(done, slopes, strict=True)]

    def second_pass(slope: Any) -> None:
        for part, state, of_embeddings in kept:
            with torch.enable_grad(), _random_numbers_of(state):
                again = encode(part)
            again.backward(of_embeddings * slope)

    found = value.detach().requires_grad_()
    found.register_hook(second_pass)
    return found


@contextmanager
def _random_numbers_of(state: RandomState) -> Iterator[None]:
    """Draw random numbers from a state within, and go on where they were afterwards."""
    before = _random_state()
    _restore(state)
    try:
        yield
    finally:
        _restore(before)


def _random_state() -> RandomState:
    """Return the states of the generators, of the processor and of each device that is in use."""
    import torch

    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def _restore(state: RandomState) -> None:
    import torch

    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
