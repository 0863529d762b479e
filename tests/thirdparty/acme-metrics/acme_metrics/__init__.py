"""Metrics, a model and a hook of a third party."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import evalharness as eh


@eh.hookimpl
def evalharness_metrics() -> list[type[eh.Metric]]:
    from acme_metrics.metrics import LetterRate, acme_brevity

    return [LetterRate, acme_brevity]


@eh.hookimpl
def evalharness_models() -> list[type[eh.Model]]:
    from acme_metrics.parrot import Parrot

    return [Parrot]


@eh.hookimpl
def evalharness_run_finished(record: Any) -> None:
    """Write the names of the scores to the file that ACME_JOURNAL names."""
    journal = os.environ.get("ACME_JOURNAL")
    if journal:
        Path(journal).write_text("\n".join(sorted(record.scores)), encoding="utf-8")
