"""The baseline of faithfulness: how many words of the response stand in the contexts."""

from __future__ import annotations

from collections.abc import Sequence

import evalharness as eh
from evalharness_rag.sentences import sentence_spans
from evalharness_rag.support import split
from evalharness_rag.tokens import content_tokens


class WordPrecision(eh.Metric):
    """Share of the response's content words whose stem occurs anywhere in the contexts, 0 to 1.

    The baseline that every metric of the family has to beat. Unmeasured: `empty response` (no content word) and
    `no contexts` (none, or none with a word).

    >>> rows = WordPrecision().measure(["The mills turn slowly."], [[eh.Passage("p1", "A mill turned.")]])
    >>> rows.statistics
    {'words': [0.6666666666666666]}
    """

    name, better, range, family = "word_precision", "higher", (0, 1), "faithfulness"
    formula = "content words whose stem is in the contexts / content words"
    reference = "closed form; held against people's labels in docs/faithfulness.md"

    def measure(self, response: Sequence[str], contexts: Sequence[Sequence[eh.Passage] | None]) -> eh.Rows:
        values: list[float] = []
        reasons: dict[int, str] = {}
        for row, (text, passages) in enumerate(zip(response, contexts, strict=True)):
            words = [token.stem for span in sentence_spans(text or "") for token in content_tokens(text, *span)]
            known = {stem for passage in passages or () for _, _, stems in split(passage.text) for stem in stems}
            if not words or not known:
                reasons[row] = "no contexts" if words else "empty response"
            values.append(sum(word in known for word in words) / max(1, len(words)))
        return eh.Rows({"words": values}, reasons)
