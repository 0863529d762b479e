"""Log-probabilities of the labelled tokens of sequences, as preference and sequence losses read them.

`labels` stand under the tokens that they name: what is predicted at one place is held against the label at the next.
"""

from __future__ import annotations

from typing import Any

IGNORED = -100
AT_A_TIME = 1024  # tokens whose logits exist at one moment


def sequence_logps(logits: Any, labels: Any) -> tuple[Any, Any]:
    """Return the sum of log-probabilities of each sequence's labelled tokens, in nats, 0 or less, and their number.

    `logits` (batch, tokens, vocabulary) and `labels` (batch, tokens), -100 left out; both results are (batch,), the sums in
    float32 or better, the numbers int64. A sequence without labels has the sum 0.

    >>> import torch
    >>> sums, tokens = sequence_logps(torch.zeros(1, 4, 10), torch.tensor([[-100, -100, 3, 7]]))
    >>> round(float(sums), 4), int(tokens)
    (-4.6052, 2)
    """
    rows, places, names = _labelled(labels)
    return _added(_log_softmax_at(logits[rows, places], names), rows, labels), _numbers(labels)


def sequence_logps_of_hidden(hidden: Any, head_weight: Any, labels: Any) -> tuple[Any, Any]:
    """Return what `sequence_logps` does, from hidden states (batch, tokens, width) and the output matrix (vocabulary, width).

    Only logits of labelled tokens are computed, and of these a fixed number at a time, so that full logits never exist; the
    backward pass computes them once more.

    >>> import torch
    >>> sums, tokens = sequence_logps_of_hidden(torch.ones(1, 2, 3), torch.zeros(10, 3), torch.tensor([[-100, 3]]))
    >>> round(float(sums), 4), int(tokens)
    (-2.3026, 1)
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    rows, places, names = _labelled(labels)
    states = hidden[rows, places]
    parts = [
        checkpoint(_projected, few, head_weight, few_names, use_reentrant=False)
        for few, few_names in zip(states.split(AT_A_TIME), names.split(AT_A_TIME), strict=True)
    ]
    return _added(torch.cat(parts), rows, labels), _numbers(labels)


def _labelled(labels: Any) -> tuple[Any, Any, Any]:
    """Return the row and place that predict each labelled token, and the token."""
    rows, places = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    return rows, places, labels[rows, places + 1]


def _numbers(labels: Any) -> Any:
    return (labels[:, 1:] != IGNORED).sum(1)


def _projected(states: Any, head_weight: Any, names: Any) -> Any:
    return _log_softmax_at(states @ head_weight.T, names)


def _log_softmax_at(logits: Any, names: Any) -> Any:
    """Return the log-probability of one token for each row of logits."""
    import torch
    from torch.nn import functional

    exact = logits if logits.dtype == torch.float64 else logits.float()
    return -functional.cross_entropy(exact, names, reduction="none")


def _added(logps: Any, rows: Any, labels: Any) -> Any:
    return logps.new_zeros(len(labels)).index_add(0, rows, logps)
