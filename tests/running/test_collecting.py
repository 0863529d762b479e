"""Garbage collection during a run leaves the process as it was."""

from __future__ import annotations

import gc

import pytest

from evalharness.running.collecting import YOUNG, collecting_rarely


def test_thresholds_and_what_is_looked_through_are_put_back_whatever_ends_the_run() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    during: list[int] = []

    @collecting_rarely()
    def interrupted() -> None:
        during.extend((gc.get_threshold()[0], gc.get_freeze_count()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert during[0] == YOUNG
    assert during[1] > 10_000
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
