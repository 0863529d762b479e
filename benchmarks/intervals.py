"""What intervals and replicates cost beside the scoring: 20 additive scores of 10,000 samples.

    OMP_NUM_THREADS=1 python -m benchmarks.intervals

Texts are made up. The time without them is that of measuring and adding up; the time with them also has the closed-form
intervals and the 1,000 replicates of each score. Printed: seconds of the processor for each, their ratio, and the same for
two cheap scores of short answers alone. Exit code 1 where the 20 scores take 25 % more or beyond.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import click

import evalharness as eh
from evalharness.contract import Batch
from evalharness.scoring import Chain, Tally, finish, hash_keys, measure

SAMPLES, ROUNDS, LIMIT = 10_000, 3, 1.25
LONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rouge", {"variants": ("rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum")}),
    ("exact_match", {}),
    ("token_f1", {}),
    ("contains_answer", {}),
    ("bleu", {}),
    ("sentence_bleu", {}),
    ("chrf", {"word_order": 2}),
    ("wer", {}),
    ("cer", {}),
    ("mer", {}),
    ("wil", {}),
    ("wip", {}),
    ("edit_similarity", {}),
    ("length_ratio", {}),
    ("repetition_rate", {}),
    ("response_length", {}),
)
SHORT = LONG[1:3]


def texts(words: tuple[int, int]) -> tuple[list[str], list[list[str]]]:
    """Return responses and their references, of so many words."""
    chance = random.Random(0)
    known = [f"w{number}" for number in range(3000)]
    references = [[chance.choice(known) for _ in range(chance.randint(*words))] for _ in range(SAMPLES)]
    responses = [[word if chance.random() < 0.7 else chance.choice(known) for word in row] for row in references]
    return list(map(" ".join, responses)), [[" ".join(row)] for row in references]


def seconds(metrics: Sequence[tuple[str, dict[str, Any]]], words: tuple[int, int]) -> tuple[int, float, float]:
    """Return the number of scores and the seconds without and with intervals and replicates, the best of some rounds."""
    chain = Chain.build([(None, eh.load_metric(name, **options)) for name, options in metrics])
    response, references = texts(words)
    names = [f"s{row}" for row in range(SAMPLES)]
    rounds = [_round(chain, {"response": response, "references": references}, names) for _ in range(ROUNDS)]
    scoring, finishing = map(min, zip(*rounds, strict=True))
    return len(chain.score_names), scoring, scoring + finishing


def _round(chain: Chain, columns: dict[str, list[Any]], names: list[str]) -> tuple[float, float]:
    batch, tallies = Batch(dict(columns), names), []
    start = time.process_time()
    ids = hash_keys(names)
    for entry in chain.entries:
        tally = Tally(entry)
        tally.add(measure(entry, batch, failures=[None] * len(names), policy="worst", measured={}), ids, ids)
        tallies.append((entry, tally))
    middle = time.process_time()
    for entry, tally in tallies:
        finish(entry, tally, seed=random.randrange(2**32), clustered=False)
    return middle - start, time.process_time() - middle


@click.command(help=__doc__)
def main() -> None:
    count, without, with_all = seconds(LONG, (40, 80))
    told = f"{without:.2f} s, with intervals {with_all:.2f} s: {with_all / without:.3f}"
    click.echo(f"{count} scores of {SAMPLES:,} texts of 40 to 80 words: {told}")
    few, bare, whole = seconds(SHORT, (1, 4))
    click.echo(f"{few} scores of {SAMPLES:,} short answers: {bare:.2f} s, with intervals {whole:.2f} s: {whole / bare:.2f}")
    sys.exit(int(count != 20 or with_all / without >= LIMIT))


if __name__ == "__main__":
    main()
