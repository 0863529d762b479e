"""The result of a training task as a document: tables with intervals, words, and plots, from its run folders alone."""

from __future__ import annotations

from evalharness.training.study.writing import write_study

__all__ = ["write_study"]
