"""A system that is a service: one HTTP request a question."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

import evalharness as eh
from evalharness_pipelines import addresses, statuses
from evalharness_pipelines.filling import filled, names, wrong_place
from evalharness_pipelines.noting import noted, remarks
from evalharness_pipelines.passages import Unusable
from evalharness_pipelines.questions import ALWAYS, not_supported, question, refuse_answers
from evalharness_pipelines.reading import Reading
from evalharness_pipelines.secrets import without

SECONDS_TO_CONNECT = 10.0
CHARACTERS_TOLD = 300


@dataclass
class Connection:
    """What all questions to a service share; `secrets` are the values that headers took from the environment."""

    session: Any
    secrets: Mapping[str, str]
    answered: bool = False

    def hide(self, text: str) -> str:
        """Return a text of the service without the keys that it was sent."""
        return without(text, self.secrets)


_CONNECTION: ContextVar[Connection] = ContextVar("connection")


class Http(eh.Service):
    """Answers by asking a service over HTTP, one request a question: a microservice, LangServe, a Haystack or LlamaIndex server.

    - `url`: what is asked. `{http: URL}` alone sends `{"input", "contexts"}` and reads `{"response", "contexts"?}`.
    - `method`: `POST` with a JSON `body`, or `GET` with a `query`.
    - `body`, `query`: what is sent. In their texts `{{ input }}`, `{{ contexts }}` and `{{ FIELD }}` of the sample are filled
      in; a text that is one of these alone becomes the value itself. The answers (`references`, `target`, `relevant`) are
      refused.
    - `headers`: texts, in which `${NAME}` takes a value from the environment; a key is written in no other way.
    - `response`, `contexts`: JSON paths to the answer and to the passages in the reply; `response: null` for a service that
      only retrieves. `text`, `id`, `score`: paths within a passage.
    - `version`: names what changes answers, for the identity: nothing is known of the service but its address.
    - `concurrency`, `timeout`, `retries`, `patience`: as of the model `openai`.

    Paths are `$.a.b`, `$['a b']`, `$.a[0]`, `$.a[*]`. A reply in which a path leads nowhere is the failure of its question.
    """

    name = "http"
    example = {"url": "http://127.0.0.1:8000/ask", "body": {"question": "{{ input }}"}, "response": "$.answer"}
    supports = (eh.Answer,)
    retrieves = True
    needs = "openai"
    url: str
    method: Literal["POST", "GET"] = "POST"
    query: eh.Values = field(default=eh.Values())
    body: eh.Values | None = None
    headers: eh.Values = field(default=eh.Values())
    response: str | None = "$.response"
    contexts: str | None = None
    text: str | None = None
    id: str | None = None
    score: str | None = None
    version: str = ""
    concurrency: int = 8
    retries: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = addresses.url_fault(self.url) or addresses.headers_fault(self.headers) or self._fault()
        if wrong:
            raise ValueError(wrong)
        refuse_answers(self.reads)
        _ = self._reading

    def _fault(self) -> str:
        """Return what is wrong with what is sent."""
        odd = wrong_place({"query": self.query, "body": self.body or {}})
        if odd:
            return f"{odd!r} holds more than places for names: write {{{{ input }}}}, without filters or statements"
        if self.method == "GET" and (self.body is not None or not self.query):
            return "a GET has no 'body'; it asks with 'query', such as {q: '{{ input }}'}"
        if (self.body is not None or self.query) and not list(names([self.query, self.body])):
            return "neither 'body' nor 'query' holds the question: put in '{{ input }}'"
        return addresses.secret_fault({**self.query, **(self.body or {})})

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in names([self.query, self.body]) if name not in ALWAYS))

    @property
    def where(self) -> str:
        return self.url

    def remarks(self) -> Sequence[str]:
        return remarks(self)

    def identity(self) -> str:
        sent = [self.url, self.method, dict(self.query), self.body and dict(self.body), dict(self.headers)]
        read = [self.response, self.contexts, self.text, self.id, self.score]
        return eh.digest([self.name, *sent, *read, self.version])

    @cached_property
    def _reading(self) -> Reading:
        return Reading.of(self.response, self.contexts, self.text, self.id, self.score)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        host = urlsplit(self.url).hostname or ""
        here = addresses.is_this_machine(host)
        if eh.offline() and not here:
            raise eh.ServiceError(f"--offline forbids to ask {host}; leave it out, or run the service on this machine")
        headers, secrets = addresses.from_environment(self.headers)
        try:
            import aiohttp
        except ImportError:
            raise eh.ServiceError("model 'http' needs aiohttp; install with: pip install 'evalharness[openai]'") from None
        async with aiohttp.ClientSession(
            headers={"User-Agent": "evalharness", **headers},
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(self.timeout, SECONDS_TO_CONNECT)),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=not here,  # proxies
        ) as session:
            _CONNECTION.set(Connection(session, secrets))
            yield

    async def ask_one(self, request: eh.Request) -> eh.Response:
        if not isinstance(request, eh.Answer):
            return not_supported(self, request)
        connection, started = _CONNECTION.get(), time.monotonic()
        status, headers, text = await self._sent(connection, question(request))
        if not 200 <= status < 300:
            told = connection.hide(" ".join(text.split())[:CHARACTERS_TOLD])
            raise statuses.error_of(status, headers, told, self.url, answered=connection.answered)
        try:
            content = json.loads(connection.hide(text))
        except (ValueError, RecursionError) as error:
            message = f"the reply of {self.url} is no JSON ({error}); it begins with {connection.hide(text)[:60]!r}"
            raise eh.Unanswered(eh.Failure("server", message), again=True) from None
        try:
            response = self._reading.response(content, time.monotonic() - started)
        except Unusable as error:
            raise eh.Unanswered(eh.Failure("server", f"{self.url}: {error}")) from None
        connection.answered = True
        return noted(self, response)

    async def _sent(self, connection: Connection, given: Mapping[str, Any]) -> tuple[int, Mapping[str, str], str]:
        """Send one question; return status, headers and text of the reply."""
        import aiohttp

        body = (filled(self.body, given) if self.body is not None else given) if self.method == "POST" else None
        query = list(_pairs(filled(self.query, given)))
        try:
            async with connection.session.request(self.method, self.url, params=query, json=body, allow_redirects=False) as reply:
                raw = await reply.read()
                return reply.status, reply.headers, raw.decode("utf-8", "replace")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise eh.ServiceError(f"the certificate of {self.url} does not hold: {connection.hide(str(error))}") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            why = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            message = f"{self.url}: {type(why).__name__}: {connection.hide(str(why))}"
            raise eh.Unanswered(eh.Failure("connection", message), again=True) from None


def _pairs(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a query; one with a list stands there once a value."""
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item if isinstance(item, str) else json.dumps(item)
