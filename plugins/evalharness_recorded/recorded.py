"""A model that plays back recorded responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness_recorded.playback import Playback, Unreadable, opened

BLOCK = 4096  # requests looked up at once


class Recorded(eh.Model):
    """Answers each request with the response that a file holds for its sample and repeat.

    `path` is a file with one JSON object a line: `{"id", "response", "contexts"?, "logprobs"?, "tokens"?, "repeat"?}`,
    in any order; other fields are ignored. Text requests need `response` (a string), `Choose` requests `logprobs` (one
    number a choice; `tokens` gives their lengths), `Likelihood` requests `logprobs` (one number a token), `Embed` requests
    `embedding`. `contexts` is a list of `{"id", "text", "score"?}`. A sample without a usable line has the failure
    `not recorded`, with file and line where there is one. An id and repeat that occur twice are a DataError.

    The file is indexed by 64-bit hashes and read where it lies: memory does not grow with the length of the responses.
    """

    name = "recorded"
    example = {"path": "responses.jsonl"}
    supports = (eh.Generate, eh.Answer, eh.Choose, eh.Likelihood, eh.Embed)
    stored: ClassVar[bool] = False
    path: eh.File

    def identity(self) -> str:
        return eh.digest([self.name, opened(str(self.path)).digest])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        playback = opened(str(self.path))
        for start in range(0, len(requests), BLOCK):
            block = requests[start : start + BLOCK]
            items = playback.read([(request.sample, request.repeat) for request in block])
            yield from ((request, _response(request, item, playback)) for request, item in zip(block, items, strict=True))
            playback.release()


def _response(request: eh.Request, item: dict[str, Any] | Unreadable, playback: Playback) -> eh.Response:
    if isinstance(item, Unreadable):
        return _not_recorded(item.reason)
    try:
        text, contexts = item.get("response"), item.get("contexts")
        found = None if contexts is None else tuple(_passage(context) for context in contexts)
        if isinstance(request, (eh.Generate, eh.Answer)):
            if type(text) is not str:
                raise TypeError(f"the field 'response' must be a string, not {_named(item, 'response')}")
            return eh.Response(text=text, contexts=found)
        return eh.Response(text=text if isinstance(text, str) else None, contexts=found, **_numbers(request, item))
    except (TypeError, OverflowError) as error:  # a whole number may be too large for a float
        return _not_recorded(f"{playback.place((request.sample, request.repeat))}: {error}")


def _numbers(request: eh.Request, item: dict[str, Any]) -> dict[str, Any]:
    if isinstance(request, eh.Embed):
        return {"embedding": _floats(item, "embedding")}
    logprobs = _floats(item, "logprobs")
    if not isinstance(request, eh.Choose):
        return {"logprobs": logprobs}
    if len(logprobs) != len(request.choices):
        raise TypeError(f"the field 'logprobs' holds {len(logprobs)} numbers for {len(request.choices)} choices")
    if item.get("tokens") is None:
        return {"logprobs": logprobs}
    tokens = item["tokens"]
    if not (isinstance(tokens, list) and len(tokens) == len(logprobs) and all(type(count) is int for count in tokens)):
        raise TypeError(f"the field 'tokens' must hold {len(logprobs)} whole numbers")
    return {"logprobs": logprobs, "tokens": tuple(tokens)}


def _floats(item: dict[str, Any], name: str) -> tuple[float, ...]:
    values = item.get(name)
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise TypeError(f"the field '{name}' must be a list of numbers, not {_named(item, name)}")
    return tuple(map(float, values))


def _passage(context: Any) -> eh.Passage:
    if isinstance(context, dict):
        key, text, score = context.get("id"), context.get("text"), context.get("score")
        if isinstance(key, str) and isinstance(text, str) and (score is None or type(score) in (int, float)):
            return eh.Passage(key, text, score)
    raise TypeError("the field 'contexts' must be a list of objects with the strings id and text")


def _named(item: dict[str, Any], name: str) -> str:
    kinds = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return kinds.get(type(item[name]), "an object") if name in item else "missing"


def _not_recorded(message: str) -> eh.Response:
    return eh.Response(error=eh.Failure("not recorded", message))
