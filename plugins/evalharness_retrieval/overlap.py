"""How alike the rankings of two systems are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import evalharness as eh
from evalharness_retrieval.judged import NOTHING_FOUND, Column
from evalharness_retrieval.ranking import Rules, ranked
from evalharness_retrieval.trec import read_run


class RankBiasedOverlap(eh.Metric):
    """Rank-biased overlap of a ranking with that of another system, 0 to 1, extrapolated: 1 for equal rankings.

    The share of passages that the first d places of both have in common, weighted by `p`^(d - 1): the smaller `p`, the more
    the first places count. Beyond the last place the rankings are taken to agree as far as they did until there. `run` is
    the TREC run file of the other system, by the ids of samples; without it the field `ranking` of the data holds its
    passage ids, best first. No judgement is needed. Unmeasured where either ranking is empty or names a passage twice.

    >>> metric = RankBiasedOverlap(p=0.5)
    >>> metric.evaluate(contexts=[["one text", "another"]], ranking=[["2", "1"]]).scores["rbo"].value
    0.5
    """

    name, better, range, family = "rbo", "higher", (0, 1), "ranking"
    formula = "(1 - p) sum over depths d of p^(d - 1) * overlap of the first d / d, extrapolated (equation 32)"
    cite = "https://doi.org/10.1145/1852102.1852106"
    reference = "its definition, summed to a depth of 3,000 over rankings that are prolonged by the agreement that they reached"
    run: eh.File | None = None
    p: float = 0.9
    rules: Rules = "10"

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise ValueError(f"option 'p' must lie between 0 and 1, not be {self.p}")

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The ranking, and the other one or what it is found by."""
        return ("contexts", "ranking") if self.run is None else ("contexts", "id")

    def measure(self, contexts: Column, ranking: Column = (), id: Column = ()) -> eh.Rows:
        others = ranking if self.run is None else [self._rankings.get(name) for name in id]
        values, reasons = [0.0] * len(contexts), dict[int, str]()
        for row, (found, other) in enumerate(zip(contexts, others, strict=True)):
            ids = [passage.id for passage in found]
            reason = _reason(ids, other)
            if reason:
                reasons[row] = reason
            else:
                values[row] = overlap(ids, other, self.p)
        return eh.Rows({"value": values}, reasons)

    @cached_property
    def _rankings(self) -> dict[str, list[str]]:
        assert self.run is not None
        numbers = read_run(self.run).numbers
        return dict(zip(numbers, ranked(list(numbers.values()), self.rules), strict=True))


def overlap(one: Sequence[str], other: Sequence[str], p: float) -> float:
    """Return the extrapolated rank-biased overlap of two rankings, neither empty.

    >>> overlap(["a", "b"], ["a", "b", "c"], 0.9)
    1.0
    """
    short, long = sorted((list(one), list(other)), key=len)
    common = list(_common(short, long))
    at_short = common[len(short) - 1]
    total = 0.0
    for depth, found in enumerate(common, start=1):
        beyond = at_short * max(0, depth - len(short)) / len(short)  # what the longer one would share, were both so long
        total += p**depth * (found + beyond) / depth
    reached = (common[-1] - at_short) / len(long) + at_short / len(short)
    return min(1.0, (1 - p) / p * total + reached * p ** len(long))


def _common(short: list[str], long: list[str]) -> Iterator[int]:
    """Yield how many passages the first d places have in common, for each depth d of the longer ranking."""
    seen, count = set[str](), 0
    for place, passage in enumerate(long):
        for each in {passage, *short[place : place + 1]}:
            count += each in seen
            seen.add(each)
        count += short[place : place + 1] == [passage]
        yield count


def _reason(ids: Sequence[str], other: Sequence[str] | None) -> str:
    if other is None:
        return "topic not in the other run"
    if not ids or not other:
        return NOTHING_FOUND
    return "duplicate passage id" if len(set(ids)) < len(ids) or len(set(other)) < len(other) else ""


METRICS: tuple[type[eh.Metric], ...] = (RankBiasedOverlap,)
