"""What is wrong with a batch, said with the tensor, its shape and the sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.errors import DataError

IGNORED = -100
NAMED = 8  # samples that a message names


class BatchError(DataError):
    """A fault of a batch whose samples are named."""


def named(samples: Sequence[Sequence[str]]) -> str:
    """Return the samples of some rows as a message names them.

    >>> named([("a",), ("b", "c")])
    "'a', 'b', 'c'"
    """
    ids = list(dict.fromkeys(sample for row in samples for sample in row))
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(f"'{sample}'" for sample in ids[:NAMED]) + more


def with_samples(error: DataError, batch: Mapping[str, Any]) -> DataError:
    """Return the error of a loss with the id of the sample, where it names a row of the batch.

    >>> str(with_samples(DataError("'logits' is NaN in sample 1 of the batch"), {"samples": (("a",), ("b",))}))
    "'logits' is NaN in sample 'b' (row 1 of the batch)"
    """
    samples = batch.get("samples")
    if samples is None or isinstance(error, BatchError):
        return error
    found = re.search(r"sample (\d+) of the batch", str(error))
    if found is None or int(found[1]) >= len(samples):
        return BatchError(f"{error} (samples of the batch: {named(samples)})")
    row = int(found[1])
    kind = "sample" if len(samples[row]) == 1 else "one of the samples"
    return BatchError(str(error).replace(found[0], f"{kind} {named([samples[row]])} (row {row} of the batch)"))


def refuse_unknown_tokens(batch: Mapping[str, Any], sizes: Mapping[str, int | None]) -> None:
    """Raise DataError where `input_ids` or `labels` lie outside of the vocabulary that `sizes` gives for each."""
    for name, size in sizes.items():
        if size is None or name not in batch or batch[name].ndim != 2:
            continue
        low = (batch[name] < 0) & (batch[name] != IGNORED) if name == "labels" else batch[name] < 0
        wrong = (low | (batch[name] >= size)).nonzero()
        if len(wrong):
            row, place = wrong[0].tolist()
            what = f"'{name}' {tuple(batch[name].shape)} is {int(batch[name][row, place])} at place {place}"
            message = f"{what} of sample {row} of the batch; the model knows the tokens 0 to {size - 1}"
            raise with_samples(DataError(message), batch)


def refuse_infinite(loss: str, sums: Mapping[str, Any], tensors: Mapping[str, Any], batch: Mapping[str, Any]) -> None:
    """Raise DataError where a sum is not finite; it names the tensor that is to blame and the first sample of it."""
    import torch

    broken = [name for name, value in sums.items() if not bool(torch.isfinite(value).all())]
    if not broken:
        return
    for name, tensor in tensors.items():
        wrong = _first_infinite(tensor)
        if wrong is not None:
            what = f"'{name}' {tuple(tensor.shape)} is not finite in sample {wrong} of the batch"
            raise with_samples(DataError(f"loss '{loss}': {what}"), batch)
    why = "though all tensors that it reads are: numbers too large, or no weight above 0 in this step"
    raise with_samples(DataError(f"loss '{loss}': its '{broken[0]}' is not finite, {why}"), batch)


def _first_infinite(tensor: Any) -> int | None:
    import torch

    if not torch.is_tensor(tensor) or not tensor.is_floating_point() or not tensor.ndim:
        return None
    rows = (~torch.isfinite(tensor.detach()).flatten(1).all(1) if tensor.ndim > 1 else ~torch.isfinite(tensor.detach())).nonzero()
    return int(rows[0]) if len(rows) else None


def labelled(batch: Mapping[str, Any]) -> Any:
    """Return how many tokens of a batch count."""
    counts = batch["labels"][:, 1:] != IGNORED
    return (counts & (batch["token_weight"][:, 1:] > 0) if "token_weight" in batch else counts).sum()


def nothing_counts(batches: Sequence[Mapping[str, Any]]) -> DataError:
    """Return the error of a window in which no token counts."""
    shapes = ", ".join(str(tuple(batch["labels"].shape)) for batch in batches[:3])
    samples = named([row for batch in batches for row in batch.get("samples", ())]) or "not known"
    return DataError(f"no token counts in this step: every one of 'labels' {shapes} is masked or weighs 0. Samples: {samples}")
