"""Answers requests through the store: the model is asked only for what is not stored yet, each question once.

`fill` is given all requests of a run at once, because chunks of local work depend on the whole list; `read` then
gives the answers batch by batch. Failures are kept for this run only and never stored, so the next run asks again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.contract import Failure, Model, Passage, Request, Response, canonical
from evalharness.errors import EvalharnessError
from evalharness.systems.store import Store, Stored

COMMIT_SECONDS = 0.5
NOT_ASKED = Failure("server", "the request was not asked; this is a fault of the harness")


@dataclass
class Usage:
    """What a run cost: requests asked, answers found in the store, tokens, seconds in models and retrievers."""

    requests: int = 0
    from_store: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0

    def count(self, response: Response) -> None:
        """Add one answer that was asked for in this run."""
        self.requests += 1
        self.failures += response.error is not None
        self.input_tokens += response.input_tokens
        self.output_tokens += response.output_tokens


@dataclass
class Work:
    """What a progress display shows of one piece of work: `done` of `total`, of which `stored` were stored already."""

    name: str
    total: int
    stored: int = 0
    done: int = 0
    errors: int = 0


@dataclass
class Engine:
    """Answers requests of any model through one store; `watch` is called as work advances."""

    store: Store
    watch: Callable[[Work], None] = lambda work: None
    usage: Usage = field(default_factory=Usage)
    _failed: dict[str, Response] = field(default_factory=dict)
    _identities: dict[Model, str] = field(default_factory=dict)

    def identity(self, model: Model) -> str:
        """Return the model's identity, computed once."""
        if model not in self._identities:
            self._identities[model] = model.identity()
        return self._identities[model]

    def failures(self) -> Counter[str]:
        """Return how many requests of this run failed, by reason."""
        errors = (response.error for response in self._failed.values())
        return Counter(f"{error.kind}: {error.message}" for error in errors if error is not None)

    def fill(self, model: Model, requests: Iterable[Request], name: str = "model") -> None:
        """Make sure that every request has an answer in the store or a failure of this run."""
        if not model.stored:
            return
        identity = self.identity(model)
        asked = {request.key(identity): request for request in requests}
        missing = asked.keys() - self._failed.keys()
        missing -= self._stored_keys(list(asked))
        work = Work(name, total=len(asked), stored=len(asked) - len(missing), done=len(asked) - len(missing))
        self.usage.from_store += work.stored
        self.watch(work)
        if missing:
            started = time.monotonic()
            self._ask(model, identity, asked, missing, work)
            self.usage.seconds += time.monotonic() - started

    def _stored_keys(self, keys: list[str]) -> set[str]:
        return set(self.store.read(keys))

    def _ask(self, model: Model, identity: str, asked: dict[str, Request], missing: set[str], work: Work) -> None:
        for chunk in model.plan(list(asked.values())):
            keys = {request.key(identity): request for request in chunk}
            todo = {key: request for key, request in keys.items() if key in missing}
            if todo:
                self._ask_chunk(model, identity, todo, work)

    def _ask_chunk(self, model: Model, identity: str, todo: dict[str, Request], work: Work) -> None:
        """Ask one chunk; local work is stored as one transaction, service answers every half second."""
        pending: list[Stored] = []
        committed = time.monotonic()
        maker = f"{model.name} {identity[:12]}"
        for request, response in _each_once(model, list(todo.values())):
            key = request.key(identity)
            self.usage.count(response)
            if response.error is None:
                pending.append(to_stored(key, request.kind, maker, response))
            else:
                self._failed[key] = response
            work.done += 1
            work.errors += response.error is not None
            self.watch(work)
            if not model.local and time.monotonic() - committed > COMMIT_SECONDS:
                self.store.write(pending)
                pending, committed = [], time.monotonic()
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


def _each_once(model: Model, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
    """Yield one response a request whatever the model does: what it repeats, leaves out or raises is put right here."""
    waiting = {id(request): request for request in requests}
    reason = Failure("plugin", f"model '{model.name}' gave no answer to this request")
    try:
        for request, response in model.answer(requests):
            if waiting.pop(id(request), None) is not None:
                yield request, response
    except EvalharnessError:
        raise
    except Exception as error:  # a fault of one chunk is a failure of its samples, never of the run
        reason = Failure("plugin", f"model '{model.name}' failed: {type(error).__name__}: {error}")
    for request in waiting.values():
        yield request, Response(error=reason)


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
input_tokens=0, output_tokens=0, latency=None, error=None)
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
