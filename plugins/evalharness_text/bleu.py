"""BLEU over sacrebleu's statistics."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Literal

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference

Smooth = Literal["exp", "floor", "add-k", "none"]
Tokenize = Literal["13a", "intl", "zh", "char", "none"]
_FLOOR, _ADDED = 0.1, 1.0  # sacrebleu's values


class Bleu(Metric):
    """BLEU of the whole corpus: brevity penalty times the geometric mean of n-gram precisions, 0 to 100.

    N-grams up to `order` are counted over all samples before anything is divided; a reference's length is that of the
    one closest to the response. `tokenize`: sacrebleu's "13a" (Western languages), "intl" (by Unicode category), "zh"
    (Chinese), "char", "none" (white space). `smooth`: what replaces a precision of 0. The value of one sample is the
    same formula on its own counts, so it is 0 for a text of fewer than `order` tokens; with `effective_order`, orders
    for which there is no n-gram at all are left out, which matters for single samples and tiny corpora only. A sample
    without references is unmeasured.

    >>> metric = Bleu()
    >>> rows = metric.measure(response=["the cat sat on the mat"], references=[["the cat sat on a mat"]])
    >>> float(metric.score(**{name: values[0] for name, values in rows.statistics.items()}).round(2))
    53.73
    """

    name, better, unit, range = "bleu", "higher", "points", (0, 100)
    cite: ClassVar[str] = "Papineni et al., ACL 2002; Post, A Call for Clarity in Reporting BLEU Scores, WMT 2018"
    reference: ClassVar[str] = "sacrebleu 2.6.0 corpus_bleu, sentence_bleu (use_effective_order as the option)"

    order: int = 4
    tokenize: Tokenize = "13a"
    smooth: Smooth = "exp"
    lowercase: bool = False
    effective_order: bool = False

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ValueError(f"order must be 1 or more, not {self.order}")

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return matched and all n-grams by order, and the lengths of response and closest reference in tokens."""
        import numpy as np

        counter = _counter(self.order, self.tokenize, self.lowercase)
        width = max(map(len, references), default=0) or 1
        # sacrebleu wants a list for each rank of reference, with None where a sample has fewer; none at all gets "".
        padded = [[*(texts or [""]), *[None] * (width - (len(texts) or 1))] for texts in references]
        counts = counter._extract_corpus_statistics(response, list(zip(*padded, strict=True))) if response else []
        table = np.asarray(counts, dtype=np.int64).reshape(len(response), 2 + 2 * self.order)
        statistics = {
            "matched": table[:, 2 : 2 + self.order],
            "total": table[:, 2 + self.order :],
            "length": table[:, 0],
            "reference_length": table[:, 1],
        }
        return Rows(statistics, without_reference(references))

    def score(self, matched: Any, total: Any, length: Any, reference_length: Any) -> Any:
        """Return 100 x brevity penalty x geometric mean of the precisions; 0 where no n-gram matches."""
        import numpy as np

        matched, total = np.asarray(matched, float), np.asarray(total, float)
        precision, exists = _precisions(matched, total, self.smooth)
        orders = exists.sum(-1) if self.effective_order else self.order
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(exists, np.log(precision), 0.0 if self.effective_order else -np.inf)
            mean = logs.sum(-1) / orders
            brevity = np.minimum(1.0, np.exp(1.0 - np.divide(reference_length, length)))
        value = np.where(matched.any(-1), 100.0 * brevity * np.exp(mean), 0.0)
        return np.minimum(value, 100.0)  # the exponential of a logarithm may pass it in the last bit


def _precisions(matched: Any, total: Any, smooth: Smooth) -> tuple[Any, Any]:
    """Return the smoothed precision of each order, and whether the order has n-grams at all."""
    import numpy as np

    if smooth == "add-k":
        added = np.where(np.arange(total.shape[-1]) > 0, _ADDED, 0.0)
        matched, total = matched + added, total + added
    exists = np.logical_and.accumulate(total > 0, axis=-1)
    missed = exists & (matched == 0)
    if smooth == "exp":  # the k-th order without a match counts as half of a half of ... (k times) of one
        matched = np.where(missed, 0.5 ** missed.cumsum(-1), matched)
    elif smooth == "floor":
        matched = np.where(missed, _FLOOR, matched)
    return np.divide(matched, total, out=np.zeros_like(total), where=exists), exists


@functools.cache
def _counter(order: int, tokenize: Tokenize, lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # force: texts that look tokenized are the task's affair; sacrebleu would warn once a batch.
    return BLEU(lowercase=lowercase, tokenize=tokenize, max_ngram_order=order, force=True)
