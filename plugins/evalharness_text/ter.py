"""Translation edit rate, over sacrebleu's edit distance with shifts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference


class Ter(Metric):
    """Edits that turn responses into references, per 100 words of the references, over the whole corpus, from 0.

    An edit inserts, deletes or substitutes a word or shifts a run of words. Of several references, a sample has the edits to
    the nearest one and the mean of their lengths. Words are split at white space, without case unless `case_sensitive`.
    `normalized` first splits off punctuation as Tercom does, `no_punct` removes it, and with `asian_support` either does
    the same for Chinese and Japanese, whose ideographs `normalized` then takes for words.

    The value of one sample is the same formula on its own counts. An empty response lacks all words of the shortest
    reference; where references are empty, any other response has 100, and an empty one 0. A sample without references is
    unmeasured.

    >>> metric = Ter()
    >>> found = metric.evaluate(response=["on the mat the cat sat", "a dog"], references=["the cat sat on the mat", "a big dog"])
    >>> round(found.scores["ter"].value, 2), [round(value, 2) for value in found.samples["ter"]]
    (22.22, [16.67, 33.33])
    """

    name, better, unit, range, family = "ter", "lower", "edits/100 words", (0, None), "ter"
    formula: ClassVar[str] = "100 edits / reference_length"
    cite: ClassVar[str] = "Snover et al., A Study of Translation Edit Rate with Targeted Human Annotation, AMTA 2006"
    reference: ClassVar[str] = (
        "sacrebleu 2.6.0 TER.corpus_score, sentence_score; shifts are searched greedily, as Tercom does. It normalizes "
        "references twice and responses once, so that with `normalized` a text may differ from itself; here both once"
    )

    normalized: bool = False
    no_punct: bool = False
    asian_support: bool = False
    case_sensitive: bool = False

    def __post_init__(self) -> None:
        if self.asian_support and not (self.normalized or self.no_punct):
            raise ValueError("asian_support changes what normalized and no_punct do; set one of these as well")

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return the edits to the nearest reference, and the mean length of all."""
        from sacrebleu.metrics.lib_ter import translation_edit_rate

        reasons = without_reference(references)
        words = _splitter(**self.options())
        edits, lengths = [], []
        for text, others in zip(response, references, strict=True):
            own = words(text)
            found = [translation_edit_rate(own, words(other)) for other in others or [""]]
            edits.append(min(count for count, _ in found))
            lengths.append(sum(length for _, length in found) / len(found))
        return Rows({"edits": edits, "reference_length": lengths}, reasons)

    def score(self, edits: Any, reference_length: Any) -> Any:
        """Return 100 x edits / length; where there is nothing to be edited into, 100 for any edit and 0 for none."""
        import numpy as np

        edits, length = np.asarray(edits, float), np.asarray(reference_length, float)
        return 100.0 * np.where(length > 0, edits / np.where(length > 0, length, 1.0), edits > 0)


@functools.cache
def _splitter(**options: bool) -> Callable[[str], list[str]]:
    from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

    tokenizer = TercomTokenizer(**options)
    return lambda text: tokenizer(text.rstrip()).split()
