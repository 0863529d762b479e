"""Runs a training task: each arm with each seed, one after another, and the record of each arm."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from evalharness.errors import BusyError, DataError, UsageError, nearest
from evalharness.results.folder import LOG
from evalharness.results.record import Record
from evalharness.running.execution import Tell, Watch
from evalharness.running.launch import untold, unwatched
from evalharness.systems.engine import Work
from evalharness.systems.store import Store
from evalharness.task import TrainingTask, load_training
from evalharness.training.arms import write_arm
from evalharness.training.curves import draw_arms
from evalharness.training.fitting import shortened
from evalharness.training.jobs import in_processes
from evalharness.training.seeds import SeedRun, Session, Settings, stale
from evalharness.training.suiting import refuse_unsuited

QUICK_STEPS, QUICK_TRAINING, QUICK_TEST = 3, 32, 8
SHOWN_ONE_BY_ONE = 24  # seeds of arms; more are shown as one piece of work
Trained = tuple[dict[str, Record], list[str]]  # the records by arm, and why the other arms have none


class ArmsFailed(DataError):
    """Some arms could not be trained; `records` holds those of the others, by the arm's name."""

    def __init__(self, failures: Sequence[str], records: dict[str, Record]) -> None:
        super().__init__("\n".join(failures))
        self.records = records


@dataclass(frozen=True)
class ArmPlan:
    """One arm of one task, which has no other, with the seeds to train, and its folder."""

    task: TrainingTask
    folder: Path

    @property
    def name(self) -> str:
        """The arm, after what tells its task from others of the same file."""
        return "/".join([*self.task.labels, self.task.arms[0].name])

    def named(self, seed: int) -> str:
        """Return how one seed is told of."""
        return f"arm '{self.name}', seed {seed}"

    def of_seed(self, seed: int) -> tuple[TrainingTask, Path]:
        """Return the task of one seed and its run folder."""
        return self.task.of(self.task.arms[0].name, (seed,)), self.folder / f"seed{seed}"


def run(
    task: str | Path,
    *,
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
    quick: bool = False,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    store: str | Path | None = None,
    fresh: bool = False,
    jobs: int = 1,
    watch: Watch = unwatched,
    tell: Tell = untold,
    command: str = "",
) -> dict[str, Record]:
    """Train and evaluate each arm of a task with each seed; return the record of each arm by its name.

    `arms` and `seeds` choose some of the task's. With `quick`, a few steps of one seed on a few samples show that everything
    works, in a folder of its own. What is finished is not trained again, unless `fresh`; what was interrupted goes on from
    its last checkpoint. `jobs` processes train one arm each at a time, which pays for tables. Of a file with `vary`, the
    names of arms begin with what tells its tasks apart.

    Raises FaultsFound for a task that is not valid or arms that cannot be trained, UsageError for an arm or a seed that it
    does not have. An arm whose training leaves the numbers, say, costs no other arm: ArmsFailed is raised at the end.
    """
    tasks = load_training(task, overrides=overrides)
    tasks = _quickened(tasks) if quick else tasks
    plans = list(planned(tasks, arms, seeds, _root(tasks[0], out, quick)))
    refuse_unsuited(tuple(one.task for one in plans))
    _refuse_stale(plans)
    limits = (QUICK_TRAINING, QUICK_TEST) if quick else (None, None)
    settings = Settings(None if store is None else Path(store), fresh, command, *limits)
    many = jobs > 1 and len(plans) > 1
    records, failures = _in_processes(plans, settings, jobs, watch, tell) if many else _here(plans, settings, watch, tell)
    draw_arms([one.folder for one in plans if one.name in records], tell)
    if failures:
        raise ArmsFailed(failures, records)
    return records


@contextmanager
def _few_objects() -> Iterator[None]:
    """Let the garbage collection that ends each training pass over what imports made: it takes longer than a small training."""
    import_module("evalharness.training.trainer")
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _root(task: TrainingTask, out: str | Path | None, quick: bool) -> Path:
    return Path(out) if out is not None else Path("runs", f"{task.study}-quick" if quick else task.study)


