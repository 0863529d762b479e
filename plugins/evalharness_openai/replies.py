"""From what a server answers to responses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import evalharness as eh
from evalharness_openai.connection import Refused
from evalharness_openai.faults import Said

CUT = ("length", "max_tokens", "model_length")  # OpenAI's word, and those of servers before others' interfaces


def generated(reply: Mapping[str, Any], request: eh.Generate) -> eh.Response:
    """Return the response that an answer of /chat/completions or /completions holds; raises Refused where there is none."""
    choice = first_choice(reply)
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise Refused("filter", Said("the answer was held back"))
    text, pieces = _text(choice)
    if text is None:
        if finish not in (*CUT, "tool_calls", "function_call"):
            raise Refused("no content", Said(f"finish_reason {finish!r}"))
        text = ""  # all tokens went into thinking, or into a call: the system's own empty answer
    cut = first_stop(text, request.stop)
    logprobs = _logprobs(pieces, len(text) if cut is None else cut)
    stopped = cut is not None or finish not in CUT
    return eh.Response(text=text[:cut], finish="stop" if stopped else "length", logprobs=logprobs, **usage(reply))


def first_choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the choice of an answer; raises Refused where there is none."""
    choices = reply.get("choices")
    if not isinstance(choices, Sequence) or not choices or not isinstance(choices[0], Mapping):
        raise Refused("no choices", Said(f"it holds {', '.join(map(str, reply)) or 'nothing'}"))
    return choices[0]


def _text(choice: Mapping[str, Any]) -> tuple[str | None, list[tuple[str, Any]]]:
    """Return the text of a choice, and its tokens with their log-probabilities where they are told."""
    told = choice.get("logprobs") or {}
    if "message" not in choice:
        return _as_text(choice.get("text")), list(zip(told.get("tokens") or (), told.get("token_logprobs") or (), strict=False))
    message = choice["message"] or {}
    pieces = [(str(piece.get("token")), piece.get("logprob")) for piece in told.get("content") or ()]
    content, refusal = message.get("content"), message.get("refusal")
    return _as_text(content or refusal or content), pieces  # what a model says in refusing is its answer


def _as_text(content: Any) -> str | None:
    """Return a content as text; some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    if content is not None and not isinstance(content, str):
        raise Refused("malformed", Said(f"a content of type {type(content).__name__}"))
    return content


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first of the stop strings begins, None where none occurs.

    >>> first_stop("one. two\\n", ["\\n", "."]), first_stop("one", ["."])
    (3, None)
    """
    return min((place for stop in stops if stop and (place := text.find(stop)) >= 0), default=None)


def _logprobs(pieces: Sequence[tuple[str, Any]], length: int) -> tuple[float, ...] | None:
    """Return the log-probabilities of the tokens that begin within the text; None where a server does not tell them all."""
    values = [value for _, value in pieces]
    if not pieces or not all(isinstance(value, int | float) for value in values):
        return None
    starts = itertools.accumulate((len(token) for token, _ in pieces), initial=0)
    return tuple(float(value) for value, start in zip(values, starts, strict=False) if start < length)


def usage(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tokens of an answer as arguments of a Response.

    Tokens of thinking count as written, also where a server tells them apart; those that it had cached did not run.

    >>> usage({"usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 20}})
    {'input_tokens': 9, 'output_tokens': 11}
    """
    told = reply.get("usage")
    told = told if isinstance(told, Mapping) else {}
    read, written = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    found = {"input_tokens": read, "output_tokens": max(written, _count(told.get("total_tokens")) - read)}
    details = told.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    return {**found, "run_tokens": max(0, read - cached)} if cached else found


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def embedded(reply: Mapping[str, Any]) -> eh.Response:
    """Return the response that an answer of /embeddings holds."""
    data = reply.get("data")
    vector = data[0].get("embedding") if isinstance(data, list) and data and isinstance(data[0], Mapping) else None
    if not isinstance(vector, list) or not vector or not all(isinstance(value, int | float) for value in vector):
        raise Refused("malformed", Said("there is no list of numbers under data[0].embedding"))
    return eh.Response(embedding=tuple(map(float, vector)), **usage(reply))
