"""Comparison: two runs of 10,000 samples with 20 scores, wall time of the command; bytes of 20 scores' replicates.

    python -m benchmarks.compare

Measured on 2 cores, loaded: 0.86 s, of these 0.28 s for starting the program; 85.1 kB.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.process import EVALHARNESS, measure
from benchmarks.responses import WORDS, write_task

METRICS = """exact_match, {exact_match: {normalise: none}, as: em_raw}, token_f1, rouge, {rouge: {stemmer: true}, as: stemmed},
  bleu, {bleu: {order: 2}, as: bleu2}, {bleu: {order: 1}, as: bleu1}, {bleu: {smooth: none}, as: bleu_raw},
  {bleu: {tokenize: char}, as: bleu_char}, {bleu: {tokenize: intl}, as: bleu_intl}, {bleu: {lowercase: true}, as: bleu_lower},
  {token_f1: {}, as: f1_again}, {exact_match: {}, as: em_again}"""
SECONDS, BYTES, TIMES = 2.0, 100_000, 5


def write_responses(path: Path, samples: int, right: float, seed: int) -> None:
    """Write responses of one system: this share of them is the answer of half the documents, the rest other words."""
    draw = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(samples):
            text = "lol" if draw.random() < right else " ".join(draw.choices(WORDS, k=3))
            file.write(json.dumps({"id": f"q{number}", "response": text}) + "\n")


def make_runs(folder: Path, samples: int) -> list[Path]:
    """Run two systems on one task and return their run folders."""
    task, _ = write_task(folder, samples, METRICS)
    for name, right, seed in (("a", 0.6, 1), ("b", 0.62, 2)):
        responses = folder / f"{name}.jsonl"
        write_responses(responses, samples, right, seed)
        store = str(folder / "store.sqlite")
        measure([EVALHARNESS, "run", str(task), "--responses", str(responses), "--out", str(folder / name), "--store", store])
    return [folder / "a", folder / "b"]


@click.command(help=__doc__)
@click.option("--samples", type=int, default=10_000, show_default=True)
def main(samples: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        runs = make_runs(Path(name), samples)
        scores = json.loads((runs[0] / "record.json").read_text(encoding="utf-8"))["scores"]
        size = (runs[0] / "replicates.npz").stat().st_size
        bare = statistics.median(measure([EVALHARNESS, "compare", "--help"]).seconds for _ in range(TIMES))
        took = [measure([EVALHARNESS, "compare", *map(str, runs)]) for _ in range(TIMES)]
    seconds = statistics.median(finished.seconds for finished in took)
    click.echo(took[0].output)
    click.echo(
        f"{samples} samples, {len(scores)} scores: {seconds:.2f} s, {took[0].peak_mb:.0f} MB; --help {bare:.2f} s; "
        f"replicates {size / 1000:.1f} kB, {size / len(scores) / 1000:.2f} kB a score"
    )
    sys.exit(len(scores) < 20 or seconds > SECONDS or size * 20 / len(scores) > BYTES)


if __name__ == "__main__":
    main()
