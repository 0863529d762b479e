"""How fast short answers are scored on real ones with several references.

    EVALHARNESS_TEST_DATA=FOLDER python -m benchmarks.text_metrics

FOLDER holds the labelled set named below. Printed: microseconds a row of `exact_match` and `token_f1` together, in batches,
the fastest of several passes. ROUGE and METEOR have a benchmark of their own, `benchmarks.rouge`.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from pathlib import Path

import click

import evalharness as eh

BATCH, PASSES = 1000, 20


def short_answers(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Return answers of systems to factual questions, with the accepted answers of each."""
    with (folder / "openqa_nq301/NQ301_BEM.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:BATCH]
    return [row["Model answer"] for row in rows], [row["Gold answers"].split(" | ") for row in rows]


def answers(responses: list[str], references: list[list[str]]) -> float:
    """Return microseconds a row of exact_match and token_f1 together."""
    metrics = [eh.load_metric(name) for name in ("exact_match", "token_f1")]
    passes = []
    for _ in range(PASSES):
        start, batch = time.perf_counter(), eh.Batch({})
        for metric in metrics:
            metric.measure(response=responses, references=references, batch=batch)
        passes.append(time.perf_counter() - start)
    return min(passes) * 1e6 / len(responses)


def main() -> None:
    """Print the figures."""
    folder = os.environ.get("EVALHARNESS_TEST_DATA")
    if not folder:
        sys.exit("EVALHARNESS_TEST_DATA must name the folder of labelled data")
    click.echo(f"exact_match + token_f1: {answers(*short_answers(Path(folder))):.1f} us a row")


if __name__ == "__main__":
    main()
