"""The metrics of a task on the way: the curves `eval.NAME`, from before training to its end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from evalharness.contract import Batch
from evalharness.data import SampleReader
from evalharness.results.record import Record
from evalharness.running.asking import Answers, fill_answers, replies
from evalharness.running.execution import make_pipeline
from evalharness.running.launch import unwatched
from evalharness.running.measuring import Scoring
from evalharness.running.parts import Parts
from evalharness.scoring import Entry, seed_of
from evalharness.systems.engine import Engine
from evalharness.systems.store import Store
from evalharness.task import TrainingTask

PREFIX = "eval."
Point = dict[str, Any]


def points(step: int, scores: Mapping[str, float | None]) -> list[Point]:
    """Return the points of the curves at one step; a score without a value has none."""
    return [{"step": step, "name": PREFIX + name, "value": value} for name, value in scores.items() if value is not None]


def both_ends(record: Record, steps: int, curve: Sequence[Mapping[str, Any]]) -> Iterator[Point]:
    """Yield the points before and after training, of scores that have a second point to be seen with."""
    known = {point["name"] for point in curve}
    for name in record.trained_scores:
        was = record.before(name)
        if was is not None:
            yield from points(0, {name: record.scores[was].value})
        if was is not None or PREFIX + name in known:
            yield from points(steps, {name: record.scores[name].value})


def scores_now(task: TrainingTask, parts: Parts, store: Store, reader: SampleReader) -> dict[str, float | None]:
    """Return the scores of the task with these parts; nothing is written but answers into the store."""
    engine = Engine(store, unwatched)
    pipeline = make_pipeline(task, parts, engine, lambda: reader, unwatched)
    pipeline.fill()
    asking = {entry.name: (entry.metric, parts.asking[entry.name]) for entry in parts.chain.entries if entry.metric.asks}
    fill_answers(asking, lambda: (answered.batch for answered in pipeline.answered()), engine)

    def ask(entry: Entry, batch: Batch) -> Answers:
        return replies(entry.metric, batch, parts.asking[entry.name], engine)[0]

    scoring = Scoring(parts.chain, task.failures, ask)
    for answered in pipeline.answered():
        scoring.add(answered)
    finished = scoring.finish(seed=seed_of(task.name, task.version, task.group), clustered=task.group is not None)
    return {name: score.value for _, one in finished for name, score in one.scores.items()}


@contextmanager
def undisturbed(module: Any) -> Iterator[None]:
    """Leave random generators and the mode of a network as they were: looking at it must not change its training."""
    import numpy as np
    import torch

    devices = sorted({tensor.device.index for tensor in module.parameters() if tensor.device.type == "cuda"})
    training, others = module.training, (random.getstate(), np.random.get_state())
    with torch.random.fork_rng(devices):
        yield
    module.train(training)
    random.setstate(others[0])
    np.random.set_state(others[1])


def monitor(every: int, scores: Callable[[], Mapping[str, float | None]], add: Callable[[list[Point]], None]) -> Any:
    """Return a callback for the Trainer that adds the scores at every so many steps, but for the last, which is the record's."""
    from transformers import TrainerCallback

    class Monitor(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.global_step % every == 0 and state.global_step < state.max_steps:
                add(points(state.global_step, scores()))

    return Monitor()
