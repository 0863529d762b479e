"""Answers requests through the store: the model is asked only for what is not stored yet, each question once.

`fill` is given all requests of a run at once, because chunks of local work depend on the whole list; `read` then
gives the answers batch by batch. Failures are kept for this run only and never stored, so the next run asks again.
What a model gives is checked once, where it enters: `sound` says what is wrong with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

from evalharness.contract import Failure, Model, Passage, Request, Response, Retriever, canonical
from evalharness.errors import EvalharnessError
from evalharness.systems.batching import batched
from evalharness.systems.budget import Budget, NotAsked
from evalharness.systems.checking import blamed, brief, sound, told
from evalharness.systems.history import maker_of, remembered
from evalharness.systems.keys import KEY_BYTES, Keys
from evalharness.systems.store import Store, Stored

REQUESTS_A_LOOK = 4_096
NOT_ASKED = Failure("server", "the request was not asked; this is a fault of the harness")


@dataclass
class Usage:
    """What a run cost: requests asked, answers found in the store, tokens, seconds by phase.

    `input_tokens` are those of all prompts, of which `run_tokens` went through the model and `saved_tokens` did not,
    because other requests had them run already. `retries` counts what a service was asked again. `phases` are in the order
    in which they came first: `retrieval`, `model`, `questions` (what metrics ask), `scoring`, `intervals`.
    """

    requests: int = 0
    from_store: int = 0
    failures: int = 0
    retries: int = 0
    input_tokens: int = 0
    run_tokens: int = 0
    saved_tokens: int = 0
    output_tokens: int = 0
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Add the seconds that pass inside to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases[phase] = round(self.phases.get(phase, 0.0) + time.monotonic() - started, 3)

    def count(self, response: Response) -> None:
        """Add one answer that was asked for in this run."""
        saved = saved_tokens(response)
        self.requests += 1
        self.failures += response.error is not None
        self.retries += response.retries
        self.input_tokens += response.input_tokens
        self.run_tokens += response.input_tokens - saved
        self.saved_tokens += saved
        self.output_tokens += response.output_tokens


def saved_tokens(response: Response) -> int:
    """Return how many tokens of a response's prompt did not run, since other requests had them run already.

    >>> saved_tokens(Response(input_tokens=500, run_tokens=20)), saved_tokens(Response(input_tokens=500))
    (480, 0)
    """
    return 0 if response.run_tokens is None else max(0, response.input_tokens - response.run_tokens)


@dataclass
class Work:
    """What a progress display shows of one piece of work: `done` of `total`, of which `stored` were stored already.

    `saved_tokens` of the prompts' `input_tokens` did not run, since other requests had them run already. `note` is shown
    in place of what was stored and what failed, where that says nothing.
    """

    name: str
    total: int
    stored: int = 0
    done: int = 0
    errors: int = 0
    note: str = ""
    input_tokens: int = 0
    saved_tokens: int = 0

    def count(self, response: Response) -> None:
        """Add one answer that was asked for."""
        self.done += 1
        self.errors += response.error is not None
        self.input_tokens += response.input_tokens
        self.saved_tokens += saved_tokens(response)


@dataclass
class Engine:
    """Answers requests of any model through one store; `watch` is called as work advances."""

    store: Store
    watch: Callable[[Work], None] = lambda work: None
    usage: Usage = field(default_factory=Usage)
    budget: Budget = field(default_factory=Budget)
    _failed: dict[str, Response] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _keys: dict[Model, Keys] = field(default_factory=dict)

    def identity(self, model: Model) -> str:
        """Return the model's identity, computed once."""
        return self.keys(model).identity

    def maker(self, model: Model) -> str:
        """Return the name under which the store keeps what the model made."""
        return maker_of(model, self.identity(model))

    def keys(self, model: Model) -> Keys:
        """Return what makes the keys of requests to a model."""
        if model not in self._keys:
            self._keys[model] = Keys(identity_of("model", model))
        return self._keys[model]

    def fill(self, model: Model, requests: Iterable[Request], name: str = "model") -> bytes:
        """Make sure that every request has an answer in the store or a failure of this run; return the keys, end to end.

        Only where something has to be asked are the requests iterated over a second time and kept in memory.
        """
        if not model.stored:
            return b""
        requests = list(requests) if isinstance(requests, Iterator) else requests
        work = Work(name, total=0)
        look = self._look(model, requests, work)
        self.usage.from_store += work.stored - len(look.again)
        self.watch(work)
        if look.missing:
            with remembered(self.store.path, model, self.maker(model), self.budget):
                self._ask(model, requests, look.missing, work)
        return bytes(look.keys)

    def _look(self, model: Model, requests: Iterable[Request], work: Work) -> _Look:
        """Find out which requests have no answer yet, and count in `work` how many have one."""
        key_of, look = self.keys(model).of, _Look()
        for some in batched(requests, REQUESTS_A_LOOK):
            keys = [key_of(request) for request in some]
            look.keys += bytes.fromhex("".join(keys))
            wanted = dict.fromkeys(keys)
            held = self.store.known(list(wanted))
            look.again |= held & self._asked
            if len(held) < len(wanted):
                absent = wanted.keys() - held
                look.missing |= absent - self._failed.keys()
                look.failed |= absent & self._failed.keys()
            work.total += len(wanted)
            work.stored = work.done = work.total - len(look.missing) - len(look.failed)
            self.watch(work)
        work.total = look.distinct()  # what came twice was counted twice
        work.stored, work.done = work.total - len(look.missing) - len(look.failed), work.total - len(look.missing)
        return look

    def _ask(self, model: Model, requests: Iterable[Request], missing: set[str], work: Work) -> None:
        key_of = self.keys(model).of
        asked = {key_of(request): request for request in requests}
        for chunk in _planned(model, asked, key_of):
            todo = {key: request for key, request in chunk.items() if key in missing}
            if todo:
                self._ask_chunk(model, todo, work)

    def _ask_chunk(self, model: Model, todo: dict[str, Request], work: Work) -> None:
        """Ask one chunk; local work is stored as one transaction, service answers as they come."""
        if model.local:
            self.store.write(list(self._answers(model, todo, work)))
            self.watch(work)
            return
        try:
            for answer in self._answers(model, todo, work):
                self.store.add(answer)
                self.watch(work)
        finally:  # whatever ends the asking: answers that were paid for stay
            self.store.flush()
        self.watch(work)

    def _answers(self, model: Model, todo: dict[str, Request], work: Work) -> Iterator[Stored]:
        """Yield what is to be stored; failures are kept for this run."""
        maker = self.maker(model)
        keys = {id(request): key for key, request in todo.items()}
        for request, response in self.budget.asked(model, list(todo.values()), partial(_each_once, model)):
            key = keys[id(request)]
            if not isinstance(response.error, NotAsked):
                self.usage.count(response)
            work.count(response)
            self._asked.add(key)
            if response.error is None:
                yield to_stored(key, request.kind, maker, response)
            else:
                self._failed[key] = response

    def read(self, model: Model, requests: Sequence[Request]) -> list[Response]:
        """Return the response to each request, in order; a model that is not stored is asked here and now."""
        if not model.stored:
            answers = {id(request): response for request, response in _each_once(model, requests)}
            return [answers[id(request)] for request in requests]
        return self.recall([*map(self.keys(model).of, requests)])

    def recall(self, keys: Sequence[str]) -> list[Response]:
        """Return the response under each key, in order; the failure of this run where there is none."""
        stored = self.store.read(list(dict.fromkeys(keys)))
        found = dict(zip(stored, from_stored(list(stored.values())), strict=True))
        return [found.get(key) or self._failed.get(key) or Response(error=NOT_ASKED) for key in keys]


