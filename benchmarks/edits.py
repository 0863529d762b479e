"""How fast edit distances are beside jiwer, with equal values.

    python -m benchmarks.edits

Printed for word and character error rate of 10,000 pairs of about 20 words: processor seconds here and in jiwer, the best of
several alternating rounds in one process, their ratio and the difference of the values. Ends with 1 where jiwer is faster or
a value differs by more than 1e-9.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

import click
import jiwer

import evalharness as eh

PAIRS, WORDS, ROUNDS = 10_000, 20, 5
KEPT, REPLACED = 0.95, 0.2


def pairs() -> tuple[list[str], list[str]]:
    """Return references, and responses with some of their words replaced or left out."""
    draw = random.Random(0)
    known = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(2000)]
    references = [draw.choices(known, k=WORDS) for _ in range(PAIRS)]
    responses = [
        [draw.choice(known) if draw.random() < REPLACED else word for word in words if draw.random() < KEPT]
        for words in references
    ]  # fmt: skip
    return [" ".join(words) for words in references], [" ".join(words) for words in responses]


def timed(work: Callable[[], float]) -> tuple[float, float]:
    """Return processor seconds and the value."""
    start = time.process_time()
    value = work()
    return time.process_time() - start, value


def ours(name: str, references: list[str], responses: list[str]) -> float:
    """Return the rate of this package, from the statistics of all rows."""
    metric = eh.load_metric(name)
    rows = metric.measure(response=responses, references=[[text] for text in references], batch=eh.Batch({}))
    return float(metric.score(**{key: column.sum() for key, column in rows.statistics.items()}))  # type: ignore[union-attr]


def compared(name: str, peer: Callable[..., float], references: list[str], responses: list[str]) -> bool:
    """Print one line, and return whether the claim holds."""
    ours(name, references[:1], responses[:1])  # imports
    rounds = [
        (timed(lambda: ours(name, references, responses)), timed(lambda: peer(references, responses))) for _ in range(ROUNDS)
    ]
    here, there = (min(taken[side][0] for taken in rounds) for side in (0, 1))
    off = abs(rounds[0][0][1] - rounds[0][1][1])
    click.echo(f"{name:6} {here:8.3f} {there:8.3f} {there / here:7.1f} {off:10.1e}")
    return there >= here and off <= 1e-9


def main() -> None:
    """Print the figures."""
    references, responses = pairs()
    click.echo(f"{PAIRS} pairs  s here  s jiwer   ratio difference")
    held = [compared(name, getattr(jiwer, name), references, responses) for name in ("wer", "cer")]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
