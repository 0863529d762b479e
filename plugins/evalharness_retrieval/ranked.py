"""The shape of metrics of a ranking: a formula over the matrices of grades that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import evalharness as eh
from evalharness_retrieval.judged import Column, Judged, shared

TREC_EVAL = "trec_eval 10 (its own test files) and pytrec_eval-terrier 0.5.11 (trec_eval 9.0.8)"


class Ranked(eh.Metric):
    """A metric of `contexts`, whose order is the ranking, against `relevant`, which maps passage ids to grades.

    `k` and `level`, where a metric has them, are its cut-offs (none: the whole ranking, under the bare name) and the
    lowest grade that counts as relevant.
    """

    better, range, family = "higher", (0, 1), "ranking"
    reads = ("contexts", "relevant")

    def __post_init__(self) -> None:
        k, level = self.options().get("k", ()), self.options().get("level", 1)
        if any(cut < 1 for cut in k) or len(set(k)) != len(k):
            raise ValueError(f"option 'k' needs different whole numbers from 1, or none for the whole ranking, not {list(k)}")
        if level < 1:
            raise ValueError(f"option 'level' must be a whole number from 1, not {level}")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"@{cut}" for cut in self.options().get("k", ()))

    def measure(self, contexts: Column, relevant: Column, batch: eh.Batch) -> eh.Rows:
        judged = shared(contexts, relevant, batch)
        return eh.Rows(self.statistics(judged), self.unmeasured(judged))

    def statistics(self, judged: Judged) -> dict[str, Any]:
        """Return the columns that are added, by their names; float64, (rows,) each."""
        if self.parts:
            cuts = self.options()["k"]
            return {part: self.at(judged, cut) for part, cut in zip(self.parts, cuts, strict=True)}
        return {"value": self.at(judged, None)}

    def unmeasured(self, judged: Judged) -> Mapping[int, str]:
        """Return why rows have no value, by their number."""
        return judged.unmeasured

    def at(self, judged: Judged, k: int | None) -> Any:
        """Return the value of each row over the first `k` places, or for None over all; float64, (rows,)."""
        raise NotImplementedError


def without(judged: Judged, rows: Any, reason: str) -> dict[int, str]:
    """Return the reasons of `judged` and, of other rows where `rows` (bool) says so, this one."""
    return {**dict.fromkeys(rows.nonzero()[0].tolist(), reason), **judged.unmeasured}
