"""AUROC of 10,000 samples with its interval and 1,000 replicates, beside scikit-learn once for each replicate.

    python -m benchmarks.auroc

Both run in this process, in turn. Ours is `Metric.evaluate`: reading the columns, the value, the interval and all
replicates under the weights that the harness draws. scikit-learn's is `roc_auc_score` of arrays that are at hand, with each
replicate's weights as `sample_weight`. Printed: seconds by the clock and of processor time, the least of the rounds, the
ratio, and how far the values of the replicates are apart. The exit code is 1 where it is less than 10 times faster, or a
value differs by more than 1e-9.

Measured: 0.17 s against 3.4 s, ratio 20; values apart by 2e-16.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
from sklearn.metrics import roc_auc_score

import evalharness as eh

SAMPLES, REPLICATES, ROUNDS = 10_000, 1_000, 3
FASTER, APART = 10.0, 1e-9


def samples() -> tuple[Any, Any, Any]:
    """Return probabilities of class 1, which class is right, and how often each sample counts in each replicate."""
    chance = np.random.default_rng(0)
    target = (chance.random(SAMPLES) < 0.2).astype(int)
    score = 1 / (1 + np.exp(-chance.normal(1.5 * target - 1, 1.0)))
    return score, target, chance.poisson(1.0, (REPLICATES, SAMPLES))


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the seconds by the clock and of processor time, and what the call gives."""
    clock, processor = time.perf_counter(), time.process_time()
    found = call()
    return time.perf_counter() - clock, time.process_time() - processor, found


def main() -> None:
    """Print the figures."""
    score, target, weights = samples()
    metric, columns = eh.load_metric("auroc"), {"probabilities": score.tolist(), "target": target.tolist()}
    rows = metric.measure(**columns).statistics  # type: ignore[union-attr]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        *took, _ = timed(lambda: metric.evaluate(**columns))
        ours.append(took)
        *took, expected = timed(lambda: [roc_auc_score(target, score, sample_weight=row) for row in weights])
        theirs.append(took)
    found = metric.score(weights=weights, **rows)
    apart = float(np.abs(found - expected).max())
    here, there = (np.min(rounds, 0) for rounds in (ours, theirs))
    ratio = float(there[1] / here[1])
    for name, (clock, processor) in (("evalharness", here), ("scikit-learn", there)):
        click.echo(f"{name:14} {clock:7.3f} s by the clock {processor:7.3f} s of processor time")
    click.echo(f"ratio {ratio:.1f} (by the clock {there[0] / here[0]:.1f}); {REPLICATES} values apart by {apart:.1e}")
    sys.exit(ratio < FASTER or not apart <= APART)


if __name__ == "__main__":
    main()
