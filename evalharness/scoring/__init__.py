"""Scoring: chains of metrics, exact tallies, intervals and replicates.

A tally is only a mergeable mapping; intervals, replicates and fingerprints are functions of it.
"""

from __future__ import annotations

from evalharness.scoring.averaging import mean_over_seeds
from evalharness.scoring.chain import Chain, Entry
from evalharness.scoring.evaluation import Evaluation, evaluate
from evalharness.scoring.generator import seed_of
from evalharness.scoring.keys import group_hashes, hash_keys
from evalharness.scoring.measuring import Measured, excluded, measure
from evalharness.scoring.score import Finished, Score, finish
from evalharness.scoring.tally import Tally

__all__ = [
    "Chain", "Entry", "Evaluation", "Finished", "Measured", "Score", "Tally", "evaluate", "excluded", "finish",
    "group_hashes", "hash_keys", "mean_over_seeds", "measure", "seed_of",
]  # fmt: skip
