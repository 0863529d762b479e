"""Metrics that hold a short answer against its references: equality, word overlap, and whether it is in there."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from evalharness import Batch, Metric, Rows
from evalharness_text.normalising import Normalise, Words, keeps_white_space, normal_text, normal_words, unicode_words

_CITE = "Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016, arXiv:1606.05250"
_REFERENCE = (
    "the official SQuAD evaluation scripts (exact and f1) and, with normalise triviaqa, the official TriviaQA script, equal to "
    "the last bit; questions without an answer are unmeasured here, see squad_exact_match and squad_f1"
)


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
    words = normal_words(normalise)

    def compute() -> list[tuple[Words, list[Words]]]:
        return [(words(text), [words(item) for item in texts]) for text, texts in zip(response, references, strict=True)]

    return batch.once(("words of response and references", normalise), compute)


class ExactMatch(Metric):
    """Share of responses that equal one of their references, 0 to 1.

    `normalise`: what is done to both before: "squad" takes away case, ASCII punctuation, English articles and the amount of
    white space; "triviaqa" the same with a space for each mark; "numeric" compares numbers as numbers, so that "$1,000.0"
    equals "1000"; "words" compares words by Unicode; "none" compares the texts as they are; or a list of steps: `lowercase`,
    `strip`, `whitespace`, `punctuation`, `articles`, `accents`, `nfkc`, `numbers`, `words`, `{remove: PATTERN}`.

    An empty response equals only what is empty too. A sample without references is unmeasured.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("exact_match")
    >>> rows = metric.measure(response=["The Normans."], references=[["Normans", "Norse"]], batch=eh.Batch({}))
    >>> rows.statistics
    {'match': [1.0]}
    """

    name, better, range, family = "exact_match", "higher", (0, 1), "exact_match"
    formula: ClassVar[str] = "mean of 1 if normalise(response) = normalise(one of the references), else 0"
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    normalise: Normalise = "squad"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return whether each response equals one of its references."""
        unmeasured = without_reference(references)
        if keeps_white_space(self.normalise):
            normal = normal_text(self.normalise)
            pairs = zip(response, references, strict=True)
            match = [float(normal(text) in map(normal, texts)) for text, texts in pairs]
        else:
            match = [float(words in others) for words, others in _words(response, references, self.normalise, batch)]
        return Rows({"match": match}, unmeasured)


class TokenF1(Metric):
    """F1 of the words of a response and of its best reference, mean over samples, 0 to 1.

    Words are counted with multiplicity: precision is the share of the response's words that the reference has too,
    recall the share of the reference's words that the response has. `normalise` as in `exact_match`: "squad" or another
    name, or a list of steps, after which words are what white space divides ("words" for Chinese and Japanese). Where one
    side has no word at all the value is 1 if both have none, else 0. A sample without references is unmeasured.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("token_f1")
    >>> rows = metric.measure(response=["built in 1931"], references=[["in 1931", "1930"]], batch=eh.Batch({}))
    >>> rows.statistics
    {'f1': [0.8]}
    """

    name, better, range, family = "token_f1", "higher", (0, 1), "token_f1"
    formula: ClassVar[str] = "mean over samples of max over references of 2 P R / (P + R) of shared words"
    cite: ClassVar[str] = _CITE
    reference: ClassVar[str] = _REFERENCE

    normalise: Normalise = "squad"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return the F1 of each response with the reference that fits it best."""
        unmeasured = without_reference(references)
        rows = _words(response, references, self.normalise, batch)
        f1 = [max([word_f1(words, other) for other in others], default=0.0) for words, others in rows]
        return Rows({"f1": f1}, unmeasured)


class ContainsAnswer(Metric):
    """Share of responses that contain one of their references, 0 to 1.

    Both are normalised first, `normalise` as in `exact_match`. A reference counts where no letter or digit goes on at its
    ends, so that "art" is not in "party"; Chinese and Japanese characters, which no space divides, may follow each other.
    Of several references one is enough. An empty reference is contained in an empty response alone. A sample without
    references is unmeasured.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("contains_answer")
    >>> response, references = ["It is the Seine.", "a party"], [["Seine", "Rhône"], ["art"]]
    >>> metric.measure(response=response, references=references, batch=eh.Batch({})).statistics
    {'contained': [1.0, 0.0]}
    """

    name, better, range, family = "contains_answer", "higher", (0, 1), "exact_match"
    formula: ClassVar[str] = (
        "mean of 1 if normalise(one of the references) stands in normalise(response) at word boundaries, else 0"
    )
    cite: ClassVar[str] = "Mallen et al., When Not to Trust Language Models, ACL 2023, arXiv:2212.10511 (accuracy by containment)"
    reference: ClassVar[str] = "a regular expression with word boundaries, for scripts that write spaces"

    normalise: Normalise = "squad"

    def measure(self, response: list[str], references: list[list[str]], batch: Batch) -> Rows:
        """Return whether each response contains one of its references."""
        unmeasured = without_reference(references)
        if keeps_white_space(self.normalise):
            normal = normal_text(self.normalise)
            rows = [(normal(text), [*map(normal, texts)]) for text, texts in zip(response, references, strict=True)]
        else:
            found = _words(response, references, self.normalise, batch)
            rows = [(" ".join(words), [" ".join(other) for other in others]) for words, others in found]
        return Rows({"contained": [float(any(stands_in(part, text) for part in parts)) for text, parts in rows]}, unmeasured)


def stands_in(part: str, text: str) -> bool:
    """Return whether a part stands in a text with no word going on at its ends.

    >>> stands_in("art", "party art"), stands_in("art", "party"), stands_in("日本", "東日本人")
    (True, False, True)
    """
    if not part:
        return not text
    start = text.find(part)
    while start >= 0:
        end = start + len(part)
        if not (_goes_on(text[max(start - 1, 0) : start], part[0]) or _goes_on(part[-1], text[end : end + 1])):
            return True
        start = text.find(part, start + 1)
    return False


@functools.lru_cache(maxsize=65536)
def _goes_on(before: str, after: str) -> bool:
    """Return whether two characters stand in one word."""
    return all(map(unicode_words, (before, after))) and len(unicode_words(before + after)) == 1


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
