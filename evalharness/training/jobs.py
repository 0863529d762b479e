"""Arms in several processes: small trainings that take turns on the interpreter's lock would gain nothing from threads."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from evalharness.errors import DataError

Done = TypeVar("Done")
Work = TypeVar("Work")
KILLED = "a process that trained arms was killed, perhaps for want of memory; run again, with fewer --jobs, to go on from there"


def in_processes(do: Callable[[Work], Done], works: Sequence[Work], jobs: int) -> Iterator[tuple[int, Done]]:
    """Yield the place of each piece of work with what was made of it, as they are finished; what is raised ends all.

    Raises DataError where a process was killed.
    """
    context = multiprocessing.get_context("spawn")  # a copy of this process would share its locks and its store
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(jobs, len(works)), mp_context=context, initializer=_stopped_at_once) as pool:
        places = {pool.submit(do, work): place for place, work in enumerate(works)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()  # what they were at goes on from its last checkpoint
            if isinstance(error, BrokenProcessPool):
                raise DataError(KILLED) from error
            raise


def _stopped_at_once() -> None:
    """Let an interrupt end this process, which would else put it down to the work and take up the next."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