@dataclass
class _Look:
    """What a look at the store found: all keys, end to end, and which have no answer, failed or were asked in this run."""

    keys: bytearray = field(default_factory=bytearray)
    missing: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)

    def distinct(self) -> int:
        """Return how many keys differ."""
        import numpy

        return len(numpy.unique(numpy.frombuffer(self.keys, f"S{KEY_BYTES}")))


def identity_of(kind: str, plugin: Model | Retriever) -> str:
    """Return the identity that a model or retriever gives itself; raises PluginError where it fails to."""
    with blamed(kind, plugin, "identity"):
        identity = plugin.identity()
        if not isinstance(identity, str):
            raise TypeError(f"an identity is a string, not {brief(identity)}")
    return identity


def _planned(model: Model, asked: dict[str, Request], key_of: Callable[[Request], str]) -> Iterator[dict[str, Request]]:
    keys = {id(request): key for key, request in asked.items()}
    with blamed("model", model, "plan"):
        for chunk in model.plan(list(asked.values())):
            yield {keys.get(id(request)) or key_of(request): request for request in chunk}


def _each_once(model: Model, requests: Iterable[Request]) -> Iterator[tuple[Request, Response]]:
    """Yield one response a request whatever the model does: what it repeats, leaves out or raises is put right here.

    A model that is given no sequence takes its requests one by one; those that it does not take have no answer either. It is
    not asked what it does not heed.
    """
    waiting: dict[int, Request] = {}
    unheeded: list[tuple[Request, Response]] = []
    rest = _noted(model, requests, waiting, unheeded)
    given: Any = list(rest) if isinstance(requests, Sequence) else rest
    reason = Failure("plugin", f"model '{model.name}' gave no answer to this request")
    try:
        for request, response in model.answer(given):
            fault = sound(response)
            if waiting.pop(id(request), None) is not None:
                yield request, response if fault is None else _refused(model, fault)
    except EvalharnessError:
        raise
    except Exception as error:  # a fault of one chunk is a failure of its samples, never of the run
        reason = Failure("plugin", f"model '{model.name}' failed: {told(error)}")
    for request in chain(list(waiting.values()), rest):
        yield request, Response(error=reason)
    yield from unheeded


