"""The way of the shipped code from statistics to scores and replicates, and the metrics that the simulations use."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from evalharness_text.bleu import Bleu
from numpy.typing import NDArray

from evalharness import Metric
from evalharness.scoring import Entry, Finished, Tally, finish, hash_keys
from evalharness.scoring.measuring import Measured

Columns = dict[str, NDArray[Any]]


class Share(Metric):
    """Mean of values from 0 to 1."""

    name, better, range = "share", "higher", (0, 1)


class Cost(Metric):
    """Mean of positive values."""

    name, better, range = "cost", "lower", (0, None)


class WordErrors(Metric):
    """Edits a word, 0 or more."""

    name, better, range = "wer", "lower", (0, None)

    def score(self, edits: Any, words: Any) -> Any:
        """Return edits / words."""
        return edits / words


class TokenPerplexity(Metric):
    """Exponential of the loss a token, 0 or more."""

    name, better, range = "ppl", "lower", (0, None)

    def score(self, nll: Any, size: Any) -> Any:
        """Return exp(nll / size)."""
        return np.exp(nll / size)


class MacroF1(Metric):
    """F1 averaged over the classes that stand among members or predictions, 0 to 1."""

    name, better, range = "macrof1", "higher", (0, 1)

    def score(self, hits: Any, members: Any, predicted: Any) -> Any:
        """Return the mean of 2 * hits / (members + predicted)."""
        both = members + predicted
        f1 = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
        return f1.sum(-1) / (both > 0).sum(-1)


class MicroF1(Metric):
    """F1 of all decisions together, 0 to 1."""

    name, better, range = "microf1", "higher", (0, 1)

    def score(self, hits: Any, both: Any) -> Any:
        """Return 2 * hits / (members + predicted)."""
        return 2 * hits / both


class Mcc(Metric):
    """Matthews correlation of right and wrong decisions, -1 to 1."""

    name, better, range = "mcc", "higher", (-1, 1)

    def score(self, table: Any) -> Any:
        """Return the correlation from true and false positives and negatives (tp, tn, fp, fn)."""
        tp, tn, fp, fn = np.moveaxis(table, -1, 0)
        return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


class CorpusBleu(Bleu):
    """The shipped BLEU over words apart by a space."""

    name, tokenize = "bleu", "none"


@functools.cache
def entry(kind: Any, replicates: int = 1000) -> Entry:
    """Return the entry of a metric with so many replicates; an interval needs none, and they take most of the time."""
    return Entry.of(type(kind.__name__, (kind,), {"replicates": replicates, "__doc__": kind.__doc__, "name": kind.name})())


@functools.cache
def keys(count: int, sizes: tuple[int, ...] = ()) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the hashes of so many samples, and of their groups: of these sizes or, without, the samples themselves."""
    ids = hash_keys([f"sample {number}" for number in range(count)])
    if not sizes:
        return ids, ids
    return ids, np.repeat(hash_keys([f"group {number}" for number in range(len(sizes))]), sizes)


def scored(made: Entry, statistics: Columns, sizes: tuple[int, ...] = (), *, seed: int = 1, kept: Any = None) -> Finished:
    """Return scores and replicates of the statistics (samples, ...), through the shipped tally and `finish`.

    `sizes`: how many samples each group has, in order; `kept` (samples,): which of them are scored.
    """
    count = len(next(iter(statistics.values())))
    ids, groups = keys(count, sizes)
    taken = np.ones(count, bool) if kept is None else kept
    tally = Tally(made)
    tally.add(Measured(statistics, [None if one else "no answer" for one in taken], {}, taken), groups, ids)
    return finish(made, tally, seed=seed, clustered=bool(sizes))


def of_mean(values: NDArray[np.float64]) -> Columns:
    """Return the statistics of a plain mean."""
    return {"value": values, "value.count": np.ones_like(values)}


def random_of(*names: object) -> np.random.Generator:
    """Return the generator of a cell: a function of its name alone, so that any choice of cells gives the same numbers."""
    return np.random.default_rng(list(" ".join(map(str, names)).encode()))
