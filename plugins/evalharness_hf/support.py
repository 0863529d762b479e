"""What the attention of a model can take, found by trying it once: a few tokens run in each way must give the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from evalharness_hf import prefix

CLOSE = {"torch.float32": 1e-3, "torch.float16": 0.1}  # natural logarithms
COARSE = 0.5  # in bfloat16, of 8 bits
_REFUSED: WeakKeyDictionary[Any, dict[Callable[[Any], float], str]] = WeakKeyDictionary()


def reuses(model: Any) -> bool:
    """Whether rows may be continued from keys and values that `prefix.of` keeps."""
    return not _refusal(model, _reuse_difference)


def _refusal(model: Any, difference: Callable[[Any], float]) -> str:
    """Return why a model cannot run in a way, "" where it can; tried once for each loaded model."""
    known = _REFUSED.setdefault(model, {})
    if difference not in known:
        try:
            off = difference(model)
        except Exception as error:  # models refuse in many ways
            known[difference] = f"{type(error).__name__}: {error}"
        else:
            same = off <= CLOSE.get(str(model.dtype), COARSE)
            known[difference] = "" if same else f"log-probabilities differed by {off:.2g}"
    return known[difference]


def _reuse_difference(model: Any) -> float:
    """Return how far two rows continued from a kept prefix are from the same rows run whole."""
    import torch

    head, tails = _tokens(model, 0, 6), [_tokens(model, 50, 4), _tokens(model, 90, 4)]
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([head + tail for tail in tails], device=model.device), use_cache=False).logits[:, 6:]
        states = [prefix.extended(model, prefix.joined([]), head[:3])]
        states.append(prefix.extended(model, prefix.joined(states), head[3:]))
        cache = prefix.joined(states, rows=2)
        continued = model(input_ids=torch.tensor(tails, device=model.device), past_key_values=cache, use_cache=True).logits
        return float((whole.float().log_softmax(-1) - continued.float().log_softmax(-1)).abs().max())


def _tokens(model: Any, first: int, count: int) -> list[int]:
    vocabulary = model.config.get_text_config().vocab_size
    return [(first + number) * 7919 % vocabulary for number in range(count)]
