"""Metrics that hold a short answer against its references: exact match and word overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from evalharness import Batch, Metric, Rows
from evalharness_text.squad import squad_words

Normalise = Literal["squad", "none"]
Words = list[str]
_WORDS: dict[str, Callable[[str], Words]] = {"squad": squad_words, "none": str.split}
_CITE = "Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016, arXiv:1606.05250"
_REFERENCE = "the official SQuAD 2.0 evaluation script (compute_exact, compute_f1), equal to the last bit"


def without_reference(references: Sequence[Sequence[str]]) -> dict[int, str]:
    """Return the reason for every row that has nothing to be compared with.

    Raises TypeError where a row's references are one text instead of a list, whose letters would pass for references.
    """
    if any(isinstance(texts, str) for texts in references):
        raise TypeError("references must be a list of texts for each sample, not one text: write [['one'], ['two', 'three']]")
    return {row: "no reference" for row, texts in enumerate(references) if not texts}


def _words(
    response: Sequence[str], references: Sequence[Sequence[str]], normalise: Normalise, batch: Batch
) -> list[tuple[Words, list[Words]]]:
    """Return the words of each response and of each of its references; metrics of one batch share them."""
    words = _WORDS[normalise]

    def compute() -> list[tuple[Words, list[Words]]]:
        return [(words(text), [words(item) for item in texts]) for text, texts in zip(response, references, strict=True)]

    return batch.once(("words of response and references", normalise), compute)


class ExactMatch(Metric):
    """Share of responses that equal one of their references, 0 to 1.

    `normalise`: "squad" compares without case, ASCII punctuation, English articles and the amount of white space;
    "none" compares the texts as they are. An empty response equals only what is empty too. A sample without
    references is unmeasured.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("exact_match")
    >>> rows = metric.measure(response=["The Normans."], references=[["Normans", "Norse"]], batch=eh.Batch({}))
    >>> rows.statistics
    {'match': [1.0]}
    """

    name, better, range = "exact_match", "higher", (0, 1)
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    normalise: Normalise = "squad"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return whether each response equals one of its references."""
        if self.normalise == "none":
            match = [float(text in texts) for text, texts in zip(response, references, strict=True)]
        else:
            match = [float(words in others) for words, others in _words(response, references, self.normalise, batch)]
        return Rows({"match": match}, without_reference(references))


class TokenF1(Metric):
    """F1 of the words of a response and of its best reference, mean over samples, 0 to 1.

    Words are counted with multiplicity: precision is the share of the response's words that the reference has too,
    recall the share of the reference's words that the response has. `normalise`: "squad" as in `exact_match`, "none"
    splits at white space. Where one side has no word at all the value is 1 if both have none, else 0. A sample
    without references is unmeasured.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("token_f1")
    >>> rows = metric.measure(response=["built in 1931"], references=[["in 1931", "1930"]], batch=eh.Batch({}))
    >>> rows.statistics
    {'f1': [0.8]}
    """

    name, better, range = "token_f1", "higher", (0, 1)
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    normalise: Normalise = "squad"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return the F1 of each response with the reference that fits it best."""
        rows = _words(response, references, self.normalise, batch)
        f1 = [max([word_f1(words, other) for other in others], default=0.0) for words, others in rows]
        return Rows({"f1": f1}, without_reference(references))


def word_f1(words: Words, other: Words) -> float:
    """Return the F1 of two lists of words as multisets.

    >>> word_f1(["x", "x", "y"], ["x", "z"])
    0.4
    """
    if words == other:
        return 1.0
    kinds = set(words)
    if kinds.isdisjoint(other):
        return 0.0
    if len(kinds) == len(words):  # no word twice: each shared kind counts once
        shared = len(kinds.intersection(other))
    else:
        left, right = Counter(words), Counter(other)
        shared = sum(min(left[kind], right[kind]) for kind in kinds.intersection(other))
    precision, recall = shared / len(words), shared / len(other)
    return 2 * precision * recall / (precision + recall)
