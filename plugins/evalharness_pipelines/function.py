"""A system that is a Python function."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import evalharness as eh
from evalharness_pipelines.calling import call_all, settled
from evalharness_pipelines.modules import importable, load
from evalharness_pipelines.noting import noted, remarks
from evalharness_pipelines.passages import Unusable
from evalharness_pipelines.questions import not_supported, question, refuse_answers, whole
from evalharness_pipelines.replies import response
from evalharness_pipelines.secrets import hidden
from evalharness_pipelines.sources import Source, find, what_is_wrong

NAMED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
Pairs = list[tuple[eh.Request, eh.Response]]


class Python(eh.Model):
    """Answers by calling a Python function: any pipeline as a callable, LangChain, LlamaIndex and Haystack included.

    - `function`: `MODULE:FUNCTION`. The module stands beside the task file, in whose folder it is looked for first, or it is
      installed. `{python: MODULE:FUNCTION}` is short for it.
    - `fields`: the fields of a sample that the function is given beside `input` and `contexts`; the answers (`references`,
      `target`, `relevant`) are refused.
    - `batch`: how many samples the function is given at once. Without it, the function takes one sample and returns its
      reply; with it, it takes a list and returns a list of replies in the same order.
    - `concurrency`: how many calls are open at once, each in a thread of its own. Coroutines are awaited in one event loop.
    - `version`: names what changes answers and does not stand in the module, for the identity: an index, weights, a service.

    A sample is a dictionary: `input`, `contexts` (a list of `id`, `text`, `score`; empty where nothing was retrieved) and the
    fields. A reply is a text or a mapping with `response` and, if wanted, `contexts`: texts, mappings with `id` and `text`, or
    documents of those libraries. An exception is the failure of its sample; those of its batch are asked again one by one.
    What the function prints goes to stderr.

    The identity covers the files of the module and what it imports beside the task, not what else is installed.
    """

    name = "python"
    example = {"function": "evalharness_pipelines.example:answer"}
    supports = (eh.Answer,)
    retrieves = True
    function: str
    fields: tuple[str, ...] = ()
    batch: int | None = None
    concurrency: int = 1
    version: str = ""
    folder: str = field(default=".", metadata={"option": False})

    def __post_init__(self) -> None:
        if not NAMED.fullmatch(self.function):
            raise ValueError(f"'function' must be MODULE:FUNCTION, such as my_rag:answer, not {self.function!r}")
        if self.concurrency < 1 or (self.batch is not None and self.batch < 1):
            raise ValueError("'concurrency' and 'batch' must be at least 1")
        refuse_answers(self.fields)

    @property
    def reads(self) -> tuple[str, ...]:
        return self.fields

    def faults(self) -> Sequence[str]:
        module, _, function = self.function.partition(":")
        wrong = what_is_wrong(module, function, self.folder)
        return [wrong] if wrong else []

    def remarks(self) -> Sequence[str]:
        return remarks(self)

    def identity(self) -> str:
        made_of = sorted(self._source().digests.items())
        return eh.digest([self.name, self.function, list(self.fields), self.batch is not None, self.version, made_of])

    def answer(self, requests: Iterable[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        source = self._source()
        with importable(source), redirect_stdout(sys.stderr):  # a run's own output may be read by a program
            asking = _Asking(load(source, self.function.partition(":")[2]), self.batch)
            refused: list[eh.Request] = []
            for pairs in call_all(asking.answered, _cut(whole(requests, refused), self.batch or 1), self.concurrency):
                yield from ((request, noted(self, response)) for request, response in pairs)
            yield from ((request, not_supported(self, request)) for request in refused)

    def _source(self) -> Source:
        module = self.function.partition(":")[0]
        found = find(module, self.folder)
        if found is None:
            raise eh.UsageError(f"model 'python': {what_is_wrong(module, '', self.folder)}")
        return found


def _cut(requests: Iterator[eh.Answer], size: int) -> Iterator[list[eh.Answer]]:
    while some := list(itertools.islice(requests, size)):
        yield some


@dataclass(frozen=True)
class _Asking:
    """A function and how it is called: with one sample, or with lists of at most `batch`."""

    function: Callable[..., Any]
    batch: int | None

    def answered(self, requests: list[eh.Answer]) -> Pairs:
        """Return the responses to the requests of one call."""
        started = time.monotonic()
        try:
            replies = self._called(requests)
        except (Exception, SystemExit) as error:  # the function may do anything; it is the failure of its samples alone
            if len(requests) > 1:
                return [pair for request in requests for pair in self.answered([request])]
            return [(requests[0], _failed(_told(error)))]
        seconds = time.monotonic() - started
        return [(request, _read(reply, seconds)) for request, reply in zip(requests, replies, strict=True)]

    def _called(self, requests: list[eh.Answer]) -> list[Any]:
        if self.batch is None:
            return [settled(self.function(question(requests[0])))]
        replies = settled(self.function([question(request) for request in requests]))
        if not isinstance(replies, (list, tuple)):
            raise Unusable(f"with 'batch', the function must return a list of replies, not a {type(replies).__name__}")
        if len(replies) != len(requests):
            raise Unusable(f"the function returned {len(replies)} replies to {len(requests)} samples")
        return list(replies)


def _read(reply: Any, seconds: float) -> eh.Response:
    try:
        return response(reply, seconds)
    except Exception as error:  # an object may fail at any attribute
        return _failed(_told(error))


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, Unusable) else f"{type(error).__name__}: {error}"


def _failed(message: str) -> eh.Response:
    return eh.Response(error=eh.Failure("plugin", hidden(message).encode("utf-8", "backslashreplace").decode()))