def _noted(
    model: Model, requests: Iterable[Request], waiting: dict[int, Request], unheeded: list[tuple[Request, Response]]
) -> Iterator[Request]:
    """Yield the requests that the model is asked, each put down among those that wait for an answer; note the others."""
    for request in requests:
        missing = request.beside_text() - model.heeds
        if missing:
            unheeded.append((request, Response(error=_unheeded(model, missing))))
            continue
        waiting[id(request)] = request
        yield request


def _unheeded(model: Model, missing: Iterable[str]) -> Failure:
    takes = {"images": "takes no images", "json_schema": "cannot be held to a JSON schema ('generate.json_schema')"}
    return Failure("not supported", f"model '{model.name}' {' and '.join(takes[name] for name in sorted(missing))}")


def _refused(model: Model, fault: str) -> Response:
    return Response(error=Failure("plugin", f"model '{model.name}' gave {fault}"))


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


def from_stored(stored: Iterable[Stored]) -> list[Response]:
    """Return the responses that were stored.

    >>> from_stored([to_stored("k", "generate", "m", Response(text="hi", logprobs=(-0.5,), tokens=(1,)))])
    [Response(text='hi', finish=None, logprobs=(-0.5,), tokens=(1,), merged=0, embedding=None, contexts=None, \
input_tokens=0, output_tokens=0, latency=None, error=None, run_tokens=None, retries=0)]
    """
    rows = list(stored)
    values = json.loads(f"[{','.join(row.value for row in rows)}]")  # at once: most of them are a few words
    return [_response(plain, row.floats) for plain, row in zip(values, rows, strict=True)]


def _response(plain: dict[str, Any], floats: tuple[float, ...]) -> Response:
    size, width = plain.pop("logprobs", None), plain.pop("embedding", None)
    if "contexts" in plain:
        plain["contexts"] = tuple(Passage(*passage) for passage in plain["contexts"])
    if "tokens" in plain:
        plain["tokens"] = tuple(plain["tokens"])
    if size is not None:
        plain["logprobs"] = floats[:size]
    if width is not None:
        plain["embedding"] = floats[len(floats) - width :]
    return Response(**plain)
