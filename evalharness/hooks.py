"""The hooks that a plugin may implement; each is documented in docs/hooks.md.

Provider hooks take no argument and return a list of classes. Notifications return nothing.
A plugin marks its functions with `evalharness.hookimpl` and may leave out arguments it does not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from evalharness.contract import Batch, Dataset, Loss, Metric, Model, Network, Retriever, TrainingRule, Transform

if TYPE_CHECKING:
    from evalharness.results import Record
    from evalharness.running import Run

PROJECT = "evalharness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def evalharness_metrics() -> list[type[Metric]]:
    """Return metric classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_losses() -> list[type[Loss]]:
    """Return loss classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_models() -> list[type[Model]]:
    """Return model classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_retrievers() -> list[type[Retriever]]:
    """Return retriever classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_datasets() -> list[type[Dataset]]:
    """Return dataset classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_transforms() -> list[type[Transform]]:
    """Return transform classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_rules() -> list[type[TrainingRule]]:
    """Return training rule classes. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_networks() -> list[type[Network]]:
    """Return classes of networks to train. Called once a process, at the first look-up of a plugin."""
    return []


@hookspec
def evalharness_run_started(run: Run) -> None:
    """Take note that a run starts: the task is valid, no request has been sent.

    An exception here is reported as a warning with the plugin's name; the run goes on.
    """


@hookspec
def evalharness_batch_scored(run: Run, batch: Batch) -> None:
    """Take note of a batch that has been scored: its columns, and `batch.ids`. Never called per sample.

    An exception here is reported as a warning with the plugin's name; the run goes on.
    """


@hookspec
def evalharness_run_finished(run: Run, record: Record) -> None:
    """Take note that a run has finished: the record is on disk.

    An exception here is reported as a warning with the plugin's name; the run goes on.
    """


@hookspec(firstresult=True)
def evalharness_render(record: Record, format: str) -> Any:
    """Return the record as text in a format of the plugin's, or None for formats it does not know.

    Called for `evalharness run --format FORMAT` and `evalharness export` where FORMAT is not built in. The first result wins.
    """
