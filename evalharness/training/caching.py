"""Gradients of a loss that couples a whole batch, through an encoder that sees a few samples at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def cached_gradients(
    encode: Callable[[Any], Any], inputs: Mapping[str, Sequence[Any]], loss: Callable[..., Any], **tensors: Any
) -> Any:
    """Add to the parameters' gradients those of `loss` over the whole batch, and return its value, detached.

    `inputs` holds for each tensor that the loss reads ("query", "positive", ...) the micro-batches that `encode` turns into
    it, each with a leading axis of its samples; `tensors` are handed to the loss as they are. Everything is encoded once
    without gradients, the loss is taken at these embeddings, and each micro-batch is encoded again to pass its part on, with
    the random numbers of the first time, so that dropout is the same: gradients are those of one large batch, in the memory
    of a micro-batch (Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup).

    >>> import torch
    >>> encoder = torch.nn.Linear(1, 1, bias=False)
    >>> parts = {"query": torch.ones(4, 1).split(2)}
    >>> value = cached_gradients(encoder, parts, lambda query: (query ** 2).sum())
    >>> bool(torch.allclose(encoder.weight.grad, 8 * encoder.weight))
    True
    """
    import torch

    states: dict[str, list[Any]] = {name: [] for name in inputs}
    found: dict[str, list[Any]] = {name: [] for name in inputs}
    with torch.no_grad():
        for name, parts in inputs.items():
            for part in parts:
                states[name].append(_random_state(torch))
                found[name].append(encode(part))
    leaves = {name: torch.cat(parts).requires_grad_() for name, parts in found.items()}
    value = loss(**leaves, **tensors)
    value.backward()
    for name, parts in inputs.items():
        slopes = leaves[name].grad.split([len(part) for part in found[name]])
        for part, state, slope in zip(parts, states[name], slopes, strict=True):
            with _random_numbers_of(torch, state):
                again = encode(part)
            again.backward(slope)
    return value.detach()


def _random_state(torch: Any) -> tuple[Any, list[Any]]:
    """Return the state of the generators, of the processor and of each device that was used."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


@contextmanager
def _random_numbers_of(torch: Any, state: tuple[Any, list[Any]]) -> Iterator[None]:
    """Draw random numbers from a state within, and go on where they were afterwards."""
    before = _random_state(torch)
    _restore(torch, state)
    try:
        yield
    finally:
        _restore(torch, before)


def _restore(torch: Any, state: tuple[Any, list[Any]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
