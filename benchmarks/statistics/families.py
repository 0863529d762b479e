"""The families of scores whose intervals are simulated: how samples are drawn, and what the true score is.

The design reference names the families; where it does not say how they are drawn, this is what comes closest to the
columns of its table that have no part in the rule (the plain t interval above all). For MCC and the uneven groups of
shares it gives no other columns, so these were chosen, among six and four, by the figures themselves: they agree by choice.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr

from benchmarks.statistics.shipped import (
    Columns,
    CorpusBleu,
    Cost,
    MacroF1,
    Mcc,
    MicroF1,
    Share,
    TokenPerplexity,
    WordErrors,
    of_mean,
)
from evalharness import Metric

CORRELATION = 0.3
CLASSES = np.array([0.5, 0.3, 0.15, 0.05])
ACCURACY = 0.87
SEGMENTS = 20_000


@dataclass(frozen=True)
class Draws:
    """Random numbers for `runs` runs of groups of these sizes; what samples of a group share is correlated by .3."""

    random: np.random.Generator
    runs: int
    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Runs and samples."""
        return self.runs, sum(self.sizes)

    def normal(self) -> NDArray[np.float64]:
        """Return standard normal numbers, correlated within groups."""
        own = self.random.normal(size=self.shape)
        if max(self.sizes) == 1:
            return own
        shared = np.repeat(self.random.normal(size=(self.runs, len(self.sizes))), self.sizes, axis=1)
        return math.sqrt(CORRELATION) * shared + math.sqrt(1 - CORRELATION) * own

    def uniform(self) -> NDArray[np.float64]:
        """Return uniform numbers, correlated within groups."""
        return np.asarray(ndtr(self.normal()))

    def right(self, share: float) -> NDArray[np.float64]:
        """Return 1 and 0; within groups the outcomes are correlated by .3 (beta-binomial)."""
        if max(self.sizes) == 1:
            return (self.random.random(self.shape) < share).astype(float)
        total = 1 / CORRELATION - 1
        rates = self.random.beta(share * total, (1 - share) * total, (self.runs, len(self.sizes)))
        return (self.random.random(self.shape) < np.repeat(rates, self.sizes, axis=1)).astype(float)


@dataclass(frozen=True)
class Family:
    """A metric, its true score, and what draws the statistics (runs, samples, ...) of many runs at once."""

    metric: type[Metric]
    truth: Callable[[], float]
    draw: Callable[[Draws], Columns]


def _f1(zeros: float, ones: float) -> Family:
    """Values of which some are 0, some are 1, and the others Beta(2, 2)."""

    def draw(draws: Draws) -> Columns:
        between = ((draws.uniform() - zeros) / (1 - zeros - ones)).clip(0, 1)
        return of_mean(0.5 - np.sin(np.arcsin(1 - 2 * between) / 3))  # the quantiles of Beta(2, 2)

    return Family(Share, lambda: ones + (1 - zeros - ones) / 2, draw)


def _right(share: float) -> Family:
    return Family(Share, lambda: share, lambda draws: of_mean(draws.right(share)))


def _lognormal(sigma: float) -> Family:
    return Family(Cost, lambda: math.exp(sigma**2 / 2), lambda draws: of_mean(np.exp(sigma * draws.normal())))


def word_errors(random: np.random.Generator, uniform: NDArray[np.float64]) -> Columns:
    """Return edits and words: lognormal lengths (sigma .7, median 12), a rate of Beta(1, 9) at the given quantile."""
    words = np.maximum(np.rint(np.exp(2.5 + 0.7 * random.normal(size=uniform.shape))), 1.0)
    edits = random.binomial(words.astype(int), 1 - (1 - uniform) ** (1 / 9))
    return {"edits": edits.astype(float), "words": words}


def _perplexity(draws: Draws) -> Columns:
    """Lognormal lengths (sigma .6, median 20) that rise with the loss: 2 + .3 z + noise of .4."""
    z = draws.normal()
    size = np.exp(3 + 0.6 * z)
    return {"nll": (2 + 0.3 * z + draws.random.normal(0, 0.4, z.shape)) * size, "size": size}


def classified(truth: NDArray[np.float64], known: NDArray[np.float64], guess: NDArray[np.float64]) -> Columns:
    """Return hits, members and predictions by class from uniform numbers: the class, whether it is known, the guess.

    What is not known is guessed by the frequencies of the classes, so that 87 % of the samples come out right.
    """
    bounds = CLASSES.cumsum()[:-1]
    members = np.searchsorted(bounds, truth, side="right")
    predicted = np.where(known < _known(), members, np.searchsorted(bounds, guess, side="right"))
    table = np.eye(len(CLASSES))
    return {"hits": table[members] * table[predicted], "members": table[members], "predicted": table[predicted]}


