"""Two arms over their seeds: what the samples leave open, what the seeds leave open, and the wider of both.

The variance of a difference has a part of the samples and one of the seeds. Aligned replicates of the arms, whose seeds
are repeats of each sample, give the first; the differences seed by seed, on the same samples, give the second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from evalharness.results import Record
from evalharness.scoring.paired import Difference, of_spread

if TYPE_CHECKING:
    from evalharness.comparison.pairs import Line

FEWEST_SEEDS = 2
ONE_SIDED = "{} has no seeds, so what another seed would change is not known"
UNSHARED = "the arms share no two seeds ({} and {}), so nothing can be paired by seed"
ONE_SEED = "both have one seed only ({}), which says nothing of what another one would change"
VALUELESS = "fewer than two seeds have a value in both arms"


@dataclass(frozen=True, kw_only=True)
class SeedParts:
    """Both parts of the uncertainty of a difference between two arms; `wider` names the one that is shown.

    `seeds` are the numbers that both arms have, `differences` those of each seed, `b - a`, None where one has no value.
    `sample` is the difference with the interval that the samples give, `seed` with the t interval that the differences by
    seed give around the same value, or the reason why there is none.
    """

    seeds: tuple[int, ...]
    differences: tuple[float | None, ...]
    sample: Difference
    seed: Difference
    wider: Literal["sample", "seed"]


def with_seeds(line: Line, a: Record, b: Record) -> Line:
    """Return the line with both parts and the wider interval, where one of the two records is that of an arm."""
    if a.seeds is None and b.seeds is None:
        return line
    parts = _parts(line, a, b)
    return replace(line, difference=_shown(parts), seeds=parts)


def _parts(line: Line, a: Record, b: Record) -> SeedParts:
    first, second = (_by_seed(record.seeds, line.score) for record in (a, b))
    shared = tuple(number for number in first if number in second)
    gaps = tuple(_gap(first[number], second[number]) for number in shared)
    seed = _seed_part(line, [gap for gap in gaps if gap is not None], _obstacle(a, b, first, second))
    wider: Literal["sample", "seed"] = "seed" if _width(seed) > _width(line.difference) > 0 else "sample"
    return SeedParts(seeds=shared, differences=gaps, sample=line.difference, seed=seed, wider=wider)


def _by_seed(section: Mapping[str, Any] | None, score: str) -> dict[int, float | None]:
    return {} if section is None else dict(zip(section["seeds"], section["scores"][score], strict=True))


def _gap(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _obstacle(a: Record, b: Record, first: Mapping[int, Any], second: Mapping[int, Any]) -> str | None:
    """Return why no two seeds can be paired, or None."""
    for record in (a, b):
        if record.seeds is None:
            return ONE_SIDED.format(record.system.get("name"))
    if len(set(first) & set(second)) >= FEWEST_SEEDS:
        return None
    if len(first) == len(second) == 1 and set(first) == set(second):
        return ONE_SEED.format(_listed(first))
    return UNSHARED.format(_listed(first), _listed(second))


def _listed(seeds: Mapping[int, Any]) -> str:
    return ", ".join(map(str, seeds))


def _seed_part(line: Line, gaps: list[float], obstacle: str | None) -> Difference:
    """Return the difference with the t interval of the differences by seed, around the difference of both arms.

    That value is the mean of the differences where both arms have the same seeds.
    """
    found = line.difference
    if found.value is None or obstacle is not None or len(gaps) < FEWEST_SEEDS:
        return Difference(value=found.value, level=found.level, groups=len(gaps), reason=found.reason or obstacle or VALUELESS)
    middle = math.fsum(gaps) / len(gaps)
    se = math.sqrt(math.fsum((gap - middle) ** 2 for gap in gaps) / (len(gaps) - 1) / len(gaps))
    if se <= _rounding(line):
        return Difference(value=found.value, level=found.level, se=0.0, groups=len(gaps), reason="all seeds differ alike")
    low, high = line.a.range or (None, None)
    return of_spread(found.value, se, len(gaps), None if low is None or high is None else high - low, found.level)


def _rounding(line: Line) -> float:
    return 1e-12 * max(abs(line.a.value or 0.0), abs(line.b.value or 0.0))


def _width(part: Difference) -> float:
    """Return how wide an interval is, 0 where there is none."""
    return 0.0 if part.low is None or part.high is None else part.high - part.low


def _shown(parts: SeedParts) -> Difference:
    """Return the difference that is shown; groups and effect remain those of the samples."""
    seed = parts.seed
    if parts.wider == "sample":
        return parts.sample
    return replace(parts.sample, low=seed.low, high=seed.high, p=seed.p, se=seed.se, df=seed.df)
