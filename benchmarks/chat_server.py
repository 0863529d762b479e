"""A server that speaks OpenAI's chat interface, for benchmarks: answers after a while, fails as often as it is told, and counts.

    python -m benchmarks.chat_server --latency 0.2 --faults 0.1

It prints its port. `What is N?` is answered by N. A fault is 429 or 500 in turn, after the same latency. GET /counts tells how
many requests were answered and failed, how many different ones were answered, and the seconds from the first request to the
last answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

import click
from aiohttp import web


class Server:
    """Answers, and counts what it did."""

    def __init__(self, latency: float, faults: float) -> None:
        self.latency, self.faults = latency, faults
        self.draw = random.Random(20)
        self.answered: Counter[str] = Counter()
        self.failed = self.open = self.most_open = 0
        self.first = self.last = 0.0

    async def chat(self, request: web.Request) -> web.Response:
        """Answer one request, or fail it."""
        self.first = self.first or time.monotonic()
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            question = (await request.json())["messages"][-1]["content"]
            await asyncio.sleep(self.latency)
        finally:
            self.open -= 1
        if self.draw.random() < self.faults:
            self.failed += 1
            status = (429, 500)[self.failed % 2]
            return web.json_response({"error": {"message": f"fault {self.failed}"}}, status=status)
        number = question.removeprefix("What is ").removesuffix("?")
        self.answered[number] += 1
        self.last = time.monotonic()
        message = {"role": "assistant", "content": number}
        usage = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "a", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
        return web.json_response(answer)

    async def counts(self, request: web.Request) -> web.Response:
        """Tell what was counted."""
        counted: dict[str, Any] = {
            "answered": self.answered.total(), "different": len(self.answered), "failed": self.failed,
            "most_open": self.most_open, "seconds": self.last - self.first,
        }  # fmt: skip
        return web.json_response(counted)


async def serve(server: Server) -> None:
    """Serve on a free port of this machine until the process is ended."""
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", server.chat), web.get("/counts", server.counts)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    click.echo(runner.addresses[0][1])
    await asyncio.Event().wait()


@click.command(help=__doc__)
@click.option("--latency", type=float, default=0.2, show_default=True, help="Seconds that each request takes.")
@click.option("--faults", type=float, default=0.0, show_default=True, help="Share of requests that fail.")
def main(latency: float, faults: float) -> None:
    asyncio.run(serve(Server(latency, faults)))


if __name__ == "__main__":
    main()
