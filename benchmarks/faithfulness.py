"""How well `faithfulness` tells supported from unsupported answers, against human labels.

    EVALHARNESS_TEST_DATA=FOLDER python -m benchmarks.faithfulness

FOLDER holds the labelled sets in the subfolders named below; absent ones are skipped. Printed by set: the area under the
ROC curve (AUROC) of `faithfulness`, of `word_precision` and of answer length (fewer content words count as more supported),
all three on the answers that `faithfulness` measures; the difference of the first two with a 95 % interval from
resampling sources; how many answers are not measured; and the time an answer takes.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

import evalharness as eh

DRAWS = 1000


@dataclass(frozen=True)
class Labelled:
    """One answer with its passages, whether people found it supported, and the source it shares with other answers."""

    source: str
    response: str
    contexts: tuple[eh.Passage, ...]
    supported: bool


def ragtruth_qa(folder: Path) -> Iterator[Labelled]:
    for item in _json_lines(folder / "ragtruth_test_qa_data2txt/ragtruth_qa.jsonl"):
        texts = re.split(r"passage \d+:", item["source"]["passages"])
        passages = _passages(text.strip() for text in texts if text.strip())
        for given in item["responses"]:
            yield Labelled(str(item["source_id"]), given["response"], passages, not given["labels"])


def ragtruth_data_to_text(folder: Path) -> Iterator[Labelled]:
    for item in _json_lines(folder / "ragtruth_test_qa_data2txt/ragtruth_data2txt.jsonl"):
        passages = _passages(["\n".join(_flat(item["source"]))])
        for given in item["responses"]:
            yield Labelled(str(item["source_id"]), given["response"], passages, not given["labels"])


def qags_cnndm(folder: Path) -> Iterator[Labelled]:
    for item in json.loads((folder / "qags_cnndm/qags_cnndm.json").read_text()):
        supported = item["scores"]["consistency"] == 1
        yield Labelled(str(item["doc_id"]), item["system_output"], _passages([item["source"]]), supported)


def begin(folder: Path) -> Iterator[Labelled]:
    for name in ("wow", "cmu", "tc"):
        with (folder / f"begin_dev/begin_dev_{name}.tsv").open(newline="") as stream:
            for item in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                label = item["begin_label"].lower()
                if not label.startswith("generic"):  # says nothing that could be attributed
                    supported = label.startswith("fully")
                    yield Labelled(item["knowledge"], item["response"], _passages([item["knowledge"]]), supported)


def wice(folder: Path) -> Iterator[Labelled]:
    for item in _json_lines(folder / "wice_claim_dev/dev.jsonl"):
        yield Labelled(item["meta"]["id"], item["claim"], _passages(["\n".join(item["evidence"])]), item["label"] == "supported")


SETS: dict[str, Callable[[Path], Iterator[Labelled]]] = {
    "RAGTruth QA": ragtruth_qa, "RAGTruth data-to-text": ragtruth_data_to_text, "QAGS CNN/DM": qags_cnndm,
    "BEGIN dev": begin, "WiCE dev": wice,
}  # fmt: skip


def auroc(scores: Any, labels: Any) -> float:
    """Return the area under the ROC curve, ties counted half."""
    positives = int(labels.sum())
    ranks = rankdata(scores)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def interval(ours: Any, other: Any, labels: Any, sources: list[str]) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two AUROCs, sources resampled."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, source in enumerate(sources):
        rows[source].append(row)
    groups = [np.array(found) for found in rows.values()]
    draw = np.random.default_rng(0)
    differences = []
    for _ in range(DRAWS):
        chosen = np.concatenate([groups[group] for group in draw.integers(len(groups), size=len(groups))])
        if 0 < labels[chosen].sum() < len(chosen):
            differences.append(auroc(ours[chosen], labels[chosen]) - auroc(other[chosen], labels[chosen]))
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def report(name: str, items: list[Labelled]) -> str:
    """Return the row of one set."""
    responses, contexts = [item.response for item in items], [item.contexts for item in items]
    started = time.perf_counter()
    measured = eh.load_metric("faithfulness").measure(responses, contexts)
    seconds = time.perf_counter() - started
    kept = [row for row in range(len(items)) if row not in measured.unmeasured]
    labels = np.array([items[row].supported for row in kept])
    ours = np.array(measured.statistics["value"])[kept]
    words = np.array(eh.load_metric("word_precision").measure(responses, contexts).statistics["words"])[kept]
    length = np.array([-len(responses[row].split()) for row in kept])
    low, high = interval(ours, words, labels, [items[row].source for row in kept])
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(measured.unmeasured.values()).items()))
    figures = f"{auroc(ours, labels):.3f} | {auroc(words, labels):.3f} | {auroc(length, labels):.3f} | {low:+.3f} to {high:+.3f}"
    share = f"{len(kept)} ({labels.mean():.0%})"
    return f"| {name} | {share} | {figures} | {left or 'none'} | {seconds / len(items) * 1000:.1f} |"


def main() -> None:
    folder = Path(os.environ.get("EVALHARNESS_TEST_DATA", "")).expanduser()
    if not os.environ.get("EVALHARNESS_TEST_DATA"):
        sys.exit("set EVALHARNESS_TEST_DATA to the folder that holds the labelled data sets")
    head = "set | answers (supported) | faithfulness | word_precision | length | difference to word_precision | unmeasured | ms"
    lines = [f"| {head} |", "|---" * 8 + "|"]
    for name, read in SETS.items():
        try:
            items = list(read(folder))
        except FileNotFoundError as error:
            lines.append(f"| {name} | absent: {error.filename} | | | | | | |")
        else:
            lines.append(report(name, items))
    sys.stdout.write("\n".join(lines) + "\n")


def _passages(texts: Any) -> tuple[eh.Passage, ...]:
    return tuple(eh.Passage(f"p{number}", text) for number, text in enumerate(texts, start=1))


def _json_lines(path: Path) -> Iterator[Any]:
    with path.open() as stream:
        yield from map(json.loads, stream)


def _flat(value: Any, key: str = "") -> Iterator[str]:
    """Yield `key: value` lines of a structured source."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key} {name}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, key)
    else:
        yield f"{key}: {value}"


if __name__ == "__main__":
    main()
