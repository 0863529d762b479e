"""How fast BERTScore is beside the package that defines it, with the same encoder and layer, and what kept references save.

    EVALHARNESS_TEST_DATA=FOLDER python -m benchmarks.bert_score [PAIRS] [ROUNDS]

FOLDER holds `ragchecker_human_preference`: answers of two models to one set of questions, each cut after 40 to 80 words.
The first model's are scored with no reference known yet, then the second's on the same references. Rounds alternate in one
process on one thread; printed is the least processor time of each, in seconds. Ends with 1 where values differ by more than
1e-4, or where the first system is not 1.5 times and the second not 2.5 times as fast.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import evalharness as eh

WEIGHTS, LAYER = "all-minilm-l6-v2", 6
CLAIMS = (1.5, 2.5)
Answers = list[str]


def answers(folder: Path, pairs: int) -> tuple[Answers, Answers, Answers]:
    """Return references and the answers of two systems."""
    items = json.loads((folder / "ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))
    rows = [(item["gt_answer"], item["model1"]["response"], item["model2"]["response"]) for item in items]
    whole = [row for row in rows if all(text.strip() for text in row)][:pairs]  # bert-score fails on an empty text
    cut = [[" ".join(text.split()[: 40 + number % 41]) for text in row] for number, row in enumerate(whole)]
    references, first, second = map(list, zip(*cut, strict=True))
    return references, first, second


def peer(**options: Any) -> Callable[[Answers, Answers], Any]:
    """Return bert-score with the same weights and layer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bert_score import BERTScorer

        scorer = BERTScorer(model_type=str(eh.resolve_weights(WEIGHTS)), num_layers=LAYER, device="cpu")
    return lambda responses, references: [column.tolist() for column in scorer.score(responses, references, **options)]


def ours(responses: Answers, references: Answers) -> Any:
    """Return precision, recall and F1 of each pair."""
    rows = eh.load_metric("bert_score", layer=LAYER).measure(response=responses, references=[[text] for text in references])
    return list(rows.statistics.values())  # type: ignore[union-attr]


def seconds(call: Callable[[Answers, Answers], Any], responses: Answers, references: Answers) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    call(responses, references)
    return time.process_time() - start


def difference(responses: Answers, references: Answers) -> float:
    """Return how far values lie from bert-score's for one pair at a time: in batches, its padding counts as similarity 0."""
    expected, found = peer(batch_size=1)(responses, references), ours(responses, references)
    return max(abs(a - b) for one, two in zip(expected, found, strict=True) for a, b in zip(one, two, strict=True))


def main(pairs: int = 500, rounds: int = 3) -> int:
    """Print the figures."""
    import torch
    from evalharness_hf.bert_score import REFERENCES

    folder = os.environ.get("EVALHARNESS_TEST_DATA")
    if not folder:
        sys.exit("EVALHARNESS_TEST_DATA must name the folder of labelled data")
    torch.set_num_threads(1)
    references, *systems = answers(Path(folder), pairs)
    theirs, least = peer(), [[float("inf")] * 2 for _ in systems]
    apart = max(difference(responses[:100], references[:100]) for responses in systems)
    for _ in range(rounds):
        REFERENCES.clear()
        for system, responses in zip(least, systems, strict=True):
            system[:] = [min(was, seconds(call, responses, references)) for was, call in zip(system, (theirs, ours), strict=True)]
    ratios = [there / here for there, here in least]
    for name, (there, here), ratio in zip(("first system", "second, references kept"), least, ratios, strict=True):
        click.echo(f"{name:24} bert-score {there:6.2f} s, here {here:6.2f} s, ratio {ratio:.2f}")
    click.echo(f"largest difference {apart:.1e} over the first 100 pairs of each")
    return int(apart > 1e-4 or any(ratio < claim for ratio, claim in zip(ratios, CLAIMS, strict=True)))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
