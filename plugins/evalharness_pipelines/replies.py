"""Replies of systems as responses: a text, or a mapping with `response` and `contexts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import evalharness as eh
from evalharness_pipelines.passages import Unusable, passages

WANTED = 'a text, or a mapping {"response": TEXT, "contexts": [...]}'


def response(reply: Any, latency: float | None = None) -> eh.Response:
    """Return the response that a reply stands for. `"response": None` says that there is no text, only contexts.

    >>> response({"response": "Paris", "contexts": ["Paris is the capital."]}).text
    'Paris'

    Raises Unusable, which says what is and what should be.
    """
    if isinstance(reply, str):
        return eh.Response(text=reply, latency=latency)
    if not isinstance(reply, Mapping):
        way = ". Give back str(reply)" if reply is not None else ". Does it return its answer?"
        raise Unusable(f"the reply must be {WANTED}, not {_kind(reply)}{way}")
    if "response" not in reply:
        has = ", ".join(map(str, reply)) or "nothing"
        raise Unusable(f"the reply has no 'response'. It has: {has}. It must be {WANTED}")
    text = reply["response"]
    if not isinstance(text, (str, type(None))):
        raise Unusable(f"'response' must be a text, not {_kind(text)}")
    contexts = reply.get("contexts")
    return eh.Response(text=text or "", contexts=None if contexts is None else passages(contexts), latency=latency)


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
