"""Canonical JSON of what requests and samples are full of, without a JSON encoder for each of a million texts."""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from typing import Any

from evalharness.contract import Message, Passage, canonical


def quick_json(value: Any) -> str:
    """Return what `canonical` returns.

    >>> quick_json(["é", "\\n"]), quick_json((Passage("p", "text", 0.5),))
    ('["é","\\\\n"]', '[{"id":"p","score":0.5,"text":"text"}]')
    """
    if type(value) is str:
        return quoted(value)
    if value is None:
        return "null"
    if type(value) is list or type(value) is tuple:
        kinds = {*map(type, value)}
        write = _WRITERS.get(kinds.pop()) if len(kinds) == 1 else None
        if write is not None:
            return f"[{','.join(map(write, value))}]"
    return canonical(value)


def _message(message: Message) -> str:
    if message.images:
        return canonical(message)
    return f'{{"content":{quick_json(message.content)},"role":{quick_json(message.role)}}}'


def _passage(passage: Passage) -> str:
    return f'{{"id":{quick_json(passage.id)},"score":{quick_json(passage.score)},"text":{quick_json(passage.text)}}}'


_WRITERS: dict[type, Any] = {str: quoted, Message: _message, Passage: _passage}
