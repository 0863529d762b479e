"""Which places of a batch predict a label, how much each counts, and which labels stand before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from evalharness_losses.once import Once

IGNORED = -100
Normalise = Literal["token", "sample", "batch"]


@dataclass(frozen=True, eq=False)
class Places:
    """What each place predicts and how much it counts.

    `targets` (batch, tokens): the label that a place predicts, -100 for none. `shares` (batch, tokens): how much its value
    counts in the loss of its row; 0 for none. `weight` (batch,): what the rows' losses are divided by, summed.
    """

    targets: Any
    shares: Any
    weight: Any


def placed(labels: Any, token_weight: Any, sample_weight: Any, document_ids: Any, normalise: Normalise) -> Places:
    """Return the places of labels (batch, tokens) under these weights, None where there are none.

    A place predicts the label after it, unless that begins another document. Packed documents are samples of their own.
    """
    import torch
    from torch.nn import functional

    targets = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    if document_ids is not None:
        targets = targets.masked_fill(functional.pad(_begins(document_ids), (0, 1), value=True), IGNORED)
    kind = torch.float64 if labels.device.type == "cpu" else torch.float32
    weight = (targets != IGNORED).to(kind)
    if token_weight is not None:
        weight = torch.where(weight > 0, functional.pad(token_weight[:, 1:], (0, 1)).to(kind), 0.0)
    of_row = weight.new_ones(len(weight)) if sample_weight is None else sample_weight.to(kind)
    if normalise == "token":
        shares = weight * of_row[:, None]
        return Places(targets, shares, shares.sum(-1))
    document = document_of_row(labels, document_ids)
    totals = torch.zeros_like(weight).scatter_add(-1, document, weight)
    if normalise == "sample":
        weight = torch.where(weight > 0, weight / totals.gather(-1, document), 0.0)
    return Places(targets, weight * of_row[:, None], (totals > 0).sum(-1) * of_row)


def document_of_row(labels: Any, document_ids: Any) -> Any:
    """Return which document of its row each token belongs to, counted from 0: a new one begins where the id changes."""
    import torch

    if document_ids is None:
        return torch.zeros_like(labels)
    return torch.nn.functional.pad(_begins(document_ids), (1, 0)).cumsum(-1)


def _begins(document_ids: Any) -> Any:
    """Return whether each token but the first begins another document than the one before it."""
    return document_ids[:, 1:] != document_ids[:, :-1]


class Earlier:
    """The labels that stand before each place in its document: each once, and never the one that the place predicts.

    Called with a slice of the places it returns them, (places, tokens), -100 where there is none.
    """

    def __init__(self, labels: Any, document_ids: Any, places: Any, targets: Any) -> None:
        self._labels, self._documents = labels, document_of_row(labels, document_ids)
        self._places, self._targets = places, targets

    @Once
    def _first(self) -> Any:
        """Whether a label stands at its first place in its document, (batch, tokens)."""
        import torch

        words = self._labels - IGNORED  # from 0
        order = (self._documents * (words.max() + 1) + words).sort(dim=-1, stable=True)
        first = torch.nn.functional.pad(order.values[:, 1:] != order.values[:, :-1], (1, 0), value=True)
        return torch.zeros_like(first).scatter(-1, order.indices, first) & (self._labels != IGNORED)

    def __call__(self, part: slice) -> Any:
        import torch

        places = self._places[part]
        rows, at = places // self._labels.shape[1], places % self._labels.shape[1]
        labels, documents = self._labels[rows], self._documents[rows]
        before = torch.arange(labels.shape[1], device=labels.device) <= at[:, None]
        same = documents == documents.gather(-1, at[:, None])
        candidates = before & same & self._first[rows] & (labels != self._targets[part, None])
        return labels.masked_fill(~candidates, IGNORED)
