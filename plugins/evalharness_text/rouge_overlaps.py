"""What a response and a reference share, for each variant of ROUGE."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Literal

from evalharness_text.subsequences import common_words, weighted_length, word_places
from evalharness_text.words import Words

Variant = Literal[
    "rouge1", "rouge2", "rouge3", "rouge4", "rouge5", "rouge6", "rouge7", "rouge8", "rouge9",
    "rougeL", "rougeLsum", "rougeW", "rougeS", "rougeSU",
]  # fmt: skip
Overlap = tuple[float, int, int]  # what both share, all of the reference, all of the response
Compare = Callable[["Text", "Text"], Overlap]


class Text:
    """The words of a text, in lines, and what is counted in them once however many texts it is held against."""

    def __init__(self, lines: list[Words]) -> None:
        self.lines = lines
        self.words = list(chain.from_iterable(lines))
        self._counters: dict[tuple[str, int], Counter[Any]] = {}

    @functools.cached_property
    def places(self) -> list[tuple[dict[str, int], int]]:
        """Where each word stands, and how many there are, line by line."""
        return [(word_places(line), len(line)) for line in self.lines]

    def grams(self, size: int) -> Counter[Any]:
        """Return how often each n-gram of `size` words occurs."""
        key = "grams", size
        if key not in self._counters:
            shifted = [self.words[start:] for start in range(size)]
            self._counters[key] = Counter(self.words if size == 1 else zip(*shifted, strict=False))
        return self._counters[key]

    def pairs(self, gap: int) -> Counter[tuple[str, str]]:
        """Return how often each pair of words occurs with at most `gap` words between them."""
        key = "pairs", gap
        if key not in self._counters:
            shifted = (zip(self.words, self.words[step:], strict=False) for step in range(1, min(gap + 2, len(self.words))))
            self._counters[key] = Counter(chain.from_iterable(shifted))
        return self._counters[key]


def comparison(variant: Variant, power: float, gap: int | None) -> Compare:
    """Return the function that holds a reference and a response against each other.

    >>> comparison("rougeS", 1.2, None)(Text([["the", "gunman", "fled"]]), Text([["the", "fled", "gunman"]]))
    (2, 3, 3)
    """
    if variant[5:].isdigit():
        return functools.partial(_ngrams, int(variant[5:]))
    others: dict[str, Compare] = {
        "rougeL": _subsequence,
        "rougeLsum": _union_of_subsequences,
        "rougeW": functools.partial(_weighted_subsequence, power),
        "rougeS": functools.partial(_skip_bigrams, gap),
        "rougeSU": functools.partial(_skip_bigrams_and_words, gap),
    }
    return others[variant]


def _ngrams(size: int, reference: Text, response: Text) -> Overlap:
    shared = _shared(reference.grams(size), response.grams(size))
    return shared, max(len(reference.words) + 1 - size, 0), max(len(response.words) + 1 - size, 0)


def _shared(left: Counter[Any], right: Counter[Any]) -> int:
    return sum(min(left[key], right[key]) for key in left.keys() & right.keys())


def _subsequence(reference: Text, response: Text) -> Overlap:
    from rapidfuzz.distance import LCSseq

    return LCSseq.similarity(reference.words, response.words), len(reference.words), len(response.words)


def _union_of_subsequences(reference: Text, response: Text) -> Overlap:
    if len(reference.lines) == len(response.lines) == 1:  # then the union is the one subsequence
        return _subsequence(reference, response)
    union = Counter[str]()
    for line in reference.lines:
        rows = set[int]().union(*(common_words(line, places, width) for places, width in response.places))
        union.update(line[row] for row in rows)
    return _shared(union, response.grams(1)), len(reference.words), len(response.words)


def _weighted_subsequence(power: float, reference: Text, response: Text) -> Overlap:
    counts = len(reference.words), len(response.words)
    length = weighted_length(reference.words, response.words, power) ** (1 / power)
    return min(length, *counts), *counts  # the power and its inverse may pass it in the last bit


def _skip_bigrams(gap: int | None, reference: Text, response: Text) -> Overlap:
    if gap is None:
        shared = _pairs_in_order(reference.words, response.words)
    else:
        shared = _shared(reference.pairs(gap), response.pairs(gap))
    return shared, _pair_count(len(reference.words), gap), _pair_count(len(response.words), gap)


def _skip_bigrams_and_words(gap: int | None, reference: Text, response: Text) -> Overlap:
    pairs, words = _skip_bigrams(gap, reference, response), _ngrams(1, reference, response)
    return pairs[0] + words[0], pairs[1] + words[1], pairs[2] + words[2]


def _pair_count(words: int, gap: int | None) -> int:
    """Return how many pairs of words stand with at most `gap` words between them.

    >>> _pair_count(4, None), _pair_count(4, 0), _pair_count(4, 1), _pair_count(0, 2)
    (6, 3, 5, 0)
    """
    steps = max(words - 1, 0) if gap is None else max(min(gap + 1, words - 1), 0)
    return steps * words - steps * (steps + 1) // 2


def _pairs_in_order(words: Words, others: Words) -> int:
    """Return how many pairs of words, at any distance, both have; a pair counts as often as both have it."""
    import numpy as np

    numbers = {word: number for number, word in enumerate(set(words).intersection(others))}
    tables = [_order_table([numbers[word] for word in side if word in numbers], len(numbers)) for side in (words, others)]
    return int(np.minimum(*tables).sum())


def _order_table(numbers: Sequence[int], size: int) -> Any:
    """Return how often each number stands before each other, shape (the later one, the earlier one)."""
    import numpy as np

    table, seen = np.zeros((size, size), np.int64), np.zeros(size, np.int64)
    for number in numbers:
        table[number] += seen
        seen[number] += 1
    return table