def _quickened(tasks: Sequence[TrainingTask]) -> tuple[TrainingTask, ...]:
    """Return the first and the last task with few steps and one seed."""
    return tuple(_quick(task) for number, task in enumerate(tasks) if number in (0, len(tasks) - 1))


def _quick(task: TrainingTask) -> TrainingTask:
    arms = tuple(dataclasses.replace(arm, trainer=shortened(arm.trainer, QUICK_STEPS)) for arm in task.arms)
    return dataclasses.replace(task, arms=arms, seeds=task.seeds[:1])


def planned(tasks: Sequence[TrainingTask], arms: Sequence[str], seeds: Sequence[int], root: Path) -> Iterator[ArmPlan]:
    """Yield what is to be done, in the order of the file; raises UsageError for an arm or a seed that there is not."""
    known = [arm.name for arm in tasks[0].arms]
    for name in arms:
        if name not in known:
            raise UsageError(f"no arm is called '{name}'.{nearest(name, known)} The task has: {', '.join(known)}.")
    for seed in seeds:
        if seed not in tasks[0].seeds:
            has = ", ".join(map(str, tasks[0].seeds))
            raise UsageError(
                f"the task has no seed {seed}; it has {has}. Others stand in the task file, or: --set 'seeds=[{seed}]'"
            )
    for task in tasks:
        chosen = tuple(seed for seed in task.seeds if not seeds or seed in seeds)
        for arm in task.arms:
            if not arms or arm.name in arms:
                yield ArmPlan(task.of(arm.name, chosen), root.joinpath(*task.labels, arm.name))


def _refuse_stale(plans: Sequence[ArmPlan]) -> None:
    """Raise UsageError where a seed that is not trained now was trained otherwise, and would stand in the arm's record."""
    for one in plans:
        for other in stale(one.folder, one.task):
            raise UsageError(
                f"{other} was trained otherwise than the arm is now, and one arm's seeds make one record. "
                f"Train all of its seeds, remove that folder, or name another one with --out DIR."
            )


@contextmanager
def _session(settings: Settings, watch: Watch, tell: Tell) -> Iterator[Session]:
    with Store(settings.store, fresh=settings.fresh) as store, _few_objects():
        yield Session(settings, store, watch, tell)


def _here(plans: Sequence[ArmPlan], settings: Settings, watch: Watch, tell: Tell) -> Trained:
    """Train arm by arm; many seeds are shown as one piece of work, few one by one."""
    whole = Work("training", total=sum(len(one.task.seeds) for one in plans))
    many = whole.total > SHOWN_ONE_BY_ONE
    records: dict[str, Record] = {}
    failures: list[str] = []
    with _session(settings, unwatched if many else watch, tell) as session:
        for one in plans:
            try:
                for seed in one.task.seeds:
                    whole.note = one.named(seed)
                    if many:
                        watch(whole)
                    SeedRun(*one.of_seed(seed), session).record()
                    whole.done += 1
                records[one.name] = write_arm(one.folder, command=settings.command)
            except BusyError:
                raise
            except DataError as error:
                failures.append(str(error))
            except Exception as error:  # of a plugin, a library or the machine: it costs this arm, and no other
                failures.append(f"{one.named(seed)}: {type(error).__name__}: {error} (more in {one.folder}/seed{seed}/{LOG})")
    return records, failures


def _in_processes(plans: Sequence[ArmPlan], settings: Settings, jobs: int, watch: Watch, tell: Tell) -> Trained:
    """Train several arms at a time, each in a process."""
    whole = Work("arms", total=len(plans), note=f"{jobs} at a time")
    watch(whole)
    found: dict[int, Trained] = {}
    for place, (trained, late) in in_processes(_alone, [(one, settings) for one in plans], jobs):
        found[place] = trained
        for message in late:
            tell(message)
        whole.done += 1
        whole.note = plans[place].name
        watch(whole)
    in_order = [found[place] for place in range(len(plans))]
    records = {name: record for trained, _ in in_order for name, record in trained.items()}
    return records, [failure for _, failures in in_order for failure in failures]


def _alone(work: tuple[ArmPlan, Settings]) -> tuple[Trained, list[str]]:
    """Train one arm in a process of its own; return what came of it and what was told on the way."""
    (one, settings), late = work, list[str]()
    return _here([one], settings, unwatched, late.append), late
