"""How fast chrF++ is, beside sacrebleu 2.6.0.

    OMP_NUM_THREADS=1 python -m benchmarks.chrf

2,000 pairs of 40 to 80 words, from texts to the score of the corpus and those of all samples: `measure` and `score` here,
`corpus_score` and `sentence_score` there; the second line is held against `corpus_score` alone. Seconds are those of the
processor. Ends with exit code 1 where values differ by more than 1e-9 or this is not 2 times faster.
"""

from __future__ import annotations

import functools
import sys

import evalharness as eh
from benchmarks.sentences import faster, pairs

PAIRS, WANTED = 2_000, 2.0


def ours(references: list[str], responses: list[str], samples: bool) -> list[float]:
    """Return the score of the corpus, and perhaps those of samples."""
    metric = eh.load_metric("chrf", word_order=2)
    rows = metric.measure(response=responses, references=[[text] for text in references])
    assert isinstance(rows, eh.Rows)
    corpus = metric.score(**{name: column.sum(0) for name, column in rows.statistics.items()})
    values = metric.score(**rows.statistics)
    return [float(corpus), *values.tolist() * samples]


def theirs(references: list[str], responses: list[str], samples: bool) -> list[float]:
    """Return the same of sacrebleu."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF(word_order=2)
    rows = [(text, [reference]) for text, reference in zip(responses, references, strict=True)] * samples
    return [metric.corpus_score(responses, [references]).score] + [metric.sentence_score(*row).score for row in rows]


def main() -> None:
    """Print the figures."""
    references, (responses,) = pairs(PAIRS, 1)
    held = []
    for what, samples in (("chrF++ of corpus and samples", True), ("chrF++ of the corpus", False)):
        here, there = (functools.partial(side, references, responses, samples) for side in (ours, theirs))
        held.append(faster(f"{what}, {PAIRS} pairs", here, there, WANTED))
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
