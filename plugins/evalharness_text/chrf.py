"""chrF and chrF++: F-score of character n-grams, and of word n-grams with them, equal to sacrebleu's.

chrF++ of 2,000 pairs and of each of them: 13 times faster than sacrebleu 2.6.0, 7 times faster than its score of the
corpus alone (`python -m benchmarks.chrf`).
"""

from __future__ import annotations

from collections.abc import Callable
from string import punctuation
from typing import Any, ClassVar

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference
from evalharness_text.ngrams import Tokens, clipped_matches, ngram_counts

_EPSILON = 1e-16  # sacrebleu's
_MARKS = frozenset(punctuation)


class Chrf(Metric):
    """F-score of the character n-grams that response and reference share, over the whole corpus, 0 to 100.

    Precision and recall are means over the orders 1 to `char_order`, and with `word_order` 2 also over words and pairs of
    words (chrF++), of counts added over all samples; recall weighs `beta` squared times as much as precision. Of several
    references, a sample counts with the one under which its own chrF is highest, the first of equal ones. Orders for which
    response or reference has no n-gram are left out; `eps_smoothing` instead averages the F-scores of all orders with 1e-16
    for what is missing, as chrF++.py, NLTK and Moses do. Characters are compared as they are, without white space unless
    `whitespace`; words are split at white space, and from a mark of punctuation at their end, or else at their start.

    The value of one sample is the same formula on its own counts. An empty response has 0 (also against an empty
    reference), as has one that shares no character. A sample without references is unmeasured.

    >>> metric = Chrf(word_order=2)
    >>> found = metric.evaluate(response=["the cat sat on the mat", "a dog"], references=[["the cat sat on a mat"], ["the dog"]])
    >>> round(found.scores["chrf"].value, 2), [round(value, 2) for value in found.samples["chrf"]]
    (63.14, [72.03, 29.36])
    """

    name, better, unit, range, family = "chrf", "higher", "points", (0, 100), "chrf"
    formula: ClassVar[str] = (
        "100 (1 + beta^2) P R / (beta^2 P + R), P and R means over orders of matched / total, / reference_total"
    )
    cite: ClassVar[str] = "Popović, chrF, WMT 2015; Popović, chrF++: words helping character n-grams, WMT 2017"
    reference: ClassVar[str] = "sacrebleu 2.6.0 CHRF.corpus_score, sentence_score"

    char_order: int = 6
    word_order: int = 0
    beta: float = 2.0
    lowercase: bool = False
    whitespace: bool = False
    eps_smoothing: bool = False

    def __post_init__(self) -> None:
        if min(self.char_order, self.word_order) < 0 or self.char_order == self.word_order == 0:
            orders = f"{self.char_order} and {self.word_order}"
            raise ValueError(f"char_order and word_order must be 0 or more and one of them at least 1, not {orders}")
        if not 0 < self.beta < float("inf"):
            raise ValueError(f"beta must be above 0 and finite, not {self.beta}")

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return the n-grams by order that response and best reference share, and all of each."""
        import numpy as np

        reasons = without_reference(references)
        pairs = [(own, text) for own, texts in zip(response, references, strict=True) for text in texts or [""]]
        found = self._counted(pairs)
        values = self.score(**found).tolist()
        ends = np.cumsum([len(texts) or 1 for texts in references], dtype=np.int64).tolist()
        starts = [0, *ends[:-1]]
        best = [max(range(start, end), key=values.__getitem__) for start, end in zip(starts, ends, strict=False)]
        return Rows({name: column[best] for name, column in found.items()}, reasons)

    def score(self, matched: Any, total: Any, reference_total: Any) -> Any:
        """Return 100 x the F-score of the mean precision and recall, or the mean of the F-scores with `eps_smoothing`."""
        import numpy as np

        weight = self.beta**2
        precision, recall = _share(matched, total), _share(matched, reference_total)
        if self.eps_smoothing:
            return 100.0 * _added(_f_score(precision, recall, weight, _EPSILON)) / (self.char_order + self.word_order)
        both = (np.asarray(total) > 0) & (np.asarray(reference_total) > 0)
        orders = np.maximum(both.sum(-1), 1)
        precision, recall = (_added(np.where(both, share, 0.0)) / orders for share in (precision, recall))
        return 100.0 * _f_score(precision, recall, weight, 0.0)

    def _counted(self, pairs: list[tuple[str, str]]) -> dict[str, Any]:
        """Return the statistics of each response with one reference."""
        import numpy as np

        if self.lowercase:
            pairs = [(own.lower(), text.lower()) for own, text in pairs]
        characters = str if self.whitespace else _without_space
        kinds = (characters, self.char_order), (_words, self.word_order)
        parts = [_shared(pairs, split, order) for split, order in kinds if order]
        matched, total, reference_total = (np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))
        # As in sacrebleu, an order that the reference lacks counts for neither.
        return {"matched": matched, "total": np.where(reference_total, total, 0), "reference_total": reference_total}


def _shared(pairs: list[tuple[str, str]], split: Callable[[str], Tokens], order: int) -> tuple[Any, Any, Any]:
    """Return the matched n-grams of each pair, those of the response and those of the reference."""
    matched, lengths = clipped_matches(((split(own), split(text)) for own, text in pairs), order)
    total, reference_total = (ngram_counts([pair[side] for pair in lengths], order) for side in (0, 1))
    return matched, total, reference_total


def _without_space(text: str) -> str:
    return "".join(text.split())


def _words(text: str) -> list[str]:
    return [piece for word in text.split() for piece in _pieces(word)]


def _pieces(word: str) -> tuple[str, ...]:
    """Return a word without the mark at its end, or else at its start, and that mark."""
    if len(word) == 1:
        return (word,)
    if word[-1] in _MARKS:
        return word[:-1], word[-1]
    return (word[0], word[1:]) if word[0] in _MARKS else (word,)


def _share(matched: Any, total: Any) -> Any:
    import numpy as np

    total = np.asarray(total, float)
    return np.divide(matched, total, out=np.full_like(total, _EPSILON), where=total > 0)


def _f_score(precision: Any, recall: Any, weight: float, otherwise: float) -> Any:
    import numpy as np

    bottom = weight * precision + recall
    return np.divide((1 + weight) * precision * recall, bottom, out=np.full_like(bottom, otherwise), where=bottom > 0)


def _added(shares: Any) -> Any:
    """Return the sum over the orders, one after the other as sacrebleu adds: a last bit may decide which reference is best."""
    return shares.cumsum(-1)[..., -1]
