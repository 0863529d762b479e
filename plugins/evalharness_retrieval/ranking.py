"""The order of results: by score, equal scores by passage id, descending bytes (trec_eval's rule)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evalharness as eh


def id_order(passages: Sequence[eh.Passage]) -> Any:
    """Return the place of each passage when sorted by id, descending bytes; int64, (passages,).

    >>> id_order([eh.Passage("a", ""), eh.Passage("ü", ""), eh.Passage("b", "")]).tolist()
    [2, 0, 1]
    """
    import numpy as np

    order = sorted(range(len(passages)), key=lambda row: id_bytes(passages[row].id), reverse=True)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def best_rows(scores: Any, order: Any, count: int) -> list[int]:
    """Return the rows of the `count` highest scores, best first, ties by `order`; sorts only those that compete.

    >>> import numpy as np
    >>> best_rows(np.array([1.0, 2.0, 1.0]), np.array([2, 1, 0]), 2)
    [1, 2]
    """
    import numpy as np

    if count < 1:
        return []
    if count < len(scores):
        threshold = np.partition(scores, -count)[-count]
        rows = np.flatnonzero(scores >= threshold)
    else:
        rows = np.arange(len(scores))
    return rows[np.lexsort((order[rows], -scores[rows]))][:count].tolist()


def id_bytes(identifier: str) -> bytes:
    """Return what ids are compared by."""
    return identifier.encode("utf-8", "surrogatepass")
