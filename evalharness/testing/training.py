"""The checks of what a training task names beside its loss: rules and networks, which keep what every plugin keeps."""

from __future__ import annotations

from typing import Any

from evalharness.testing.every import EVERY, kind_of, made, title
from evalharness.testing.outcomes import Outcome, run_checks


def part_outcomes(part: Any) -> list[Outcome]:
    """Return the outcome of every check of a training rule or a network."""
    built = made(kind_of(part), part)
    return run_checks(title(built), EVERY, built)
