"""Answers requests through the store: the model is asked only for what is not stored yet, each question once.

`fill` is given all requests of a run at once, because chunks of local work depend on the whole list; `read` then
gives the answers batch by batch. Failures are kept for this run only and never stored, so the next run asks again.
What a model gives is checked once, where it enters: `sound` says what is wrong with it.
"""

from __future__ import annotations

import json
import math
import reprlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from evalharness.contract import Failure, Model, Passage, Request, Response, Retriever, canonical
from evalharness.errors import EvalharnessError, PluginError
from evalharness.systems.store import Store, Stored

COMMIT_SECONDS = 0.5
NOT_ASKED = Failure("server", "the request was not asked; this is a fault of the harness")


@dataclass
class Usage:
    """What a run cost: requests asked, answers found in the store, tokens, seconds in models and retrievers.

    `input_tokens` are those of all prompts, of which `run_tokens` went through the model and `saved_tokens` did not,
    because other requests had them run already. `retries` counts what a service was asked again.
    """

    requests: int = 0
    from_store: int = 0
    failures: int = 0
    retries: int = 0
    input_tokens: int = 0
    run_tokens: int = 0
    saved_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def count(self, response: Response) -> None:
        """Add one answer that was asked for in this run."""
        run = response.input_tokens if response.run_tokens is None else response.run_tokens
        self.requests += 1
        self.failures += response.error is not None
        self.retries += response.retries
        self.input_tokens += response.input_tokens
        self.run_tokens += run
        self.saved_tokens += max(0, response.input_tokens - run)
        self.output_tokens += response.output_tokens


@dataclass
class Work:
    """What a progress display shows of one piece of work: `done` of `total`, of which `stored` were stored already.

    `note` is shown in place of what was stored and what failed, where that says nothing.
    """

    name: str
    total: int
    stored: int = 0
    done: int = 0
    errors: int = 0
    note: str = ""


@dataclass
class Engine:
    """Answers requests of any model through one store; `watch` is called as work advances."""

    store: Store
    watch: Callable[[Work], None] = lambda work: None
    usage: Usage = field(default_factory=Usage)
    _failed: dict[str, Response] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _identities: dict[Model, str] = field(default_factory=dict)

    def identity(self, model: Model) -> str:
        """Return the model's identity, computed once."""
        if model not in self._identities:
            self._identities[model] = identity_of("model", model)
        return self._identities[model]

    def fill(self, model: Model, requests: Iterable[Request], name: str = "model") -> None:
        """Make sure that every request has an answer in the store or a failure of this run."""
        if not model.stored:
            return
        identity = self.identity(model)
        asked = {request.key(identity): request for request in requests}
        stored = self.store.known(list(asked))
        missing = asked.keys() - self._failed.keys() - stored
        work = Work(name, total=len(asked), stored=len(stored), done=len(asked) - len(missing))
        self.usage.from_store += len(stored - self._asked)
        self.watch(work)
        if missing:
            started = time.monotonic()
            self._ask(model, identity, asked, missing, work)
            self.usage.seconds += time.monotonic() - started

    def _ask(self, model: Model, identity: str, asked: dict[str, Request], missing: set[str], work: Work) -> None:
        for keys in _planned(model, identity, list(asked.values())):
            todo = {key: request for key, request in keys.items() if key in missing}
            if todo:
                self._ask_chunk(model, identity, todo, work)

    def _ask_chunk(self, model: Model, identity: str, todo: dict[str, Request], work: Work) -> None:
        """Ask one chunk; local work is stored as one transaction, service answers as they come."""
        answers = self._answers(model, identity, todo, work)
        if model.local:
            self.store.write(list(answers))
        else:
            self._write_as_they_come(answers)

    def _answers(self, model: Model, identity: str, todo: dict[str, Request], work: Work) -> Iterator[Stored]:
        """Yield what is to be stored; failures are kept for this run."""
        maker = f"{model.name} {identity[:12]}"
        for request, response in _each_once(model, list(todo.values())):
            key = request.key(identity)
            self.usage.count(response)
            work.done += 1
            self._asked.add(key)
            if response.error is None:
                yield to_stored(key, request.kind, maker, response)
            else:
                work.errors += 1
                self._failed[key] = response
            self.watch(work)

    def _write_as_they_come(self, answers: Iterable[Stored]) -> None:
        """Store every half second, and what is left whatever ends the asking: answers that were paid for stay."""
        pending: list[Stored] = []
        committed = time.monotonic()
        try:
            for answer in answers:
                pending.append(answer)
                if time.monotonic() - committed > COMMIT_SECONDS:
                    self.store.write(pending)
                    pending, committed = [], time.monotonic()
        finally:
            self.store.write(pending)

    def read(self, model: Model, requests: Sequence[Request]) -> list[Response]:
        """Return the response to each request, in order; a model that is not stored is asked here and now."""
        if not model.stored:
            answers = {id(request): response for request, response in _each_once(model, requests)}
            return [answers[id(request)] for request in requests]
        identity = self.identity(model)
        keys = [request.key(identity) for request in requests]
        stored = self.store.read(list(dict.fromkeys(keys)))
        return [self._response(key, stored) for key in keys]

    def _response(self, key: str, stored: dict[str, Stored]) -> Response:
        if key in stored:
            return from_stored(stored[key])
        return self._failed.get(key, Response(error=NOT_ASKED))


