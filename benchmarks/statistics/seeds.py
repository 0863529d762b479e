"""How often the interval of a difference between two arms holds the truth: of the samples, of the seeds, and the wider one.

The design says that the wider is shown and gives no figures, so these are calculated: both parts under a normal model, the
variance of the seeds' part integrated over its chi-square distribution (`calculated`). The simulation goes the way of a
comparison: rows of all seeds through tally, replicates and records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.statistics.figures import Cell
from benchmarks.statistics.shipped import Share, entry, of_mean, random_of, scored
from evalharness.comparison.pairs import Line, line_of
from evalharness.comparison.seeds import with_seeds
from evalharness.results import Record

RUNS = 2000
SEEDS = (3, 5, 10)
RATIOS = (0.0, 0.25, 1.0, 4.0, 16.0)  # variance of the mean over seeds by seeds, in that by samples
SAMPLES = 200
ROUGHNESS = 0.25  # variance of a sample in one seed beside that of the sample in all seeds
SIZE = 0.02  # standard deviation of a sample's difference, small beside the range of the score
PARTS = ("sample", "seed", "wider")


class Gap(Share):
    """A score around 0.5, whose values stay within its range."""


def seeds(runs: int = RUNS) -> Iterator[Cell]:
    """Yield the coverage of both parts, and of the wider one, for each number of seeds and each ratio of the variances."""
    for count in SEEDS:
        for ratio in RATIOS:
            found = covered(count, ratio, runs)
            yield from (Cell.of("seeds", name_of(part, count, ratio), found[:, place]) for place, part in enumerate(PARTS))


def name_of(part: str, count: int, ratio: float) -> str:
    """Return the name of a cell."""
    return f"{part}: {count} seeds, ratio {ratio:g}"


def covered(count: int, ratio: float, runs: int) -> NDArray[np.bool_]:
    """Return for each run (runs, parts) whether the interval holds the true difference, which is 0."""
    random = random_of("seeds", count, ratio)
    return np.array([[_holds(part) for part in _parts(_drawn(random, count, ratio))] for _ in range(runs)])


def _drawn(random: np.random.Generator, count: int, ratio: float) -> NDArray[np.float64]:
    """Return the differences (seeds, samples) of two arms: of the seed, of the sample, and of both."""
    by_samples = (1 + ROUGHNESS / count) / SAMPLES  # variance of the mean over all, by samples
    of_seed = random.normal(0, math.sqrt(ratio * count * by_samples), (count, 1))
    of_sample = random.normal(0, 1, (1, SAMPLES))
    return SIZE * (of_seed + of_sample + random.normal(0, math.sqrt(ROUGHNESS), (count, SAMPLES)))


def _parts(gaps: NDArray[np.float64]) -> tuple[tuple[float | None, float | None], ...]:
    line = compared(np.full_like(gaps, 0.5), 0.5 + gaps)
    assert line.seeds is not None
    found = (line.seeds.sample, line.seeds.seed, line.difference)
    return tuple((one.low, one.high) for one in found)


def _holds(ends: tuple[float | None, float | None]) -> bool:
    low, high = ends
    return low is not None and high is not None and low <= 0 <= high


def compared(a: NDArray[np.float64], b: NDArray[np.float64]) -> Line:
    """Return the line of two arms from the values (seeds, samples) of each."""
    made = entry(Gap)
    # A sample in all seeds is a group, as its repeats are.
    sizes = (a.shape[0],) * a.shape[1]
    finished = [scored(made, of_mean(values.T.ravel()), sizes) for values in (a, b)]
    scores, replicates = [one.scores[made.name] for one in finished], [one.replicates[made.name] for one in finished]
    line = line_of(made.name, (scores[0], scores[1]), (replicates[0], replicates[1]))
    return with_seeds(line, *(_record(made.name, values.mean(1)) for values in (a, b)))


def _record(name: str, values: NDArray[np.float64]) -> Record:
    section = {"seeds": list(range(len(values))), "scores": {name: values.tolist()}}
    return Record(task={}, dataset={}, system={"name": "arm"}, scores={}, seeds=section)


def calculated(part: str, count: int, ratio: float) -> float:
    """Return the coverage of a part under the model that is drawn from, in units of the variance by samples."""
    by_samples = (1 + ROUGHNESS / count) / SAMPLES
    total = ratio + 1.0
    between = ratio + ROUGHNESS / SAMPLES / count / by_samples
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    sample = np.full(len(quantiles), stats.t.ppf(0.975, SAMPLES - 1))
    seed = stats.t.ppf(0.975, count - 1) * np.sqrt(between * stats.chi2.ppf(quantiles, count - 1) / (count - 1))
    half = {"sample": sample, "seed": seed, "wider": np.maximum(sample, seed)}[part]
    return float((2 * stats.norm.cdf(half / math.sqrt(total)) - 1).mean())
