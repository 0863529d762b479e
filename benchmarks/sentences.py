"""Made-up references and what systems say instead of them, 40 to 80 words each, and the timing of two ways to score them."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Sequence

import click

KINDS, ROUNDS, TOLERANCE = 20_000, 5, 1e-9
_ENDS = ("", ",", ".", "-3", " 0.25", '"', ")")
_OFTEN = (84, 5, 6, 1, 2, 1, 1)


def pairs(count: int, systems: int) -> tuple[list[str], list[list[str]]]:
    """Return references, and for each system a text for each of them that has some of its words wrong, moved or left out.

    Words are as frequent as in real text, the k-th in proportion to 1 / k, and bear marks, hyphens and numbers.
    """
    draw = random.Random(7)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 10))) for _ in range(KINDS)]
    frequency = [1 / (place + 1) for place in range(KINDS)]
    references = [draw.choices(words, frequency, k=draw.randint(40, 80)) for _ in range(count)]
    outputs = [[_text(_changed(text, words, draw), draw) for text in references] for _ in range(systems)]
    return [_text(text, draw) for text in references], outputs


def _changed(text: list[str], words: list[str], draw: random.Random) -> list[str]:
    kept = [draw.choice(words) if draw.random() < 0.15 else word for word in text if draw.random() > 0.1]
    start, length = draw.randrange(len(kept)), draw.randint(0, 8)
    run, rest = kept[start : start + length], kept[:start] + kept[start + length :]
    place = draw.randint(0, len(rest))
    return rest[:place] + run + rest[place:]


def _text(words: list[str], draw: random.Random) -> str:
    ends = draw.choices(_ENDS, _OFTEN, k=len(words))
    return " ".join(word + end for word, end in zip(words, ends, strict=True)).capitalize() + "."


def faster(what: str, ours: Callable[[], Sequence[float]], theirs: Callable[[], Sequence[float]], wanted: float) -> bool:
    """Print the best times of alternating rounds and how far the values lie apart; return whether the claim holds."""
    runs = (ours, theirs)
    values = [run() for run in runs]  # imports, too
    apart = max(abs(a - b) for a, b in zip(*values, strict=True))
    rounds = [[_seconds(run) for run in runs] for _ in range(ROUNDS)]
    clock, busy = ([min(each[side][kind] for each in rounds) for side in (0, 1)] for kind in (0, 1))
    click.echo(
        f"{what:52} {busy[0]:6.3f} s here, {busy[1]:6.3f} s sacrebleu, {busy[1] / busy[0]:5.1f} times faster "
        f"(by the clock {clock[1] / clock[0]:.1f}, at least {wanted:g}); largest difference {apart:.1e}"
    )
    return apart <= TOLERANCE and busy[1] / busy[0] >= wanted


def _seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a call by the clock and those of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - busy
