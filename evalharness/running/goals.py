"""What a run may stop for: a score known well enough, or the difference from another run decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import UsageError, nearest
from evalharness.results.folder import folder_of
from evalharness.scoring import Chain, Entry

WIDTH = re.compile(r"(?P<score>\S.*?)\s*(?:±|\+\s*/?\s*-)\s*(?P<half>\d*\.?\d+(?:[eE]-?\d+)?)")


@dataclass(frozen=True)
class Width:
    """The interval of a score reaches at most `half` to either side."""

    score: str
    half: float

    def __str__(self) -> str:
        return f"{self.score} ±{self.half:g}"


@dataclass(frozen=True)
class Decision:
    """The difference of a score from that of the run in the folder `against` is shown not to be 0."""

    score: str
    against: Path

    def __str__(self) -> str:
        return f"{self.score} decided against {self.against}"


Goal = Width | Decision


def read_goal(until: str | None, until_decided: str | Path | None, chain: Chain) -> Goal | None:
    """Return what a run of this chain may stop for; raises UsageError for a goal that it cannot have.

    `until` is a score and a half width, `token_f1 ±0.02`; `until_decided` a run folder or its record, or `RUN on SCORE`.
    """
    if until is not None and until_decided is not None:
        raise UsageError("a run stops for one reason: give --until or --until-decided, not both")
    if until is not None:
        return _width(until, bounded_means(chain))
    return None if until_decided is None else _decision(str(until_decided), bounded_means(chain))


def bounded_means(chain: Chain) -> dict[str, Entry]:
    """Return the scores that are means of values within two bounds, each with its entry."""
    return dict(_bounded_means(chain))


def bounds(entry: Entry) -> tuple[float, float]:
    """Return the bounds of an entry that has two."""
    low, high = entry.metric.range or (None, None)
    assert low is not None
    assert high is not None
    return float(low), float(high)


def _bounded_means(chain: Chain) -> Iterator[tuple[str, Entry]]:
    for entry in chain.entries:
        if entry.metric.is_mean and None not in (entry.metric.range or (None,)):
            yield from ((score, entry) for score in entry.scores)


def _width(text: str, means: dict[str, Entry]) -> Width:
    found = WIDTH.fullmatch(text.strip())
    if found is None:
        example = next(iter(means), "token_f1")
        raise UsageError(f"'{text}' is no goal; write a score and a half width, for example: --until '{example} ±0.02'")
    goal = Width(_watched(found["score"], means), float(found["half"]))
    low, high = bounds(means[goal.score])
    if not 0 < goal.half < (high - low) / 2:
        raise UsageError(
            f"--until '{text}': the half width must lie between 0 and {(high - low) / 2:g}, half the range of '{goal.score}'"
        )
    return goal


def _decision(text: str, means: dict[str, Entry]) -> Decision:
    run, on, score = text.rpartition(" on ")
    if not on or Path(text).exists():
        run, score = text, next(iter(means), "")
    return Decision(_watched(score.strip(), means), folder_of(Path(run.strip())))


def _watched(score: str, means: dict[str, Entry]) -> str:
    if score in means:
        return score
    if not means:
        raise UsageError("a run can be stopped by a score that is a mean within a known range; this task has none")
    raise UsageError(
        f"a run cannot be stopped by '{score}'.{nearest(score, means)} The scores of this task that are means within a "
        f"known range: {', '.join(means)}."
    )
