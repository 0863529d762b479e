"""What one cell of a board must say of its score: the share of samples that it covers, and its bounds."""

from __future__ import annotations

from evalharness.scoring import Score
from evalharness.scoring.measuring import FAILED


def lost(score: Score) -> float:
    """Return the share of samples that were lost to errors or, with failures excluded, to failures of the system.

    >>> lost(Score(value=0.5, samples=90, unmeasured={"no reference": 8, "failed: no answer": 7}, errors=3))
    0.1
    """
    gone = score.errors + sum(count for reason, count in score.unmeasured.items() if reason.startswith(FAILED))
    return gone / (score.samples + gone) if gone else 0.0


def coverage(score: Score) -> float:
    """Return the share of samples that the score covers.

    >>> coverage(Score(value=0.5, samples=90, unmeasured={"no reference": 8}, errors=2))
    0.9
    """
    every = score.samples + score.missing
    return score.samples / every if every else 0.0


def bounds(score: Score) -> tuple[float, float] | None:
    """Return where the score would lie with all that it does not cover at the one end of its range, and at the other.

    None where everything is covered, and for a score that is no mean over a range: nothing then says how far it could go.

    >>> bounds(Score(value=0.5, samples=90, errors=10, interval="bounded mean", range=[0, 1]))
    (0.45, 0.55)
    """
    return score.possible if score.bounds is None else (score.bounds[0], score.bounds[1])


def coverage_note(score: Score) -> str | None:
    """Return in words what a score does not cover and why; None where it covers everything.

    >>> coverage_note(Score(value=0.5, samples=90, unmeasured={"no reference": 8}, errors=2))
    'measured on 90 of 100 samples (8 no reference, 2 lost to errors)'
    """
    if not score.missing:
        return None
    why = [f"{count:,} {reason}" for reason, count in score.unmeasured.items()]
    why += [f"{score.errors:,} lost to errors"] if score.errors else []
    return f"measured on {score.samples:,} of {score.samples + score.missing:,} samples ({', '.join(why)})"