@contextmanager
def blamed(kind: str, plugin: Model | Retriever, step: str) -> Iterator[None]:
    """Raise PluginError that names the plugin and the step for whatever else than an EvalharnessError comes from inside."""
    try:
        yield
    except EvalharnessError:
        raise
    except Exception as error:  # a plugin may fail in any way
        raise PluginError(f"{kind} '{plugin.name}' failed in {step}(): {told(error)}") from error


def identity_of(kind: str, plugin: Model | Retriever) -> str:
    """Return the identity that a model or retriever gives itself; raises PluginError where it fails to."""
    with blamed(kind, plugin, "identity"):
        identity = plugin.identity()
        if not isinstance(identity, str):
            raise TypeError(f"an identity is a string, not {_shown(identity)}")
    return identity


def _planned(model: Model, identity: str, requests: Sequence[Request]) -> Iterator[dict[str, Request]]:
    with blamed("model", model, "plan"):
        for chunk in model.plan(requests):
            yield {request.key(identity): request for request in chunk}


def _each_once(model: Model, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
    """Yield one response a request whatever the model does: what it repeats, leaves out or raises is put right here."""
    waiting = {id(request): request for request in requests}
    reason = Failure("plugin", f"model '{model.name}' gave no answer to this request")
    try:
        for request, response in model.answer(requests):
            fault = sound(response)
            if waiting.pop(id(request), None) is not None:
                yield request, response if fault is None else _refused(model, fault)
    except EvalharnessError:
        raise
    except Exception as error:  # a fault of one chunk is a failure of its samples, never of the run
        reason = Failure("plugin", f"model '{model.name}' failed: {told(error)}")
    for request in waiting.values():
        yield request, Response(error=reason)


def _refused(model: Model, fault: str) -> Response:
    return Response(error=Failure("plugin", f"model '{model.name}' gave {fault}"))


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
        return f"{_shown(response)} in place of a Response"
    for name, (holds, wanted) in PARTS.items():
        value = getattr(response, name)
        absent = value is None and name not in COUNTS
        if not absent and not holds(value):
            return f"{name}={_shown(value)}, which is not {wanted}"
    return None if response.contexts is None else ranking_fault(response.contexts)


def ranking_fault(passages: object) -> str | None:
    """Return what is wrong with a ranking of passages, None where it holds sound passages with an id each of its own.

    >>> ranking_fault([Passage("a", "one"), Passage("a", "two")])
    "one ranking with the passage id 'a' twice"
    """
    if not isinstance(passages, (list, tuple)):
        return f"{_shown(passages)} in place of a ranking of passages"
    for passage in passages:
        if not isinstance(passage, Passage):
            return f"a ranking that holds {_shown(passage)} in place of a Passage"
        if not (_is_text(passage.id) and _is_text(passage.text) and (passage.score is None or _is_finite(passage.score))):
            return f"the passage {_shown(passage.id)}, whose id and text are not both text, or whose score is not a finite number"
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


def _shown(value: object) -> str:
    """Return a short text for a value; only the type of what may be long or shows where it lies in memory."""
    return reprlib.repr(value) if isinstance(value, (str, int, float, type(None))) else f"<{type(value).__name__}>"


def to_stored(key: str, kind: str, maker: str, response: Response) -> Stored:
    """Return the stored form of a response."""
    plain: dict[str, Any] = {
        "text": response.text, "finish": response.finish, "tokens": response.tokens, "merged": response.merged,
        "contexts": None if response.contexts is None else [[p.id, p.text, p.score] for p in response.contexts],
        "input_tokens": response.input_tokens, "output_tokens": response.output_tokens, "latency": response.latency,
        "logprobs": None if response.logprobs is None else len(response.logprobs),
        "embedding": None if response.embedding is None else len(response.embedding),
    }  # fmt: skip
    kept = {name: value for name, value in plain.items() if value not in (None, 0)}
    return Stored(key, kind, maker, canonical(kept), (*(response.logprobs or ()), *(response.embedding or ())))


def from_stored(stored: Stored) -> Response:
    """Return the response that was stored.

    >>> stored = to_stored("k", "generate", "m", Response(text="hi", logprobs=(-0.5,), tokens=(1,)))
    >>> from_stored(stored)
    Response(text='hi', finish=None, logprobs=(-0.5,), tokens=(1,), merged=0, embedding=None, contexts=None, \
input_tokens=0, output_tokens=0, latency=None, error=None, run_tokens=None, retries=0)
    """
    plain = json.loads(stored.value)
    size = plain.pop("logprobs", None)
    width = plain.pop("embedding", None)
    contexts = plain.pop("contexts", None)
    tokens = plain.pop("tokens", None)
    return Response(
        **plain,
        tokens=None if tokens is None else tuple(tokens),
        contexts=None if contexts is None else tuple(Passage(*passage) for passage in contexts),
        logprobs=None if size is None else stored.floats[:size],
        embedding=None if width is None else stored.floats[len(stored.floats) - width :],
    )
