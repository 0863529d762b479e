"""Prompts that go on in one batch, padded at the left: the way of models that take no passes without padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evalharness_hf.network import inputs_device, padded_left

# What a pass is told of the tokens before it: those of attention, and the state of a state-space model, which holds no padding.
CACHES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "past_key_values": lambda mask: {"attention_mask": mask, "position_ids": mask.sum(1, keepdim=True) - 1},
    "cache_params": lambda mask: {},
}


class Batch:
    """Rows of tokens at work; `logits` are those of what comes next in each row, (rows, vocabulary)."""

    def __init__(self, model: Any, rows: Sequence[Sequence[int]]) -> None:
        padded = padded_left(rows, inputs_device(model))
        self._model, self._mask = model, padded.mask
        self._run(input_ids=padded.ids, attention_mask=padded.mask, position_ids=padded.positions)

    def go_on(self, kept: Sequence[int], tokens: Sequence[int]) -> None:
        """Run one token more of each row that stays; `kept` are their numbers."""
        import torch

        device = self._mask.device
        if len(kept) < len(self._mask):
            self._cache.reorder_cache(torch.tensor(kept, device=device))
            self._mask = self._mask[kept]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(kept), 1)], dim=1)
        ids = torch.tensor([[token] for token in tokens], device=device)
        self._run(**{self._name: self._cache}, input_ids=ids, **CACHES[self._name](self._mask))

    def _run(self, **inputs: Any) -> None:
        import torch

        with torch.inference_mode():
            out = self._model(**inputs, use_cache=True, logits_to_keep=1)
        name = next((name for name in CACHES if name in out), None)
        if name is None:
            raise TypeError(f"{type(self._model).__name__} gives back no cache of what it read")
        self._name, self._cache, self.logits = name, out[name], out.logits[:, -1]
