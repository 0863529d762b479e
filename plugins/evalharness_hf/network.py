"""Loads language models, once each, and runs them over padded batches."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import evalharness as eh
from evalharness_hf.adapters import adapter_digest, merged

# How layers are put on several GPUs, in the words of transformers' device_map.
SPREAD = ("balanced", "balanced_low_0", "sequential")
INSTALL = "Install with: pip install 'evalharness[hf]'"


@dataclass(frozen=True)
class Padded:
    """Rows of tokens as one batch: `ids`, `mask` (1 where a token stands) and `positions`, each int64 (rows, tokens)."""

    ids: Any
    mask: Any
    positions: Any


def padded_left(rows: Sequence[Sequence[int]], device: Any) -> Padded:
    """Return the rows aligned at their ends; what stands before a row is masked, and its positions start at 0."""
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], dtype=torch.long, device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], dtype=torch.long, device=device)
    return Padded(ids, mask, (mask.cumsum(1) - 1).clamp(min=0))


@functools.lru_cache(maxsize=2)
def _language_model(folder: Path, adapter: str | None, digest: str, dtype: str, device: str) -> Any:
    torch = import_torch()
    from transformers import AutoModelForCausalLM

    spread = {"device_map": device} if device in SPREAD else {}
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True, **spread)
        if adapter is not None:
            model = merged(model, adapter)
    return (model if spread else model.to(device)).eval()


def language_model(weights: str, adapter: str | None, dtype: str, device: str) -> Any:
    """Return the language model of the weights of that name, adapters merged in, ready on its device; loaded once.

    Raises WeightsError where it cannot be loaded or placed there.
    """
    folder, where = eh.resolve_weights(weights), device if device in SPREAD else place(device)
    try:
        content = eh.digest([eh.weights_digest(weights), None if adapter is None else adapter_digest(adapter)])
        return _language_model(folder, adapter, content, dtype, where)
    except eh.EvalharnessError:
        raise
    except Exception as error:  # transformers and torch raise many kinds
        reason = f"{type(error).__name__}: {error}"
        what = f"weights '{weights}'" + ("" if adapter is None else f" with the adapter {adapter}")
        raise eh.WeightsError(f"{what} could not be loaded on device '{where}': {reason}{instead_of(where)}") from error


def inputs_device(model: Any) -> Any:
    """Return the device that a model takes tokens on: that of its embeddings."""
    return model.get_input_embeddings().weight.device


_PLAIN_HEADS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def has_plain_head(model: Any) -> bool:
    """Whether logits are what the output embeddings make of the last hidden states, and nothing is done to them after.

    The model itself is asked, with two tokens: some scale their logits or bound them, each in code of its own.
    """
    if model not in _PLAIN_HEADS:
        _PLAIN_HEADS[model] = _applies_head_alone(model)
    return _PLAIN_HEADS[model]


def _applies_head_alone(model: Any) -> bool:
    import torch

    ids = torch.tensor([[0, 1]], device=inputs_device(model))
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits
        try:
            states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            return torch.equal(model.get_output_embeddings()(states).float().to(logits.device), logits.float())
        except Exception:  # models of other people's code have other parts, and need not be called by them
            return False


def import_torch() -> Any:
    """Return torch; raises WeightsError that says how to install it."""
    try:
        import torch
    except ImportError as error:
        raise eh.WeightsError(f"local models need torch, which is not installed. {INSTALL}") from error
    return torch


def place(device: str) -> str:
    """Return the one device to run on: the named one, or for `auto` and what spreads layers the GPU if there is one."""
    if device not in ("auto", *SPREAD):
        return device
    return "cuda" if import_torch().cuda.is_available() else "cpu"


def instead_of(device: str) -> str:
    """Return what to name in place of a device that this machine has not; "" where it has it."""
    found, kind = import_torch().accelerator, device.partition(":")[0]
    there = found.current_accelerator().type if found.is_available() else None
    names = ["cpu", *(f"{there}:{number}" for number in range(found.device_count() if there else 0))]
    if device in (*SPREAD, there, *names) or kind == "cpu":
        return ""
    return f". This machine has {', '.join(names)}: name one as the option 'device', or leave it at auto"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and deprecation warnings while they load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
