"""Sample sizes: by simulation and against the figures of the literature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evalharness.scoring.power import binary_samples, detectable, samples_needed


def test_a_detectable_difference_is_detected_in_four_of_five_cases() -> None:
    generator = np.random.default_rng(1)
    groups, sd = 100, 0.3
    gap = detectable(sd / np.sqrt(groups), groups - 1)
    rejected = stats.ttest_1samp(generator.normal(gap, sd, (4000, groups)), 0, axis=1).pvalue < 0.05
    assert rejected.mean() == pytest.approx(0.8, abs=0.025)


def test_needed_samples_fall_with_the_square_of_the_difference() -> None:
    assert samples_needed(100, 0.02, 0.02) == pytest.approx(4 * samples_needed(100, 0.02, 0.04), abs=4)
    assert samples_needed(100, 0.0001, 0.5) == 1


def test_the_two_agree() -> None:
    se, samples = 0.01, 10_000
    assert samples_needed(samples, se, detectable(se, samples - 1)) == pytest.approx(samples, rel=0.001)


@pytest.mark.parametrize(("disagreement", "difference", "samples"), [(0.2, 0.05, 620), (0.2, 0.02, 3_900)])
def test_sizes_without_a_pilot(disagreement: float, difference: float, samples: int) -> None:
    assert binary_samples(disagreement, difference) == pytest.approx(samples, rel=0.01)
