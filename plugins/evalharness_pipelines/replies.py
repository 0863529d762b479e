"""Replies of systems as responses: a text, or a mapping with `response` and `contexts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import evalharness as eh
from evalharness_pipelines.passages import Unusable, passages

WANTED = 'a text, or a mapping {"response": TEXT, "contexts": [...]}'


def response(reply: Any, latency: float | None = None) -> eh.Response:
    """Return the response that a reply stands for. `"response": None` beside contexts says that there is no text, only these.

    >>> response({"response": "Paris", "contexts": ["Paris is the capital."]}).text
    'Paris'

    Raises Unusable, which says what is and what should be.
    """
    if isinstance(reply, str):
        return eh.Response(text=reply, latency=latency)
    if not isinstance(reply, Mapping):
        raise Unusable(f"the reply must be {WANTED}, not {_kind(reply)}. {_way(reply)}")
    if "response" not in reply:
        has = ", ".join(map(str, reply)) or "nothing"
        raise Unusable(f"the reply has no 'response'. It has: {has}. It must be {WANTED}")
    text = reply["response"]
    if not isinstance(text, (str, type(None))):
        raise Unusable(f"'response' must be a text, not {_kind(text)}. {_way(text)}")
    contexts = reply.get("contexts")
    if text is None and contexts is None:
        raise Unusable(f"'response' is None, and there are no 'contexts' either. {_way(None)}")
    return eh.Response(text=text or "", contexts=None if contexts is None else passages(contexts), latency=latency)


def _way(value: Any) -> str:
    """Return how to make a text of what a pipeline gave in its place."""
    if value is None:
        return "Does it return its answer?"
    if isinstance(getattr(value, "content", None), str):  # a message, as chat models give it
        return "Give back its .content"
    return 'Give back "".join(...) of it' if isinstance(value, (Iterator, list)) else "Give back str(...) of it"


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
