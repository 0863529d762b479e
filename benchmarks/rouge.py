"""How fast ROUGE is beside rouge-score, which defines it, and METEOR beside nltk.

    python -m benchmarks.rouge

2,000 pairs of 40 to 80 words, a sentence a line, the words as frequent as in real text (the k-th in proportion to 1 / k)
and with endings for the stemmer. Stems are forgotten before each round. ROUGE-1, 2, L and Lsum with stemmer together, then
METEOR on the same words, without synonyms on either side; the least time of several rounds, by turns. Ends with exit
code 1 where a value differs by more than 1e-9 or ROUGE is not 8 times faster; METEOR's ratio is told for information.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from evalharness_text.words import stem, unicode_lines

import evalharness as eh

PAIRS, ROUNDS, WANTED, TOLERANCE = 2_000, 3, 8.0, 1e-9
VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
KINDS = 6_000
ENDINGS = ("", "", "", "s", "ed", "ing", "ation", "ly", "ness", "ful", "er", "ally")
Values = list[list[float]]


def made_up() -> tuple[list[str], list[str]]:
    """Return responses, and for each the reference that it was made from by changing half of its words."""
    draw = random.Random(3)
    syllables = [consonant + vowel for consonant in "bcdfghklmnprstvw" for vowel in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 3))) + draw.choice(ENDINGS) for _ in range(KINDS)]
    frequency = [1 / (place + 1) for place in range(KINDS)]
    references = [draw.choices(words, frequency, k=draw.randint(40, 80)) for _ in range(PAIRS)]
    responses = []
    for text in references:
        others = draw.choices(words, frequency, k=len(text) if draw.random() < 0.5 else draw.randint(40, 80))
        kept = [word if draw.random() < 0.5 else other for word, other in zip(text, others, strict=False)]
        responses.append(kept + others[len(kept) :])
    return [_lines(text, draw) for text in responses], [_lines(text, draw) for text in references]


def _lines(words: list[str], draw: random.Random) -> str:
    lines, start = [], 0
    while start < len(words):
        end = start + draw.randint(8, 20)
        lines.append(" ".join(words[start:end]).capitalize() + ".")
        start = end
    return "\n".join(lines)


def our_rouge(responses: list[str], references: list[str]) -> Values:
    """Return the F1 of each variant as evalharness finds it."""
    metric = eh.load_metric("rouge", variants=VARIANTS, stemmer=True)
    found = metric.measure(response=responses, references=[[text] for text in references]).statistics  # type: ignore[union-attr]
    return [list(found[f".{variant}"]) for variant in VARIANTS]


def their_rouge(responses: list[str], references: list[str]) -> Values:
    """Return what rouge-score finds."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(VARIANTS, use_stemmer=True)
    scores = [scorer.score(reference, response) for response, reference in zip(responses, references, strict=True)]
    return [[float(score[variant].fmeasure) for score in scores] for variant in VARIANTS]


def our_meteor(responses: list[str], references: list[str]) -> Values:
    """Return METEOR as evalharness finds it."""
    found = eh.load_metric("meteor").measure(response=responses, references=[[text] for text in references])
    return [list(found.statistics["meteor"])]  # type: ignore[union-attr]


def their_meteor(responses: list[str], references: list[str]) -> Values:
    """Return what nltk finds in the same words, which it must be given."""
    from nltk.translate.meteor_score import meteor_score

    def words(text: str) -> list[str]:
        return [word for line in unicode_lines(text) for word in line]

    pairs = zip(responses, references, strict=True)
    return [[meteor_score([words(reference)], words(response), wordnet=_NoSynonyms()) for response, reference in pairs]]


class _NoSynonyms:
    def synsets(self, word: str) -> list[Any]:
        return []


def compared(
    title: str, ours: Callable[..., Values], theirs: Callable[..., Values], texts: tuple[list[str], ...]
) -> tuple[float, float]:
    """Print one line of figures; return how often our time goes into the peer's, of the processor, and how far values differ."""
    found: list[Values] = []
    least = [float("inf")] * 2, [float("inf")] * 2
    for compute in (ours, theirs):
        compute(*(column[:1] for column in texts))  # imports
    for _ in range(ROUNDS):
        for side, compute in enumerate((ours, theirs)):
            stem.cache_clear()
            start, busy = time.perf_counter(), time.process_time()
            found.append(compute(*texts))
            took = time.perf_counter() - start, time.process_time() - busy
            least[side][:] = map(min, least[side], took)
    apart = max(abs(a - b) for one, two in zip(*found[:2], strict=True) for a, b in zip(one, two, strict=True))
    (clock, busy), (their_clock, their_busy) = least
    ratio = their_busy / busy
    click.echo(f"{title:32} {clock:8.3f} {their_clock:8.3f} {busy:8.3f} {their_busy:8.3f} {ratio:7.1f} {apart:11.1e}")
    return ratio, apart


def main() -> None:
    """Print the figures."""
    texts = made_up()
    click.echo(f"{PAIRS:,} pairs; seconds:            clock     peer      cpu     peer   ratio  difference")
    ratio, apart = compared("ROUGE-1, 2, L, Lsum, stemmer", our_rouge, their_rouge, texts)
    _, meteor_apart = compared("METEOR", our_meteor, their_meteor, texts)
    sys.exit(ratio < WANTED or max(apart, meteor_apart) > TOLERANCE)


if __name__ == "__main__":
    main()
