"""Running a task: the flow from samples to the record."""

from __future__ import annotations

from evalharness.running.execution import Run
from evalharness.running.launch import first_prompt, run
from evalharness.running.rescoring import Agreement, rescore

__all__ = ["Agreement", "Run", "first_prompt", "rescore", "run"]
