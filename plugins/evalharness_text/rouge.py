"""ROUGE: overlap of n-grams and longest common subsequences, by the rules of the rouge-score package."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference

Variant = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
Words = list[str]
_KEPT = bytes(code if chr(code).isalnum() else ord(" ") for code in range(128)).ljust(256, b" ")


class Rouge(Metric):
    """F1 of what a response and its best reference share, mean over samples, 0 to 1 for each variant.

    `rouge1` and `rouge2` share words and pairs of words, `rougeL` the longest common subsequence of words, `rougeLsum`
    the union of such subsequences line by line (sentences are split at line breaks alone). The best reference is the
    one with the highest F1, for each variant by itself. `stemmer` reduces words of more than three letters to their
    Porter stem. Words are runs of a-z and 0-9 in lower case: a text in another script has none and scores 0. A
    sample without references is unmeasured.

    >>> metric = Rouge(variants=("rouge1", "rougeL"))
    >>> metric.parts
    ('.rouge1', '.rougeL')
    >>> metric.measure(response=["the mill burned down"], references=[["the mill burned up"]]).statistics
    {'.rouge1': [0.75], '.rougeL': [0.75]}
    """

    name, better, range = "rouge", "higher", (0, 1)
    cite: ClassVar[str] = "Lin, ROUGE: A Package for Automatic Evaluation of Summaries, ACL workshop 2004"
    reference: ClassVar[str] = "rouge-score 0.1.2 RougeScorer.score_multi, fmeasure"

    variants: tuple[Variant, ...] = ("rouge1", "rouge2", "rougeL", "rougeLsum")
    stemmer: bool = False

    def __post_init__(self) -> None:
        if not self.variants or len(set(self.variants)) < len(self.variants):
            raise ValueError("variants must name at least one variant, and none twice")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """One suffix a variant."""
        return tuple(f".{variant}" for variant in self.variants)

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return the F1 of each variant with the reference that fits best."""
        rows = [
            self._row(_Text(text, self.stemmer), [_Text(item, self.stemmer) for item in texts])
            for text, texts in zip(response, references, strict=True)
        ]
        statistics = {part: [row[column] for row in rows] for column, part in enumerate(self.parts)}
        return Rows(statistics, without_reference(references))

    def _row(self, response: _Text, references: Sequence[_Text]) -> list[float]:
        return [max((_VARIANTS[variant](item, response) for item in references), default=0.0) for variant in self.variants]


@dataclass(frozen=True)
class _Text:
    """A text whose forms are worked out once, when a variant asks for them."""

    text: str
    stemmed: bool

    @functools.cached_property
    def words(self) -> Words:
        return rouge_words(self.text, self.stemmed)

    @functools.cached_property
    def lines(self) -> list[Words]:
        return [words for line in self.text.split("\n") if (words := rouge_words(line, self.stemmed))]

    @functools.cached_property
    def places(self) -> list[tuple[dict[str, int], int]]:
        return [(word_places(line), len(line)) for line in self.lines]

    @functools.cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.words)

    @functools.cached_property
    def pairs(self) -> Counter[tuple[str, str]]:
        return Counter(zip(self.words, self.words[1:], strict=False))


def rouge_words(text: str, stemmed: bool = False) -> Words:
    """Return the runs of a-z and 0-9 of a text in lower case, stemmed where they have more than three letters.

    >>> rouge_words("Café-au-lait, 2 cups")
    ['caf', 'au', 'lait', '2', 'cups']
    """
    words = text.lower().encode("ascii", "replace").translate(_KEPT).decode().split()
    return list(filter(None, map(_stem, words))) if stemmed else words


@functools.lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return _porter().stem(word) if len(word) > 3 else word


@functools.cache
def _porter() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


def _f1(shared: int, reference: int, response: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / response, shared / reference
    return 2 * precision * recall / (precision + recall)


def _overlap(left: Counter[Any], right: Counter[Any]) -> int:
    return sum(min(left[key], right[key]) for key in left.keys() & right.keys())


def _rouge1(reference: _Text, response: _Text) -> float:
    return _f1(_overlap(reference.counts, response.counts), len(reference.words), len(response.words))


def _rouge2(reference: _Text, response: _Text) -> float:
    return _f1(_overlap(reference.pairs, response.pairs), len(reference.words) - 1, len(response.words) - 1)


def _rouge_l(reference: _Text, response: _Text) -> float:
    from rapidfuzz.distance import LCSseq

    return _f1(LCSseq.similarity(reference.words, response.words), len(reference.words), len(response.words))


def _rouge_lsum(reference: _Text, response: _Text) -> float:
    if len(reference.lines) == len(response.lines) == 1:  # then the union is the one subsequence
        return _rouge_l(reference, response)
    shared = Counter[str]()
    for line in reference.lines:
        union = set[int]().union(*(common_words(line, places, width) for places, width in response.places))
        shared.update(line[row] for row in union)
    return _f1(_overlap(shared, response.counts), len(reference.words), len(response.words))


def word_places(words: Words) -> dict[str, int]:
    """Return where each word stands, as the bits of an integer.

    >>> word_places(["a", "b", "a"])
    {'a': 5, 'b': 2}
    """
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    return places


def common_words(words: Words, places: dict[str, int], width: int) -> list[int]:
    """Return which of the words make a longest common subsequence with the `width` words that `places` describes.

    Of several longest ones it is the one that rouge-score's backtracking finds. The table of lengths is kept as one
    integer a row, bit j of which is 0 where the length grows from column j to j + 1 (Hyyrö, Bit-Parallel LCS-length
    Computation Revisited, 2004); a word that occurs nowhere repeats the row before and is passed over.

    >>> common_words(["a", "b", "c", "d"], word_places(["b", "x", "d"]), 3)
    [3, 1]
    """
    rows, flat = [], -1
    for row, word in enumerate(words):
        match = places.get(word)
        if match:
            before, step = flat, flat & match
            flat = (flat + step) | (flat - step)
            rows.append((row, match, before, flat))
    taken, left = [], (1 << width) - 1  # the columns left to walk through, from the last corner of the table
    for row, match, before, flat in reversed(rows):
        last = (match & left).bit_length()
        if last and (last == left.bit_length() or (before & left).bit_count() > (flat & left).bit_count()):
            taken.append(row)
            left = (1 << last - 1) - 1
    return taken


_VARIANTS: dict[str, Callable[[_Text, _Text], float]] = {
    "rouge1": _rouge1,
    "rouge2": _rouge2,
    "rougeL": _rouge_l,
    "rougeLsum": _rouge_lsum,
}
