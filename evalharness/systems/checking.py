"""What plugins do wrong, in words: who failed in which step, and what a model or retriever gave that is not sound.

All of it is checked once, where it enters.
"""

from __future__ import annotations

import math
import reprlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from evalharness.contract import Failure, Model, Passage, Response, Retriever
from evalharness.errors import EvalharnessError, PluginError


@contextmanager
def blamed(kind: str, plugin: Model | Retriever, step: str) -> Iterator[None]:
    """Raise PluginError that names the plugin and the step for whatever else than an EvalharnessError comes from inside."""
    try:
        yield
    except EvalharnessError:
        raise
    except Exception as error:  # a plugin may fail in any way
        raise PluginError(f"{kind} '{plugin.name}' failed in {step}(): {told(error)}") from error


def told(error: Exception) -> str:
    """Return the type and message of an exception as text that can be written as UTF-8.

    >>> told(ValueError("no \\ud800"))
    'ValueError: no \\\\ud800'
    """
    return f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()


def sound(response: object) -> str | None:
    """Return what is wrong with a model's response, None where all of it is what the contract says.

    >>> sound(Response(text="hi", latency=0.5))
    >>> sound(Response(latency=-1.0))
    'latency=-1.0, which is not a number of seconds from 0'
    """
    if not isinstance(response, Response):
        return f"{brief(response)} in place of a Response"
    for name, (holds, wanted) in PARTS.items():
        value = getattr(response, name)
        absent = value is None and name not in COUNTS
        if not absent and not holds(value):
            return f"{name}={brief(value)}, which is not {wanted}"
    return None if response.contexts is None else ranking_fault(response.contexts)


def ranking_fault(passages: object) -> str | None:
    """Return what is wrong with a ranking of passages, None where it holds sound passages with an id each of its own.

    >>> ranking_fault([Passage("a", "one"), Passage("a", "two")])
    "one ranking with the passage id 'a' twice"
    """
    if not isinstance(passages, (list, tuple)):
        return f"{brief(passages)} in place of a ranking of passages"
    for passage in passages:
        if not isinstance(passage, Passage):
            return f"a ranking that holds {brief(passage)} in place of a Passage"
        if not (_is_text(passage.id) and _is_text(passage.text) and (passage.score is None or _is_finite(passage.score))):
            return f"the passage {brief(passage.id)}, whose id and text are not both text, or whose score is not a finite number"
    twice = [key for key, times in Counter(passage.id for passage in passages).items() if times > 1]
    return f"one ranking with the passage id {twice[0]!r} twice" if twice else None


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= sys.maxsize


def _is_failure(value: object) -> bool:
    return isinstance(value, Failure) and _is_text(value.kind) and _is_text(value.message)


def _each(holds: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, tuple) and all(map(holds, value))


COUNTS = ("merged", "input_tokens", "output_tokens", "retries")
PARTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (_is_text, "text that can be written as UTF-8"),
    "finish": (lambda value: isinstance(value, str) and value in ("stop", "length"), "'stop' or 'length'"),
    "logprobs": (partial(_each, lambda value: _is_finite(value) or value == -math.inf), "a tuple of numbers below infinity"),
    "tokens": (partial(_each, _is_count), "a tuple of whole numbers from 0"),
    "embedding": (partial(_each, _is_finite), "a tuple of finite numbers"),
    "latency": (lambda value: _is_finite(value) and value >= 0, "a number of seconds from 0"),
    "error": (_is_failure, "a Failure whose kind and message can be written as UTF-8"),
    **dict.fromkeys((*COUNTS, "run_tokens"), (_is_count, "a whole number from 0")),
}


def brief(value: object) -> str:
    """Return a short text for a value; only the type of what may be long or shows where it lies in memory."""
    return reprlib.repr(value) if isinstance(value, (str, int, float, type(None))) else f"<{type(value).__name__}>"
