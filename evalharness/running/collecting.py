"""Garbage collection while a run goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000  # new objects, where Python looks after 700: a batch of rows is more, and lives no longer


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look through what a run makes now and then, and not at all through what was there before.

    Libraries and plugins are half a million objects that stay; to look through them again and again for the sake of
    short-lived rows took a third of the time of a run from the store.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
