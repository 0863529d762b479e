"""Arms in several processes: small trainings that take turns on the interpreter's lock would gain nothing from threads."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Done = TypeVar("Done")
Work = TypeVar("Work")


def in_processes(do: Callable[[Work], Done], works: Sequence[Work], jobs: int) -> Iterator[tuple[int, Done]]:
    """Yield the place of each piece of work with what was made of it, as they are finished; what is raised ends all."""
    context = multiprocessing.get_context("spawn")  # a copy of this process would share its locks and its store
    with ProcessPoolExecutor(min(jobs, len(works)), mp_context=context) as pool:
        places = {pool.submit(do, work): place for place, work in enumerate(works)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
