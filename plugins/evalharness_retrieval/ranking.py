"""The order of results: by score, equal scores by passage id, descending bytes (trec_eval's rule)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import evalharness as eh
from evalharness_retrieval.judged import lengths, padded

Rules = Literal["10", "9.0.8"]


def order_of(rankings: Sequence[Mapping[str, float]], rules: Rules) -> Any:
    """Return for each ranking the places of its ids, best first; int64, (rankings, places), short rows filled up.

    trec_eval 10 compares scores in double precision, 9.0.8 as float32. Raises DataError for a score that is no number.

    >>> order_of([{"a": 1.0, "b": 2.0, "c": 1.0}], "10").tolist()
    [[1, 2, 0]]
    """
    import numpy as np

    sizes = lengths(rankings)
    scores = -padded((ranking.values() for ranking in rankings), sizes)
    if np.isnan(scores).sum() > scores.size - sizes.sum():
        raise eh.DataError(f"the score of {_without_number(rankings)} is no number")
    if rules == "9.0.8":
        with np.errstate(over="ignore"):  # beyond float32, infinite as in C
            scores = scores.astype(np.float32)
    order = scores.argsort(axis=1)
    _settle_ties(order, np.take_along_axis(scores, order, 1), rankings)
    return order


def _settle_ties(order: Any, ordered: Any, rankings: Sequence[Mapping[str, float]]) -> None:
    """Put places of equal scores in the order of their ids, code points descending, which is that of their bytes in UTF-8."""
    import numpy as np

    edges = np.diff(np.pad(ordered[:, 1:] == ordered[:, :-1], ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = (edges == 1).nonzero()
    stretches = zip(rows.tolist(), starts.tolist(), (edges == -1).nonzero()[1].tolist(), strict=True)
    for row, tied in groupby(stretches, key=itemgetter(0)):
        ids, places = list(rankings[row]), order[row].tolist()
        for _, start, last in tied:
            places[start : last + 1] = sorted(places[start : last + 1], key=ids.__getitem__, reverse=True)
        order[row] = places


def ranked(rankings: Sequence[Mapping[str, float]], rules: Rules) -> list[list[str]]:
    """Return the ids of each ranking, best first."""
    orders = order_of(rankings, rules).tolist()
    listed = (list(ranking) for ranking in rankings)
    return [[ids[place] for place in order[: len(ids)]] for ids, order in zip(listed, orders, strict=True)]


def _without_number(rankings: Sequence[Mapping[str, float]]) -> str:
    named = ((key, score) for ranking in rankings for key, score in ranking.items())
    return next(f"document '{key}'" for key, score in named if score is None or score != score)


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
