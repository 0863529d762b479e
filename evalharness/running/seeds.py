"""An arm's scores seed by seed: the seeds of an arm stand in its samples as repeats, one after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from evalharness.running.measuring import Scoring
from evalharness.running.pipeline import Row
from evalharness.scoring import Chain, Finished, Measured


class SeedScoring:
    """Adds up each seed of an arm on its own; `repeats` are those of all seeds together.

    A seed's rows are counted from repeat 0, as in its own run, so that its values come out to the last bit.
    """

    def __init__(self, chain: Chain, policy: Literal["worst", "exclude"], seeds: int, repeats: int) -> None:
        self.each = max(1, repeats // seeds)
        self.parts = [Scoring(chain, policy, lambda entry, batch: []) for _ in range(seeds)]

    def add(self, rows: Sequence[Row], measured: Mapping[str, Measured]) -> None:
        """Take in a measured batch of the arm's rows; rows of a repeat that no seed has are passed over."""
        places = np.array([row.repeat // self.each for row in rows])
        for place in np.unique(places[places < len(self.parts)]).tolist():
            chosen = np.flatnonzero(places == place)
            own = [dataclasses.replace(rows[row], repeat=rows[row].repeat % self.each) for row in chosen.tolist()]
            self.parts[place].add_measured(own, {name: one.take(chosen) for name, one in measured.items()})

    def finish(self, *, seed: int, clustered: bool) -> list[dict[str, Finished]]:
        """Return the scores of each seed by the name of the entry; `seed` is the task's, of which replicates are drawn."""
        parts = [part.finish(seed=seed, clustered=clustered) for part in self.parts]
        return [{entry.name: finished for entry, finished in part} for part in parts]


def values_by_seed(seeds: Sequence[Mapping[str, Finished]]) -> dict[str, list[float | None]]:
    """Return the value of each seed by score name."""
    found: dict[str, list[float | None]] = {}
    for finished in (one for seed in seeds for one in seed.values()):
        for name, score in finished.scores.items():
            found.setdefault(name, []).append(score.value)
    return found
