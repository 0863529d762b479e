"""`evalharness.run`: from a task file to its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import digest
from evalharness.data import read_samples
from evalharness.errors import DataError, Fault, FaultsFound
from evalharness.results.figures import draw_figures
from evalharness.results.folder import CannotWrite, Log, locked, refuse_foreign
from evalharness.results.record import Record
from evalharness.running.execution import Execution, Run, Tell, Watch, make_pipeline
from evalharness.running.goals import Goal, read_goal
from evalharness.running.parts import build_parts
from evalharness.running.precision import Precision
from evalharness.systems.budget import Limits, refuse_unpriced
from evalharness.systems.engine import Engine, Work
from evalharness.systems.store import Store
from evalharness.task import Task, check_task, load_task


def unwatched(work: Work) -> None:
    """Show nothing."""


def untold(message: str) -> None:
    """Say nothing."""


def run(
    task: str | Path,
    *,
    system: str | Path | None = None,
    model: str | Mapping[str, Any] | None = None,
    responses: str | Path | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    until: str | None = None,
    until_decided: str | Path | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    fresh: bool = False,
    max_requests: int | None = None,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    compare_dtype: bool = False,
    strict: bool = False,
    watch: Watch = unwatched,
    tell: Tell = untold,
    command: str = "",
) -> Record:
    """Run a task file and return its record, which also stands in the run folder.

    With `until` ("token_f1 ±0.02") or `until_decided` (a run folder, or "FOLDER on SCORE") it takes samples in the task's
    order until that is reached. `max_requests`, `max_tokens` (read and written) and `max_cost` (US dollars, by the system's
    prices) limit what is asked in this run of all models; samples for which they do not allow it are excluded and counted,
    and the next run asks for them. With `compare_dtype` the requests are answered in float32 too, and the record's section
    `precision` says what the model's own number format changed.

    Raises FaultsFound for a task that is not valid, UsageError for a limit that is none or lacks a price and for a model
    whose dtype cannot be compared, BusyError where the folder or the store is held by another process, DataError where data
    cannot be read or the folder cannot be written. Faults of single samples, plugins or servers are counted in the record
    instead. `watch` is shown work as it advances, `tell` hears what failed after the record was written.
    """
    limits = Limits(requests=max_requests, tokens=max_tokens, cost=max_cost)
    loaded = load_task(task, overrides=overrides, system=system, model=model, responses=responses)
    refuse_errors(loaded)
    plugins = registry.installed()
    parts = build_parts(loaded, plugins)
    refuse_unpriced(limits, (parts.model, *parts.asking.values()), loaded.system.prices)
    precision = Precision.of(parts.model) if compare_dtype else None
    goal = read_goal(until, until_decided, parts.chain)
    folder = Path(out) if out is not None else default_folder(loaded, limit, goal)
    refuse_foreign(folder)
    started = Run(loaded, folder, limit, strict, command, goal, limits)
    with _stored(), ExitStack() as stack:
        stack.enter_context(locked(started.folder))
        log = stack.enter_context(closing(Log(started.folder)))
        opened = stack.enter_context(Store(None if store is None else Path(store), fresh=fresh))
        record = Execution(started, parts, plugins, opened, watch, log, precision=precision).record(tell)

        def told(message: str) -> None:
            log.add("not drawn", message=message)
            tell(message)

        draw_figures(started.folder, told)
        return record


@contextmanager
def _stored() -> Iterator[None]:
    """Say that no answer is lost where the folder cannot be written."""
    try:
        yield
    except CannotWrite as error:
        raise DataError(
            f"{error}. The answers so far are in the response store: "
            f"free some space or name another folder with --out DIR, and run again."
        ) from error


def refuse_errors(task: Task) -> None:
    """Raise FaultsFound with every error that a look at the task alone finds, before anything is asked."""
    errors = [Fault(finding.message, finding.where) for finding in check_task(task) if finding.level == "error"]
    if errors:
        raise FaultsFound(errors)


def default_folder(task: Task, limit: int | None, goal: Goal | None = None) -> Path:
    """Return `runs/<task>/<system>-<digest>`, the digest over task, data reference, system, limit, repeats and goal."""
    made_of = [task.digest(), task.dataset.source, task.system.digest(), limit, task.repeats]
    made_of += [] if goal is None else [str(goal)]
    return Path("runs", task.name, f"{task.system.name}-{digest(made_of, size=4)}")


def first_prompt(task: str | Path, *, store: str | Path | None = None, **options: Any) -> str:
    """Return the first sample's prompt as the model will see it, chat template applied; `options` as for `run`."""
    loaded = load_task(task, **options)
    parts = build_parts(loaded, registry.installed())
    with Store(None if store is None else Path(store)) as opened:
        pipeline = make_pipeline(loaded, parts, Engine(opened), lambda: read_samples(loaded, limit=1), unwatched)
        pipeline.fill_contexts()
        rows = next(pipeline.rows())
        request = pipeline.requests(rows, pipeline.contexts(rows))[0]
    if request is None:
        return pipeline.faults.get(rows[0].sample.id, f"(nothing is asked: the output type is '{loaded.output_type}')")
    prompt = getattr(request, "prompt", None) or getattr(request, "text", None)
    return f"(model '{parts.model.name}' is given no prompt)" if prompt is None else parts.model.rendered(prompt)
