"""All systems of a comparison in one score: who can be told apart, and which ranks each may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.comparison.results import Result
from evalharness.scoring import Score
from evalharness.scoring.intervals import FEWEST_GROUPS
from evalharness.scoring.paired import why_unusable
from evalharness.scoring.ranks import rank, tie_groups

OTHER_SAMPLES = "not all systems are over the same samples; a pair is compared over those that both measured"
SEEDS = "ranks, letters and stars allow for the samples, not for the seeds of arms; what is said of each pair allows for both"
LOST = "samples were lost to errors, so ranks allow for whatever those had given"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All systems in one score: simultaneous rank sets, and the letters of the groups that cannot be told apart.

    `ranks`, `letters` and `better` (which of them is significantly better than which) stand in the order of `systems`;
    `left_out` names the others, with the reason.
    """

    score: str
    systems: tuple[str, ...]
    ranks: tuple[tuple[int, int], ...] = ()
    letters: tuple[str, ...] = ()
    better: tuple[tuple[bool, ...], ...] = ()
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def told_apart(self, one: str, other: str) -> bool:
        """Return whether two systems are significantly different; False where one of them is left out."""
        if one not in self.systems or other not in self.systems:
            return False
        first, second = self.systems.index(one), self.systems.index(other)
        return self.better[first][second] or self.better[second][first]


def standing(results: Sequence[Result], name: str) -> Standing:
    """Return the standing of the systems that can be ranked in a score; the others are named with the reason."""
    first = next((one.record.scores[name] for one in results if one.record.scores[name].value is not None), None)
    reasons = {one.label: _obstacle(one, name, first) for one in results}
    left_out = {label: reason for label, reason in reasons.items() if reason is not None}
    ranked = [one for one in results if one.label not in left_out]
    if first is None or len(ranked) < 2:
        return Standing(score=name, systems=(), left_out=left_out)
    return _ranked(name, ranked, first, left_out)


def _ranked(name: str, ranked: Sequence[Result], first: Score, left_out: Mapping[str, str]) -> Standing:
    scores = [one.record.scores[name] for one in ranked]
    values = np.array([score.value for score in scores], np.float64)
    ends = np.array([score.bounds or (score.value, score.value) for score in scores], np.float64)
    found = rank(
        values, np.stack([one.replicates[name] for one in ranked]), better=first.better,
        df=min(score.groups for score in scores) - 1.0, bounds=(ends[:, 0], ends[:, 1]),
    )  # fmt: skip
    return Standing(
        score=name,
        systems=tuple(one.label for one in ranked),
        ranks=tuple(zip(found.low, found.high, strict=True)),
        letters=tuple(tie_groups(values.tolist(), found, first.better)),
        better=tuple(map(tuple, found.better.tolist())),
        left_out=left_out,
        notes=(*_notes(scores), *([SEEDS] if any(one.record.seeds for one in ranked) else [])),
    )


def _notes(scores: Sequence[Score]) -> tuple[str, ...]:
    uneven = [OTHER_SAMPLES] if not all(score.same_samples(scores[0]) for score in scores) else []
    return (*uneven, *([LOST] if any(score.bounds for score in scores) else []))


def _obstacle(result: Result, name: str, first: Score | None) -> str | None:
    """Return why a system cannot be ranked in a score beside the first one, or None."""
    score = result.record.scores[name]
    if score.value is None or first is None:
        return f"no value: {score.reason}"
    if score.signature != first.signature:
        return f"measured differently: {score.signature}"
    if name not in result.replicates:
        return "no replicates"
    if not score.aligned(first):
        return f"replicates not aligned: {score.generator}"
    if score.groups < FEWEST_GROUPS:
        return f"fewer than {FEWEST_GROUPS} groups"
    return why_unusable(result.replicates[name])
