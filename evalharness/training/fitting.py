"""One network under one loss: from the options of a task to a trained module and its curves."""

from __future__ import annotations

import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.contract import Loss, TrainingRule
from evalharness.systems.engine import Work
from evalharness.task import TrainerOptions
from evalharness.training.checkpoints import last_checkpoint, quietly
from evalharness.training.monitoring import monitor
from evalharness.training.preparing import TrainingData

CHECKPOINTS = "checkpoints"
TEXTS_A_BATCH = 8
OPTIMIZERS = {"adamw": "adamw_torch", "sgd": "sgd"}
Curve = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Fit:
    """How one module is trained: what the arm and the trainer say, the seed, and the folder for checkpoints.

    `scores` gives the scores of the task with the module as it stands, where `evaluate_every` asks for them on the way.
    """

    loss: Loss
    rules: tuple[TrainingRule, ...]
    trainer: TrainerOptions
    seed: int
    folder: Path
    title: str = ""
    scores: Callable[[Any], Mapping[str, float | None]] | None = None


def train(module: Any, data: TrainingData, fit: Fit, watch: Callable[[Work], None]) -> Curve:
    """Train a module in place and return its curves; goes on from the last whole checkpoint in the folder, if there is one."""
    from evalharness.training.trainer import LossTrainer

    examples, collator = data.examples, data.collator
    if data.columns and fit.trainer.batch_size is None:
        # All rows at every step are put together once: one epoch of equal batches costs less than as many epochs.
        whole = collator(examples)
        whole = {**whole, "samples": _Named(whole["samples"])}
        examples, collator = [whole] * (fit.trainer.steps * fit.trainer.accumulation), _only
    with few_words():
        trainer = LossTrainer(
            model=module,
            args=arguments(fit, table=bool(data.columns)),
            train_dataset=_Listed(examples),
            data_collator=collator,
            loss=fit.loss,
            rules=fit.rules,
            callbacks=[_shown(fit, watch)],
        )
        if fit.trainer.evaluate_every is not None and fit.scores is not None:
            # A checkpoint has another curve, which replaces the one of the start.
            scores = functools.partial(fit.scores, module)
            trainer.add_callback(monitor(fit.trainer.evaluate_every, scores, lambda found: trainer.curve.extend(found)))
        trainer.train(resume_from_checkpoint=last_checkpoint(fit.folder / CHECKPOINTS))
    return trainer.curve


@contextmanager
def few_words() -> Iterator[None]:
    """Let the libraries show no bars, and say only what is wrong: not what they will change one day."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    with quietly(), warnings.catch_warnings():
        for kind in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", kind)
        try:
            yield
        finally:
            logging.set_verbosity(level)


def _only(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return batches[0]


class _Named(Sequence[tuple[str, ...]]):
    """The samples of a batch; no tuple, since the Trainer would look into it for tensors at every step."""

    def __init__(self, samples: Sequence[tuple[str, ...]]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, place: Any) -> Any:
        return self._samples[place]


class _Listed:
    """Examples as a data set of torch."""

    def __init__(self, examples: Sequence[Any]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, place: int) -> Any:
        return self.examples[place]


def arguments(fit: Fit, *, table: bool) -> Any:
    """Return the arguments of the Trainer."""
    from transformers import TrainingArguments

    options = fit.trainer
    size = options.batch_size or (1 if table else TEXTS_A_BATCH)
    saved = options.save_every or (None if table else max(1, options.steps // 5))
    return TrainingArguments(
        output_dir=str(fit.folder / CHECKPOINTS),
        max_steps=options.steps,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=options.accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        optim=OPTIMIZERS[options.optimizer],
        weight_decay=options.weight_decay,
        # Without a limit the norm is still computed, which the curves show.
        max_grad_norm=float("inf") if options.gradient_clip is None else options.gradient_clip,
        logging_steps=options.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="no" if saved is None else "steps",
        save_steps=saved or options.steps,
        save_total_limit=2,
        seed=fit.seed,
        data_seed=fit.seed,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        report_to=[],
    )


def _shown(fit: Fit, watch: Callable[[Work], None]) -> Any:
    """Return a callback that shows how far training is."""
    from transformers import TrainerCallback

    work = Work(fit.title, total=fit.trainer.steps)

    class Shown(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **given: Any) -> None:
            if logs and "loss" in logs:
                work.note = f"loss {logs['loss']:.4g}"

        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            work.done = state.global_step
            watch(work)

    return Shown()


def shortened(options: TrainerOptions, steps: int) -> TrainerOptions:
    """Return the options for a run of so few steps."""
    return dataclasses.replace(options, steps=min(steps, options.steps), save_every=None, log_every=1, evaluate_every=None)


def seconds_since(started: float) -> float:
    """Return the seconds since a moment of the monotonic clock, to the millisecond."""
    return round(time.monotonic() - started, 3)
