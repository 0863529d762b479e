"""Two systems, score by score: difference, family-wise p-value, verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from numpy.typing import NDArray

from evalharness.comparison.seeds import SeedParts
from evalharness.comparison.values import Change, Counts
from evalharness.scoring import Score
from evalharness.scoring.paired import Difference, difference

Verdict = Literal["better", "worse", "not shown", "same", "unknown"]
Adjust = Callable[[Sequence[float | None]], list[float | None]]
UNALIGNED = "their replicates are not aligned: {} and {}"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One score of two systems. `verdict` says what is shown of the second at the level after `p_adjusted`.

    `exact_p` is that of the label-swap test, given for few groups; `bounds` where the difference would lie whatever the
    lost samples had been; `notes` say what to know before trusting the line. Of arms, `difference` has the wider of the
    intervals that `seeds` holds.
    """

    score: str
    a: Score
    b: Score
    difference: Difference
    p_adjusted: float | None = None
    verdict: Verdict = "unknown"
    counts: Counts | None = None
    exact_p: float | None = None
    bounds: tuple[float, float] | None = None
    seeds: SeedParts | None = None
    notes: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """How much better the second is: the difference, turned round where lower is better."""
        value = self.difference.value
        return None if value is None else value if self.a.better == "higher" else -value


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two systems, by their labels, over all scores; `changed` are the samples that changed most by score."""

    a: str
    b: str
    lines: tuple[Line, ...]
    changed: Mapping[str, Sequence[Change]]
    slices: Mapping[str, Sequence[Line]]

    def line(self, score: str) -> Line:
        """Return the line of one score."""
        return next(line for line in self.lines if line.score == score)

    def plain(self) -> dict[str, Any]:
        """Return the pair as JSON knows it."""
        return asdict(self)


def line_of(
    name: str, scores: tuple[Score, Score], replicates: tuple[NDArray[Any] | None, NDArray[Any] | None], level: float = 0.95
) -> Line:
    """Return the line of one score, yet without its place in a family of tests."""
    a, b = scores
    return Line(score=name, a=a, b=b, difference=_difference(a, b, replicates, level), bounds=_bounds(a, b), notes=_notes(a, b))


def _difference(a: Score, b: Score, replicates: tuple[NDArray[Any] | None, NDArray[Any] | None], level: float) -> Difference:
    first, second = replicates
    if None not in (a.value, b.value):
        if a.signature != b.signature:
            return _only(a, b, level, f"they were measured differently: {a.signature} and {b.signature}")
        if first is None or second is None:
            return _only(a, b, level, "a record stands without its replicates.npz, which holds what a pair is compared by")
        if not a.aligned(b):
            return _only(a, b, level, UNALIGNED.format(a.generator or "none", b.generator or "none"))
    return difference(a, b, (first, second), level)  # type: ignore[arg-type]  # without a value they are not read


def _only(a: Score, b: Score, level: float, reason: str) -> Difference:
    value = (b.value or 0.0) - (a.value or 0.0)
    return Difference(value=value, level=level, groups=min(a.groups, b.groups), reason=reason)


def _bounds(a: Score, b: Score) -> tuple[float, float] | None:
    """Return the least and the most that the difference can be, whatever the lost samples were; None without lost ones."""
    first, second = (None if score.bounds is None else (score.bounds[0], score.bounds[1]) for score in (a, b))
    return gap_between(a, b, first, second)


def gap_between(
    a: Score, b: Score, first: tuple[float, float] | None, second: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return the least and the most of `b - a` where each lies between its ends, or at its value without them.

    None where neither has ends.
    """
    if (first is None and second is None) or a.value is None or b.value is None:
        return None
    first, second = first or (a.value, a.value), second or (b.value, b.value)
    return second[0] - first[1], second[1] - first[0]


def _notes(a: Score, b: Score) -> tuple[str, ...]:
    if a.value is None or b.value is None or a.same_samples(b):
        return ()
    if a.samples != b.samples:
        return (f"over different samples: {a.samples:,} and {b.samples:,}",)
    return ("over different samples, as many in both",)


def judged(lines: Sequence[Line], adjust: Adjust, level: float = 0.95) -> tuple[Line, ...]:
    """Return the lines of one family of tests with adjusted p-values and verdicts."""
    adjusted = adjust([line.difference.p for line in lines])
    return tuple(
        replace(line, p_adjusted=p, verdict=_verdict(line, p, 1 - level)) for line, p in zip(lines, adjusted, strict=True)
    )


def _verdict(line: Line, p: float | None, alpha: float) -> Verdict:
    found = line.difference
    if line.gain is None or (p is None and found.low is None):
        return "unknown"
    if found.se == 0 and line.gain == 0:
        return "same"
    if (p is not None and p > alpha) or (found.low is not None and found.high is not None and found.low <= 0 <= found.high):
        return "not shown"
    return "better" if line.gain > 0 else "worse"
