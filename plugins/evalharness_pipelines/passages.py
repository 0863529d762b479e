"""Passages as systems give them: texts, mappings, and the documents of LangChain, LlamaIndex and Haystack.

Objects are known by their attributes (verified with langchain-core 1.8.3, llama-index-core 0.14.25, haystack-ai 3.4.1), so
that none of these libraries is needed:

| object | text | id | score |
|---|---|---|---|
| LangChain `Document` | `page_content` | `id` | none; a pair (document, score) has one |
| LlamaIndex `NodeWithScore`, `TextNode` | `get_content()` | `node_id` | `score` |
| Haystack `Document` | `content` | `id` | `score` |
"""

from __future__ import annotations

import numbers
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import evalharness as eh

TEXTS = ("text", "page_content", "content")
IDS = ("id", "node_id", "id_")


class Unusable(Exception):
    """A reply, or a part of it, that cannot be used; the message says what is and what should be."""


def passages(found: Any) -> tuple[eh.Passage, ...]:
    """Return a ranking of passages, best first. One without an id is called after its text.

    >>> passages(["One.", {"id": 7, "text": "Two.", "score": 0.5}])
    (Passage(id='text-2162944db48a3694', text='One.', score=None), Passage(id='7', text='Two.', score=0.5))

    Raises Unusable.
    """
    if isinstance(found, (str, Mapping)) or not isinstance(found, Iterable):
        raise Unusable(f"'contexts' must be a list of passages, not {_described(found)}")
    times: Counter[str] = Counter()
    return tuple(_passage(item, place, times) for place, item in enumerate(found, start=1))


def is_named_after_its_text(passage: eh.Passage) -> bool:
    """Return whether a passage came without an id.

    >>> [is_named_after_its_text(passage) for passage in passages(["One.", {"id": "text-7", "text": "Two."}])]
    [True, False]
    """
    return re.fullmatch(r"text-[0-9a-f]{16}(-\d+)?", passage.id) is not None


def _passage(item: Any, place: int, times: Counter[str]) -> eh.Passage:
    score = None
    if isinstance(item, (tuple, list)) and len(item) == 2 and _is_number(item[1]):  # as similarity_search_with_score gives
        item, score = item
    text = item if isinstance(item, str) else _text(item)
    if not isinstance(text, str):
        ways = "a text, a mapping with 'id' and 'text', or a document of LangChain, LlamaIndex or Haystack"
        raise Unusable(f"passage {place} of 'contexts' must be {ways}, not {_described(item)}")
    own = None if isinstance(item, str) else _first(item, ("score",))
    return eh.Passage(_id(item, text, times), text, _number(own if score is None else score, place))


def _text(item: Any) -> Any:
    get_content = getattr(item, "get_content", None)
    return get_content() if callable(get_content) else _first(item, TEXTS)


def _id(item: Any, text: str, times: Counter[str]) -> str:
    known = None if isinstance(item, str) else _first(item, IDS)
    if isinstance(known, (str, int)) and not isinstance(known, bool) and known != "":
        return str(known)
    named = f"text-{eh.digest(text, size=8)}"  # as is_named_after_its_text knows it
    times[named] += 1
    return named if times[named] == 1 else f"{named}-{times[named]}"


def _first(item: Any, names: Iterable[str]) -> Any:
    """Return the first of these keys or attributes that is there and not None."""
    found = (item.get(name) if isinstance(item, Mapping) else getattr(item, name, None) for name in names)
    return next((value for value in found if value is not None), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _number(value: Any, place: int) -> float | None:
    if value is None:
        return None
    try:
        return float(value)  # of numpy and torch too
    except (TypeError, ValueError):
        raise Unusable(f"the score of passage {place} of 'contexts' must be a number, not {_described(value)}") from None


def _described(value: Any) -> str:
    if isinstance(value, (str, int, float, type(None))):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return f"a {type(value).__name__}"