def _known() -> float:
    by_chance = float((CLASSES**2).sum())
    return (ACCURACY - by_chance) / (1 - by_chance)


def macro_f1() -> float:
    """Return the true macro-F1: members and predictions of a class are equally frequent."""
    return float((_known() + (1 - _known()) * CLASSES).mean())


def _classified(draws: Draws) -> Columns:
    return classified(draws.random.random(draws.shape), draws.uniform(), draws.random.random(draws.shape))


@functools.cache
def _segments() -> Columns:
    """Return BLEU's statistics of made-up segments: Zipf words, of which a system changes a share of its own."""
    random = np.random.default_rng(34)
    chances = 1 / np.arange(1, 3001)
    responses, references = [], []
    for length in random.integers(8, 33, SEGMENTS):
        words = random.choice(3000, (2, length), p=chances / chances.sum())
        changed = random.random(length) < random.beta(2, 2.8)
        references.append([" ".join(map(str, words[0]))])
        responses.append(" ".join(map(str, np.where(changed, words[1], words[0]))))
    return {name: np.asarray(rows, float) for name, rows in CorpusBleu().measure(responses, references).statistics.items()}


def _bleu(draws: Draws) -> Columns:
    chosen = draws.random.integers(0, SEGMENTS, draws.shape)
    return {name: rows[chosen] for name, rows in _segments().items()}


def _bleu_of_all() -> float:
    return float(CorpusBleu().score(**{name: rows.sum(0) for name, rows in _segments().items()}))


def _brier(draws: Draws) -> Columns:
    """Squared errors of forecasts that are calibrated, Beta(1, 1)."""
    forecast = draws.random.random(draws.shape)
    return of_mean((forecast - (draws.random.random(draws.shape) < forecast)) ** 2)


_GAINS = np.append(1 / np.log2(np.arange(2, 12)), 0.0)  # of the one passage that counts, at ranks 1 to 10, or nowhere
_RANKS = np.append(0.8 * 0.5 ** np.arange(1, 11) / (1 - 0.5**10), 0.2)


def _ndcg(draws: Draws) -> Columns:
    return of_mean(_GAINS[draws.random.choice(len(_GAINS), draws.shape, p=_RANKS)])


def _labels(draws: Draws) -> Columns:
    """Up to five labels a sample, found by 8 in 10, and half a false one on average."""
    members = 1 + draws.random.binomial(4, 0.4, draws.shape)
    hits = draws.random.binomial(members, 0.8)
    return {"hits": hits.astype(float), "both": (members + hits + draws.random.poisson(0.5, draws.shape)).astype(float)}


def _latency(draws: Draws) -> Columns:
    """Gamma(2) times, of which one in twenty lies in a Pareto tail (index 4, from 4)."""
    u = draws.random.random(draws.shape)
    return of_mean(np.where(draws.random.random(draws.shape) < 0.05, 4 * (1 - u) ** -0.25, gammaincinv(2, u)))


def _decisions(draws: Draws) -> Columns:
    """The four cells of decisions: a fifth are positive, of which 80 % are found, and 95 % of the others are right."""
    positive = draws.random.random(draws.shape) < 0.2
    right = draws.random.random(draws.shape) < np.where(positive, 0.8, 0.95)
    cells = (positive & right, ~positive & right, ~positive & ~right, positive & ~right)
    return {"table": np.stack(cells, -1).astype(float)}


def _mcc() -> float:
    return float(Mcc().score(np.array([0.16, 0.76, 0.04, 0.04])))


WER = Family(WordErrors, lambda: 0.1, lambda draws: word_errors(draws.random, draws.uniform()))
FAMILIES = {
    **{f"prop{share:g}".replace("0.", "."): _right(share) for share in (0.5, 0.8, 0.95, 0.99)},
    "f1_mid": _f1(0.2, 0.3),
    "f1_high": _f1(0.05, 0.75),
    "lognormal": _lognormal(1.0),
    "lognormal1.5": _lognormal(1.5),
    "wer": WER,
    "ppl": Family(TokenPerplexity, lambda: math.exp(2 + 0.3 * 0.6), _perplexity),
    "macrof1": Family(MacroF1, macro_f1, _classified),
    "bleu": Family(CorpusBleu, _bleu_of_all, _bleu),
}
HELD_OUT = {
    "brier": Family(Share, lambda: 1 / 6, _brier),
    "ndcg": Family(Share, lambda: float(_GAINS @ _RANKS), _ndcg),
    "microf1": Family(MicroF1, lambda: 2 * 2.6 * 0.8 / (2.6 + 2.6 * 0.8 + 0.5), _labels),
    "gamma-pareto": Family(Cost, lambda: 0.95 * 2 + 0.05 * 4 * 4 / 3, _latency),
    "wer-uneven": WER,
    "mcc": Family(Mcc, _mcc, _decisions),
    "prop.8-uneven": _right(0.8),
}
