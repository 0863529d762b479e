"""Cross-entropy of each query among all documents of a batch, some rows of the table of similarities at a time.

With the weights of rows known beforehand, the gradients follow beside the value, so that each similarity is computed once
and the table, queries x documents, never exists: memory grows with the number of pairs, not with its square.
"""

from __future__ import annotations

import functools
from typing import Any

TABLE_BYTES = 16 * 2**20  # of the part of the table that exists at one moment
LOWEST = -1e30  # the similarity with a document that is not compared with: finite, so that a row of such is no NaN


def cross_entropy(queries: Any, documents: Any, weight: Any, live: Any = None) -> Any:
    """Return the sum over rows of weight times -log softmax(queries @ documents.T)[row, row], in nats.

    `queries` (batch, width) and `documents` (documents, width), float32 or better, the first documents being those of the
    queries; `weight` (batch,), constant; only documents where `live` (documents,) are compared with, which are all for None.
    """
    import torch

    if torch.compiler.is_compiling():
        table = _masked(queries @ documents.T, live)
        return (table.logsumexp(-1) - table.diagonal()) @ weight
    return _function().apply(queries, documents, weight, live, torch.is_grad_enabled())


def _masked(table: Any, live: Any) -> Any:
    return table if live is None else table.masked_fill(~live, LOWEST)


@functools.cache
def _function() -> Any:
    import torch
    from torch.autograd.function import once_differentiable

    class CrossEntropy(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
        @staticmethod
        def forward(ctx: Any, queries: Any, documents: Any, weight: Any, live: Any, wanted: bool) -> Any:
            with torch.autocast(queries.device.type, enabled=False), torch.no_grad():
                value, *gradients = _by_parts(queries, documents, weight, live, wanted and any(ctx.needs_input_grad))
            ctx.save_for_backward(*gradients)
            return value

        @staticmethod
        @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
        def backward(ctx: Any, slope: Any) -> Any:
            of_queries, of_documents = ctx.saved_tensors
            return of_queries * slope, of_documents * slope, None, None, None

    return CrossEntropy


def _by_parts(queries: Any, documents: Any, weight: Any, live: Any, wanted: bool) -> tuple[Any, Any, Any]:
    """Return the value, and its gradients by queries and documents where they are wanted."""
    import torch

    of_queries, of_documents = (torch.zeros_like(item) if wanted else None for item in (queries, documents))
    size = max(1, TABLE_BYTES // (documents.element_size() * len(documents)))
    total = queries.new_zeros(())
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        table = _masked(queries[part] @ documents.T, live)
        norm = table.logsumexp(-1)
        own = table.diagonal(start)
        total += (norm - own) @ weight[part]
        if of_queries is not None and of_documents is not None:
            slopes = table.sub_(norm[:, None]).exp_()
            own.sub_(1)
            slopes.mul_(weight[part, None])
            torch.mm(slopes, documents, out=of_queries[part])
            of_documents.addmm_(slopes.T, queries[part])
    return total, of_queries, of_documents
