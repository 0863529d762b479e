"""Runs that are killed and started again; a process of its own, since it forks: `python -m tests.running.killing FOLDER`.

It imports everything once and has no thread, so that each of its children is a run that starts at once. The model is the
real `hf`, which puts down the keys that it is asked and whether the store held them at that moment.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch
from evalharness_hf.model import HuggingFace

import evalharness as eh
from evalharness import registry
from evalharness.registry import Source
from evalharness.systems.store import COMMIT_SECONDS

KILLS = 10  # of each task
SAMPLES = 500


class Noted(HuggingFace):
    """The model `hf`, which notes what it is asked before it answers."""

    name = "noted"
    folder: ClassVar[Path] = Path()

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        identity = self.identity()
        held, chunk = stored(self.folder), time.monotonic_ns()
        keys = [request.key(identity) for request in requests]
        note(self.folder / "asked", [f"{os.getpid()} {chunk} {key} {key in held}" for key in keys])
        yield from super().answer(requests)


class Called(eh.Service):
    """A service that answers after a hundredth of a second, and notes when."""

    name = "called"
    supports = (eh.Generate,)
    concurrency: int = 2
    folder: ClassVar[Path] = Path()

    def identity(self) -> str:
        return "called"

    async def ask_one(self, request: eh.Request) -> eh.Response:
        await asyncio.sleep(0.01)
        note(self.folder / "answered", [f"{time.monotonic()} {request.key('called')}"])
        return eh.Response(text="yes")


def note(path: Path, lines: Sequence[str]) -> None:
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def stored(folder: Path) -> set[str]:
    """Return the keys of the answers that are committed at this moment."""
    if not (folder / "store.sqlite").exists():
        return set()
    with closing(sqlite3.connect(folder / "store.sqlite", timeout=60)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM answers")}


def forked(work: Callable[[], object]) -> int:
    """Do work in a process of its own and return its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def status(child: int) -> int:
    """Wait for the end of a process; 0 where it ended well."""
    return os.waitpid(child, 0)[1]


def killed(child: int, after: float) -> bool:
    """Kill a process after so many seconds; False where it had ended well by then."""
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return status(child) != 0


def run(task: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    Noted.folder = Called.folder = folder
    eh.run(task, out=folder / "out", store=folder / "store.sqlite")


def wait_for_more(file: Path, child: int) -> None:
    """Wait until a file has grown, or a process has ended."""
    before = size(file)
    while size(file) == before and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.01)


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def killed_runs(task: Path, folder: Path, whole: float, draw: random.Random) -> Iterator[Path]:
    """Kill runs at random moments, KILLS in all; yield the folder of each when it came to its end.

    Every other moment is counted from the start of a process, the others from the moment at which it asks first, so that
    half of the kills come when the model has begun.
    """
    kills = 0
    for number in range(KILLS + 1):
        place = folder / f"{task.stem}-{number}"
        ended = False
        while kills < KILLS and not ended:
            child = forked(partial(run, task, place))
            if kills % 2:
                wait_for_more(place / "asked", child)
            ended = not killed(child, after=draw.uniform(0.0, whole / (1 + kills % 2)))
            kills += not ended
        assert ended or status(forked(partial(run, task, place))) == 0
        yield place
        if kills == KILLS:
            return


def killed_service(task: Path, folder: Path, draw: random.Random) -> int:
    """Kill a run that asks a service in mid-work, and return how many of its answers were old by then and not stored."""
    child = forked(partial(run, task, folder))
    wait_for_more(folder / "answered", child)
    assert killed(child, after=2.5 * COMMIT_SECONDS + draw.random())
    moment, lines = time.monotonic(), [line.split() for line in (folder / "answered").read_text().splitlines()]
    old = {key for when, key in lines if float(when) < moment - 2 * COMMIT_SECONDS}
    assert old
    return len(old - stored(folder))


def warm(folder: Path) -> None:
    """Import and load what runs need, and start no thread, which children would lack."""
    import pyarrow.parquet  # noqa: F401

    import evalharness.running.launch  # noqa: F401

    torch.set_num_threads(1)
    model = HuggingFace(weights=str(folder / "weights"))
    requests = [eh.Generate(prompt="1", max_tokens=1), eh.Choose(prompt="1", choices=("a", "b"))]
    assert all(response.error is None for request in requests for _, response in model.answer([request]))
    threads = [(each / "comm").read_text() for each in Path("/proc/self/task").glob("*")]
    assert len(threads) <= 1, threads


def main(folder: Path) -> None:
    found = registry.load(importlib.metadata.entry_points(group="evalharness"))
    module = ModuleType("tests_noted")
    vars(module)["evalharness_models"] = eh.hookimpl(specname="evalharness_models")(lambda: [Noted, Called])
    found.add(module, Source("tests", "tests", "1"))
    registry.installed = lambda: found  # type: ignore[assignment]
    warm(folder)
    draw, told = random.Random(6), dict[str, Any]()
    for name in ("generate", "multiple_choice"):
        started = time.monotonic()
        assert status(forked(partial(run, folder / f"{name}.yaml", folder / name))) == 0
        whole = time.monotonic() - started
        told[name] = [str(place) for place in killed_runs(folder / f"{name}.yaml", folder, whole, draw)]
    told["lost by the service"] = killed_service(folder / "service.yaml", folder / "service", draw)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
