"""A server of OpenAI's interface whose answers a test writes, faults included; it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request that arrived: `times` is how often its question arrived before."""

    path: str
    body: Body
    headers: dict[str, str]
    times: int

    @property
    def question(self) -> str:
        """The prompt, the text of the last turn, or the input."""
        body = self.body
        if "messages" in body:
            content = body["messages"][-1]["content"]
            return content if isinstance(content, str) else str(content[-1]["text"])
        return str(body.get("prompt", body.get("input", body.get("inputs"))))


@dataclass(frozen=True)
class Reply:
    """What the server sends: a body as JSON or as it is, and what goes wrong on the way.

    `reset` breaks the connection in mid-body, `drop` before anything is sent, `pause` waits before that.
    """

    body: Body | str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    drop: bool = False
    pause: float = 0.0


def chat(text: str | None, finish: str = "stop", **more: Any) -> Reply:
    """Return an answer of /chat/completions."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return Reply({"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage, **more})


def completion(text: str, finish: str = "stop", **choice: Any) -> Reply:
    """Return an answer of /completions."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    return Reply({"choices": [{"index": 0, "text": text, "finish_reason": finish, **choice}], "usage": usage})


def failed(status: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """Return an error in OpenAI's form."""
    return Reply({"error": {"message": message, **more}}, status, headers or {})


class Server:
    """Answers by `script`; what it was asked stands in `asked`."""

    def __init__(self) -> None:
        self.script: Callable[[Asked], Reply] = lambda asked: chat(f"answer to {asked.question}")
        self.asked: list[Asked] = []
        self.open = self.most_open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def questions(self) -> list[str]:
        """The questions in the order in which they arrived."""
        return [asked.question for asked in self.asked]

    def start(self) -> None:
        """Listen, at the same port as before."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        """Listen no more, and break what is open."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
            self._runner = None

    def close(self) -> None:
        self.stop()
        asyncio.run_coroutine_threadsafe(_settled(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        asked = Asked(request.path, body, dict(request.headers), 0)
        asked = Asked(request.path, body, dict(request.headers), self.questions.count(asked.question))
        self.asked.append(asked)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self._sent(request, self.script(asked))
        finally:
            self.open -= 1

    async def _sent(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        await asyncio.sleep(reply.pause)
        if reply.drop:
            assert request.transport is not None
            request.transport.abort()
        raw = reply.body if isinstance(reply.body, bytes) else _text(reply.body).encode()
        headers = {"Content-Type": "application/json", **reply.headers}
        if not reply.reset:
            return web.Response(body=raw, status=reply.status, headers=headers)
        response = web.StreamResponse(status=reply.status, headers={**headers, "Content-Length": str(len(raw))})
        await response.prepare(request)
        await response.write(raw[: len(raw) // 2])
        assert request.transport is not None
        request.transport.abort()
        return response


async def _settled() -> None:
    """Cancel whatever still runs in this loop and wait for it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _text(body: Body | str) -> str:
    return body if isinstance(body, str) else json.dumps(body)
