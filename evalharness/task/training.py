"""What a training task is once its YAML has been read: a task whose systems are the arms that it trains, seed by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evalharness.contract import Spec, digest
from evalharness.task.task import DatasetSpec, GenerateOptions, System, Task, plain_mapping

PREDICT = "predict"


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """How every arm is trained.

    - `steps`: steps of the optimiser; `batch_size`: examples of one micro-batch (null: 8 texts, or all rows of a table);
      `accumulation`: micro-batches of one step.
    - `max_length`: tokens of an example; what is longer is cut, and counted in the log.
    - `packing`: several short texts in one row, without attention between them.
    - `log_every`: how many steps lie between two points of a curve; `save_every`: between two checkpoints (null: a fifth of
      the steps for texts, none for tables).
    - `evaluate_every`: how many steps lie between two points of the metrics' curves, each of which takes as long as the
      evaluation at the end (null: before training and at the end only).
    - `gradient_clip`: the largest norm of a gradient, null for any.
    """

    steps: int = field(metadata={"at_least": 1})
    batch_size: int | None = field(default=None, metadata={"at_least": 1})
    accumulation: int = field(default=1, metadata={"at_least": 1})
    max_length: int = field(default=512, metadata={"at_least": 2})
    learning_rate: float = field(default=1e-3, metadata={"at_least": 0})
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = field(default=0.0, metadata={"at_least": 0})
    packing: bool = False
    log_every: int = field(default=1, metadata={"at_least": 1})
    save_every: int | None = field(default=None, metadata={"at_least": 1})
    evaluate_every: int | None = field(default=None, metadata={"at_least": 1})
    gradient_clip: float | None = field(default=None, metadata={"at_least": 0})


@dataclass(frozen=True, kw_only=True)
class Outliers:
    """Targets of a `share` of the rows moved by a number of standard deviations drawn from `size`, up or to both sides."""

    share: float
    sides: Literal["one", "both"] = "both"
    size: tuple[float, ...] = (5.0, 10.0)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"'share' must be between 0 and 1, not {self.share}")
        if len(self.size) != 2 or not 0 <= self.size[0] <= self.size[1]:
            raise ValueError("'size' must be the least and the largest shift, such as [5, 10]")


@dataclass(frozen=True, kw_only=True)
class Positives:
    """Rows of one class left out until the class 1 makes up a `share` of the rows."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"'share' must be between 0 and 1, not {self.share}")


@dataclass(frozen=True, kw_only=True)
class Plant:
    """Faults that are put into the training part of a table, drawn from the seed."""

    outliers: Outliers | None = None
    positives: Positives | None = None


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way of training: a loss and rules, with the network and the trainer that it uses."""

    name: str
    loss: Spec
    rules: tuple[Spec, ...] = ()
    network: Spec
    trainer: TrainerOptions
    where: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class TrainedSystem(System):
    """What an arm makes of one seed, or of several; `model` answers as the network does before it is trained."""

    arm: Arm
    seeds: tuple[int, ...]

    def plain(self) -> dict[str, Any]:
        """Return the arm with its seeds as YAML writes it."""
        arm = self.arm
        seeds: dict[str, Any] = {"seed": self.seeds[0]} if len(self.seeds) == 1 else {"seeds": self.seeds}
        parts = {"name": self.name, "prompt": self.prompt, "model": arm.network, "loss": arm.loss, "rules": arm.rules or None}
        generate = None if self.generate == GenerateOptions() else self.generate
        return plain_mapping({**parts, "trainer": arm.trainer, **seeds, "generate": generate})


@dataclass(frozen=True, kw_only=True)
class TrainingTask(Task):
    """A task that trains each of its arms with each of its seeds, and evaluates each on the test part, its `dataset`.

    `system` is the first arm with all seeds, and `repeats` the number of seeds: the answers of several seeds to one sample
    are repeats of it. `study` and `labels` say of which file with `vary` the task is one part, and which.
    """

    output_type: Literal["generate", "multiple_choice", "likelihood", "predict"] = "generate"  # type: ignore[assignment]
    train: DatasetSpec
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    network: Spec
    trainer: TrainerOptions
    plant: Plant = field(default_factory=Plant)
    study: str = field(default="", compare=False)
    labels: tuple[str, ...] = field(default=(), compare=False)

    def of(self, arm: str, seeds: tuple[int, ...]) -> TrainingTask:
        """Return the task with this arm and these seeds alone."""
        chosen = next(one for one in self.arms if one.name == arm)
        assert isinstance(self.system, TrainedSystem)
        system = dataclasses.replace(self.system, name=arm, arm=chosen, seeds=seeds)
        alone: dict[str, Any] = {"arms": (chosen,), "seeds": seeds, "network": chosen.network, "trainer": chosen.trainer}
        return dataclasses.replace(self, **alone, system=system, repeats=len(seeds))

    def where(self, *keys: str) -> str:
        """Return the place of the first of these dotted keys that the file has; what a system has stands at its top."""
        return super().where(*(key.removeprefix("system.") for key in keys))

    def plain(self) -> dict[str, Any]:
        """Return the resolved task as YAML writes it; `load_task` reads it back."""
        system = self.system
        sources = {"train": {"source": self.train.source}, "test": {"source": self.dataset.source}}
        parts: dict[str, Any] = {
            "name": self.name, "version": self.version, "description": self.description, "kind": "training",
            "dataset": {**sources, "fields": dict(self.dataset.fields)},
            "group": self.group, "output_type": self.output_type, "failures": self.failures, "transforms": self.transforms,
            "delimiter": self.delimiter, "prompt": system.prompt, "model": self.network,
            "generate": None if self.output_type == PREDICT else system.generate,
            "arms": {arm.name: self._written(arm) for arm in self.arms}, "seeds": self.seeds, "trainer": self.trainer,
            "plant": None if self.plant == Plant() else self.plant, "metrics": [entry.plain() for entry in self.metrics],
        }  # fmt: skip
        return plain_mapping(parts)

    def _written(self, arm: Arm) -> Mapping[str, Any]:
        written: dict[str, Any] = {"loss": arm.loss}
        written |= {"rules": arm.rules} if arm.rules else {}
        written |= {} if arm.network == self.network else {"model": arm.network}
        return written if arm.trainer == self.trainer else {**written, "trainer": arm.trainer}

    def digest(self) -> str:
        """Return the digest of everything that defines the task but not how a system is made.

        Arms, seeds, networks and trainers make the systems, which one task compares.
        """
        makers = ("description", "prompt", "generate", "model", "arms", "seeds", "trainer")
        return digest({key: None if key in makers else value for key, value in self.plain().items()})
