"""What a system is given of a sample: its input, the passages found for it, and the fields that it asks for; no answers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import evalharness as eh

ANSWERS = ("references", "target", "relevant")
ALWAYS = ("input", "contexts")


def question(request: eh.Answer) -> dict[str, Any]:
    """Return what a system is given, as plain values of its own, which it may change.

    >>> question(eh.Answer(input="Where?", contexts=(eh.Passage("p1", "Here."),)))
    {'input': 'Where?', 'contexts': [{'id': 'p1', 'text': 'Here.', 'score': None}]}
    """
    contexts = [{"id": passage.id, "text": passage.text, "score": passage.score} for passage in request.contexts]
    return {"input": request.input, "contexts": contexts, **copy.deepcopy(dict(request.fields))}


def refuse_answers(fields: Iterable[str]) -> None:
    """Raise ValueError for a field that holds an answer, or that is given anyway."""
    for name in fields:
        if name in ANSWERS:
            raise ValueError(f"'{name}' holds the answer, which the system that is evaluated must not see; take it out")
        if name in ALWAYS:
            raise ValueError(f"'{name}' is given to every system; take it out of 'fields'")


def not_supported(model: eh.Model, request: eh.Request) -> eh.Response:
    """Return the failure of a request that is none for a whole answer."""
    message = f"model '{model.name}' answers whole questions, not {request.kind} requests"
    return eh.Response(error=eh.Failure("not supported", message))


def whole(requests: Iterable[eh.Request], refused: list[eh.Request]) -> Iterator[eh.Answer]:
    """Yield the requests for whole answers, as they are taken; note the others as refused."""
    for request in requests:
        if isinstance(request, eh.Answer):
            yield request
        else:
            refused.append(request)
