"""The model `openai`: any server that speaks OpenAI's interface."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

import evalharness as eh
from evalharness_openai import bodies, likelihood, replies
from evalharness_openai.connection import Connection, Refused, is_this_machine, proxy_for
from evalharness_openai.faults import Said
from evalharness_openai.secrets import Secret

_CONNECTION: ContextVar[Connection] = ContextVar("connection")
SECONDS_TO_CONNECT = 10.0
UNLIMITED = 1_000_000  # tokens: more than any service writes that is told no limit


class OpenAI(eh.Service):
    """A model behind a server that speaks OpenAI's interface: OpenAI, vLLM, SGLang, llama.cpp, TGI, `transformers serve`, …

    - `model`: its name at the service.
    - `base_url`: where the service is, up to `/v1`.
    - `api`: `chat` sends turns of a conversation to /chat/completions, `completions` plain text to /completions.
    - `key`: the name of the environment variable that holds the key; a server that wants none needs none.
    - `logprobs`: whether to ask for the log-probabilities of the tokens that are generated.
    - `parameters`: further fields of each request, as the service names them (`top_k`, `reasoning_effort`). They are part of
      the identity. Null leaves a field out: `temperature: null` for a model that refuses it.
    - `concurrency`: how many requests may be open at once, at most; `timeout`: seconds that one may take; `retries`: how often
      one is asked again; `patience`: seconds without any answer after which the server is given up for this run.

    `Choose` and `Likelihood` need log-probabilities of the prompt, which vLLM, SGLang, TGI and llama-cpp-python give; they
    send plain text in either case, so a multiple-choice task needs `api: completions`. The first token of a text is scored
    where the server puts one before it. Nothing is cut: too long a text is a failure of the kind `cut off`.

    docs/models.md, under Services, lists what can go wrong, and what comes of it.
    """

    name = "openai"
    supports = (eh.Generate, eh.Choose, eh.Likelihood, eh.Embed)
    needs = "openai"
    example = {"model": "smollm2", "base_url": "http://localhost:8000/v1"}
    model: str
    base_url: str = "https://api.openai.com/v1"
    api: Literal["chat", "completions"] = "chat"
    key: str = "OPENAI_API_KEY"
    logprobs: bool = False
    parameters: eh.Arguments | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise ValueError("option 'model' is empty: give the name that the service has for it")
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key):  # the value is not shown: it may be the key itself
            raise ValueError("option 'key' is the name of an environment variable in capitals, such as OPENAI_API_KEY, not a key")
        fault = _url_fault(self.base_url) or bodies.parameters_fault(self._parameters)
        if fault:
            raise ValueError(fault)

    @property
    def chat(self) -> bool:
        return self.api == "chat"

    @property
    def heeds(self) -> frozenset[str]:
        return frozenset(["images", "json_schema"] if self.chat else ["json_schema"])

    @property
    def where(self) -> str:
        return f"model '{self.model}' at {self._url}"

    @property
    def sold_as(self) -> str:
        return self.model

    @property
    def _url(self) -> str:
        return self.base_url.rstrip("/")

    @property
    def _parameters(self) -> Mapping[str, object]:
        return self.parameters or {}

    def identity(self) -> str:
        return eh.digest([self.name, 1, self._url, self.model, self.api, self._parameters, self.logprobs])

    def conventions(self) -> Mapping[str, str]:
        template = "the service's own" if self.chat else "none"
        return {"template": template, "first token": "the service's own", "tokens": "as the service counts them"}

    def forecast(self, requests: Sequence[eh.Request]) -> eh.Forecast:
        """Return what requests are expected to take; `parameters` may allow more to be written than they ask for."""
        expected = super().forecast(requests)
        most = self._parameters.get(bodies.COMPLETION_TOKENS)
        if most is None and bodies.TOKENS not in self._parameters:
            return expected
        each = most if isinstance(most, int) else UNLIMITED
        return replace(expected, most_output_tokens=each * sum(isinstance(request, eh.Generate) for request in requests))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        connection = Connection(self._url, self.model, Secret.of(self.key), proxy_for(self._url), self.hold)
        host = urlsplit(self._url).hostname or ""
        if eh.offline() and not is_this_machine(host):
            raise connection.outcome(Refused("offline", Said(host)))
        if not connection.secret.usable:
            raise eh.ServiceError(f"the key in {self.key} holds characters that no key has: a line break, or no ASCII")
        try:
            import aiohttp
        except ImportError:
            message = "model 'openai' needs aiohttp; install with: pip install 'evalharness[openai]'"
            raise eh.ServiceError(message) from None
        headers = {"Content-Type": "application/json", "User-Agent": "evalharness"}
        if connection.secret.value:
            headers["Authorization"] = f"Bearer {connection.secret.value}"
        connection.session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(self.timeout, SECONDS_TO_CONNECT)),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with connection.session:
            _CONNECTION.set(connection)
            yield

    async def ask_one(self, request: eh.Request) -> eh.Response:
        connection = _CONNECTION.get()
        try:
            return await self._answered(connection, request)
        except Refused as refused:
            raise connection.outcome(refused) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # a value of another kind than the interface has there
            malformed = Refused("malformed", Said(f"{type(error).__name__}: {error}"))
            raise connection.outcome(malformed) from None

    async def _answered(self, connection: Connection, request: eh.Request) -> eh.Response:
        if isinstance(request, eh.Generate):
            return await self._generated(connection, request)
        if isinstance(request, eh.Choose):
            return await likelihood.choose(connection, request, self._parameters)
        if isinstance(request, eh.Likelihood):
            return await likelihood.likelihood(connection, request, self._parameters)
        if isinstance(request, eh.Embed):
            body = {"model": self.model, "input": request.text, "encoding_format": "float"}
            return replies.embedded(await connection.post("embeddings", bodies.with_parameters(body, self._parameters)))
        failure = eh.Failure("not supported", f"a request of the kind '{request.kind}'")
        raise eh.Unanswered(failure)

    async def _generated(self, connection: Connection, request: eh.Generate) -> eh.Response:
        """Ask for a text; where the server wants the most tokens under their newer name, ask once more with that."""
        limit = connection.learned.get(bodies.TOKENS, bodies.TOKENS)
        try:
            return await self._generated_with(connection, request, limit)
        except Refused as refused:
            if limit != bodies.TOKENS or bodies.COMPLETION_TOKENS not in refused.said.message:
                raise
        connection.learned[bodies.TOKENS] = bodies.COMPLETION_TOKENS
        return await self._generated_with(connection, request, bodies.COMPLETION_TOKENS)

    async def _generated_with(self, connection: Connection, request: eh.Generate, limit: str) -> eh.Response:
        body = bodies.generate_body(request, self.model, chat=self.chat, logprobs=self.logprobs, limit=limit)
        path = "chat/completions" if self.chat else "completions"
        return replies.generated(await connection.post(path, bodies.with_parameters(body, self._parameters)), request)


def _url_fault(url: str) -> str:
    """Return what is wrong with a base URL, without showing what may be a password in it."""
    try:
        parts = urlsplit(url)
        port_is_wrong = parts.port == 0
    except ValueError:
        return "option 'base_url' is no URL: write it as http://HOST:PORT/v1"
    if parts.scheme not in ("http", "https") or not parts.hostname or port_is_wrong:
        return "option 'base_url' must begin with http:// or https:// and name a host, for example http://localhost:8000/v1"
    if parts.username or parts.password or parts.query or parts.fragment:
        return (
            "option 'base_url' must hold no user, password or query, since it is written into records: put the key into an "
            "environment variable and name that with 'key'"
        )
    return ""
