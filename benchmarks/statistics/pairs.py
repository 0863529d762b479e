"""Pairs of systems on the same samples: how their statistics are drawn, without and with a true difference.

Where the design reference does not say how, this is what comes closest to its columns for tests that are not shipped
(the unpaired one, which tells how alike the systems are; McNemar's, which tells how alike the samples of a group). How
alike the classifiers are was chosen by the power of unaligned replicates, how far apart by a t test on the data.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.statistics.families import classified, word_errors
from benchmarks.statistics.shipped import Columns, Cost, MacroF1, Share, WordErrors, of_mean
from evalharness import Metric

LIKENESS = 0.6  # latent correlation of two systems on one sample
CLASS_LIKENESS = 0.85  # of systems that decide between classes: then unaligned replicates are as blunt as in the reference
GROUP_LIKENESS = 0.11  # latent correlation of the differences in a group: McNemar's size asks for a design effect of 1.33
GROUP_SIZE = 6
DESIGNED = float(ndtri(0.975) + ndtri(0.8))  # standard errors that a difference lies from 0 for a power of .80
Pair = tuple[Columns, Columns]
Draw = Callable[[np.random.Generator, int, float], Pair]


@dataclass(frozen=True)
class Kind:
    """A metric and what draws both systems' statistics for so many samples, given how large the difference is."""

    metric: type[Metric]
    draw: Draw


def binary(disagreement: float, size: int = 1) -> Draw:
    """Right or wrong: both right in three quarters of the cases in which they agree; groups of `size` samples."""

    def draw(random: np.random.Generator, count: int, difference: float) -> Pair:
        latent = random.normal(size=count)
        if size > 1:
            shared = np.repeat(random.normal(size=count // size), size)
            latent = math.sqrt(GROUP_LIKENESS) * shared + math.sqrt(1 - GROUP_LIKENESS) * latent
        u = ndtr(latent)
        only_a, only_b = u < (disagreement - difference) / 2, u > 1 - (disagreement + difference) / 2
        both = ~only_a & ~only_b & (random.random(count) < 0.75)
        return of_mean((both | only_a).astype(float)), of_mean((both | only_b).astype(float))

    return draw


def binary_difference(disagreement: float, count: int) -> float:
    """Return the difference that so many samples are designed for, `2.80 sqrt(q / n)`.

    The reference's formula in full, with `q - d^2` for q, has a power of .814 at q = .2 and n = 50, as enumeration shows,
    this one of .894: its table, with .911, was made with this one.
    """
    return DESIGNED * math.sqrt(disagreement / count)


def f1(size: int = 1) -> Draw:
    """Values from 0 to 1, equal on 60 % of the samples; elsewhere both stray from a common one."""

    def draw(random: np.random.Generator, count: int, difference: float) -> Pair:
        base = 1 - random.random(count) ** 2
        if size > 1:
            base = np.repeat(base[::size], size)
        differs = random.random(count) < 0.4
        strays = random.normal(0, 0.25, (2, count)) + np.array([[-difference], [difference]])
        if size > 1:
            strays += np.repeat(random.normal(0, 0.1, (2, count // size)), size, axis=1)
        a, b = np.where(differs, base + strays, base).clip(0, 1)
        return of_mean(a), of_mean(b)

    return draw


def lognormal(random: np.random.Generator, count: int, difference: float) -> Pair:
    """Costs of sigma 1, whose logarithms are correlated by .6."""
    a, b = np.exp(_alike(random, count) + np.array([[0.0], [difference]]))
    return of_mean(a), of_mean(b)


def errors(random: np.random.Generator, count: int, difference: float) -> Pair:
    """Word errors of both systems on texts of the same lengths."""
    del difference  # its power stands in no table
    a, b = ndtr(_alike(random, count))
    first = word_errors(random, a)
    edits = random.binomial(first["words"].astype(int), 1 - (1 - b) ** (1 / 9)).astype(float)
    return first, {"edits": edits, "words": first["words"]}


def classes(random: np.random.Generator, count: int, difference: float) -> Pair:
    """Decisions between four classes; the second system knows the answer of more samples."""
    truth = random.random(count)
    a, b = ndtr(_alike(random, count, CLASS_LIKENESS))
    return classified(truth, a, random.random(count)), classified(truth, b - difference, random.random(count))


def answers(random: np.random.Generator, shares: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return 1 and 0 (systems, samples) for systems that are right on these shares; their latent correlation is .6."""
    shared, own = random.normal(size=count), random.normal(size=(len(shares), count))
    latent = math.sqrt(LIKENESS) * shared + math.sqrt(1 - LIKENESS) * own
    return np.asarray(latent < ndtri(shares)[:, None], float)


def _alike(random: np.random.Generator, count: int, likeness: float = LIKENESS) -> NDArray[np.float64]:
    return math.sqrt(likeness) * random.normal(size=count) + math.sqrt(1 - likeness) * random.normal(size=(2, count))


@functools.cache
def designed(kind: str, count: int, errors_away: float = DESIGNED) -> float:
    """Return the argument `difference` of a kind for which the true difference lies so many standard errors from 0."""
    low, high = 0.0, 0.3
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _distance(kind, count, middle) < errors_away else (low, middle)
    return low


def _distance(kind: str, count: int, difference: float) -> float:
    """Return how many standard errors for `count` samples lie between the systems, from 400,000 samples."""
    a, b = KINDS[kind].draw(np.random.default_rng(5), 400_000, difference)
    if kind == "macrof1":
        return _macro_distance(a, b, count)
    gaps = b["value"] - a["value"]
    return float(gaps.mean() / gaps.std() * math.sqrt(count))


def _macro_distance(a: Columns, b: Columns, count: int) -> float:
    """Return the same for macro-F1, whose samples contribute by the slope of the score."""
    values, slopes = [], []
    for one in (a, b):
        both = (one["members"] + one["predicted"]).mean(0)
        f1s = 2 * one["hits"].mean(0) / both
        values.append(f1s.mean())
        slopes.append(((2 * one["hits"] - f1s * (one["members"] + one["predicted"])) / both).mean(1))
    return float((values[1] - values[0]) / (slopes[1] - slopes[0]).std() * math.sqrt(count))


KINDS = {
    "binary .2": Kind(Share, binary(0.2)),
    "binary .05": Kind(Share, binary(0.05)),
    "f1": Kind(Share, f1()),
    "lognormal": Kind(Cost, lognormal),
    "macrof1": Kind(MacroF1, classes),
    "wer": Kind(WordErrors, errors),
    "binary .2 in groups": Kind(Share, binary(0.2, GROUP_SIZE)),
    "f1 in groups": Kind(Share, f1(GROUP_SIZE)),
}
