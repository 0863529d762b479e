"""What a reader of the scores must know of the replies that this process was given."""

from __future__ import annotations

from collections import Counter

import evalharness as eh
from evalharness_pipelines.passages import is_named_after_its_text

_NAMELESS: Counter[eh.Model] = Counter()


def noted(model: eh.Model, response: eh.Response) -> eh.Response:
    """Return a response; if it has passages without an id of their own, that is noted."""
    _NAMELESS[model] += any(is_named_after_its_text(passage) for passage in response.contexts or ())
    return response


def remarks(model: eh.Model) -> list[str]:
    """Return what was noted of a model."""
    if not _NAMELESS[model]:
        return []
    answers = "1 answer has" if _NAMELESS[model] == 1 else f"{_NAMELESS[model]:,} answers have"
    way = "give each passage its id, or look at no metric that looks passages up in 'relevant'"
    return [f"{answers} passages without an id, which are called after their texts: {way}."]
