"""What arms reach beside the first one with their network, and beside the model before training; Holm over each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.comparison import Line, Result, compare
from evalharness.comparison.pairs import judged
from evalharness.comparison.seeds import with_seeds
from evalharness.contract import Spec
from evalharness.results import Record
from evalharness.results.wording import number
from evalharness.scoring.families import holm
from evalharness.scoring.paired import Difference, difference
from evalharness.training.study.reading import Case

WORDS = {"better": "better", "worse": "worse", "not shown": "no difference shown", "same": "equal", "unknown": "not comparable"}
ALONE = "not shown among all"
Key = tuple[tuple[str, ...], str, str]  # labels of the case, score, arm


def baselines(case: Case) -> dict[str, str]:
    """Return by arm the one that it is compared with: the first arm with its network, which itself has none.

    Beside an arm with another network, a difference would be that of the networks as much as that of the losses.
    """
    first: dict[Spec, str] = {}
    found = {arm.name: first.setdefault(arm.network, arm.name) for arm in case.task.arms if arm.name in case.arms}
    return {arm: beside for arm, beside in found.items() if arm != beside}


def against_baseline(cases: Sequence[Case], scores: Sequence[str]) -> dict[Key, Line]:
    """Return the line of each arm beside its baseline in each score; Holm over all of them at once."""
    found: dict[Key, Line] = {}
    for case in cases:
        for arm, beside in baselines(case).items():
            pair = compare(case.arms[beside].folder, case.arms[arm].folder, scores=scores).pairs[0]
            found |= {(case.labels, line.score, arm): line for line in pair.lines}
    return _over_all(found)


def since_before(cases: Sequence[Case], scores: Sequence[str]) -> dict[Key, Line]:
    """Return the line of each arm beside what the model reached before training; Holm over all of them at once."""
    found: dict[Key, Line] = {}
    for case in cases:
        for arm, result in case.arms.items():
            for score in scores:
                was = result.record.before(score)
                if was is not None:
                    found[case.labels, score, arm] = _change(result, score, was)
    return _over_all(found)


def _over_all(lines: Mapping[Key, Line]) -> dict[Key, Line]:
    return dict(zip(lines, judged(list(lines.values()), holm), strict=True))


def _change(result: Result, score: str, was: str) -> Line:
    """Return the line of a score from before training to after it, over the same samples of one arm."""
    record, replicates = result.record, result.replicates
    a, b = record.scores[was], record.scores[score]
    if a.value is not None and b.value is not None and not (was in replicates and score in replicates and a.aligned(b)):
        found = Difference(value=b.value - a.value, reason="no aligned replicates")
    else:
        found = difference(a, b, (replicates.get(was), replicates.get(score)))  # type: ignore[arg-type]
    return with_seeds(Line(score=score, a=a, b=b, difference=found), _renamed(record, was, score), record)


def _renamed(record: Record, was: str, score: str) -> Record:
    """Return the record with the values of each seed from before training under the name of the score."""
    if record.seeds is None:
        return record
    return replace(record, seeds={**record.seeds, "scores": {score: record.seeds["scores"][was]}})


def shown(line: Line) -> str:
    """Return a difference with its interval and what it shows: `-0.31 (-0.42 to -0.20), better`."""
    found = line.difference
    if found.value is None:
        return f"– ({found.reason})"
    ends = f" ({signed(found.low)} to {signed(found.high)})" if found.low is not None and found.high is not None else ""
    word = ALONE if only_alone(line) else WORDS[line.verdict]
    return f"{signed(found.value)}{ends}, {word}"


def only_alone(line: Line) -> bool:
    """Return whether a difference is shown by its own interval, which leaves out 0, but not among those of its family."""
    found = line.difference
    if line.verdict != "not shown":
        return False
    return found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def signed(value: float) -> str:
    """Return a number with its sign.

    >>> signed(0.25), signed(-1234.5), signed(0.0)
    ('+0.250', '-1,234', '0.000')
    """
    return f"+{number(value)}" if value > 0 else number(value)
