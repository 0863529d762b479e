"""How fast the text metrics are on real answers, ROUGE beside the package that defines it.

    EVALHARNESS_TEST_DATA=FOLDER python -m benchmarks.text_metrics

FOLDER holds the labelled sets named below. Printed: microseconds a pair of ROUGE here and in rouge-score on 2,000 pairs of
long answers, their ratio and the largest difference of a value; microseconds a row of `exact_match` and `token_f1`
together on short answers with several references, in batches, the fastest of several passes.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path

import click

import evalharness as eh

PAIRS, BATCH, PASSES = 2000, 1000, 20
VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def long_answers(folder: Path) -> tuple[list[str], list[str]]:
    """Return answers of models to open questions, and for each what it is held against."""
    items = json.loads((folder / "ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))
    answers = [(item["gt_answer"], item["model1"]["response"], item["model2"]["response"]) for item in items]
    pairs = [(one, gold) for gold, one, _ in answers] + [(two, gold) for gold, _, two in answers]
    pairs += [(one, two) for _, one, two in answers] + [(two, one) for _, one, two in answers]
    responses, references = zip(*pairs[:PAIRS], strict=True)
    return list(responses), list(references)


def short_answers(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Return answers of systems to factual questions, with the accepted answers of each."""
    with (folder / "openqa_nq301/NQ301_BEM.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:BATCH]
    return [row["Model answer"] for row in rows], [row["Gold answers"].split(" | ") for row in rows]


def rouge(responses: list[str], references: list[str], variants: tuple[str, ...]) -> str:
    """Return one line that compares this ROUGE with rouge-score."""
    from rouge_score.rouge_scorer import RougeScorer

    metric, scorer = eh.load_metric("rouge", variants=variants), RougeScorer(list(variants))
    metric.measure(response=responses[:1], references=[references[:1]])  # imports
    start = time.perf_counter()
    found = metric.measure(response=responses, references=[[text] for text in references]).statistics  # type: ignore[union-attr]
    middle = time.perf_counter()
    expected = [scorer.score(text, response) for response, text in zip(responses, references, strict=True)]
    here, there = (middle - start) * 1e6 / len(responses), (time.perf_counter() - middle) * 1e6 / len(responses)
    off = max(
        abs(score[name].fmeasure - value) for name in variants for score, value in zip(expected, found[f".{name}"], strict=True)
    )
    return f"{'+'.join(variants):36} {here:8.0f} {there:8.0f} {there / here:7.1f} {off:10.1e}"


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
    responses, references = long_answers(Path(folder))
    click.echo(f"ROUGE, {len(responses)} pairs                       us here  us there   ratio difference")
    for variants in (*((name,) for name in VARIANTS), VARIANTS):
        click.echo(rouge(responses, references, variants))
    click.echo(f"exact_match + token_f1: {answers(*short_answers(Path(folder))):.1f} us a row")


if __name__ == "__main__":
    main()
