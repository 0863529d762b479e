"""The record: the result file of a run, `evalharness.record/1`."""

from __future__ import annotations

import dataclasses
import functools
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import DataError, shown

if TYPE_CHECKING:
    from evalharness.scoring import Score

SCHEMA = "evalharness.record/1"
WAY = "Give the folder that 'evalharness run TASK' wrote, or its record.json."
BEFORE = ".before"
MAKER = ("plugin", "distribution", "version")
PACKAGES = (
    "numpy",
    "scipy",
    "sacrebleu",
    "rapidfuzz",
    "bm25s",
    "scikit-learn",
    "torchmetrics",
    "evaluate",
    "torch",
    "transformers",
    "sentence-transformers",
    "datasets",
    "pyarrow",
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run's result. `scores` maps a score name to its `Score`, `makers` to the plugin that made it.

    `stopping` says what a run was to stop for, whether that was reached and what it saved; None where it had no goal.
    `precision` says what the number format of the system's model changed against float32; None where it was not compared.
    `seeds`, of an arm of a training task: the numbers of its seeds, and by score name the value of each of them.
    Equal inputs give equal bytes but for `usage` and `provenance`.
    """

    task: Mapping[str, Any]
    dataset: Mapping[str, Any]
    system: Mapping[str, Any]
    scores: Mapping[str, Score]
    makers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    stopping: Mapping[str, Any] | None = None
    precision: Mapping[str, Any] | None = None
    seeds: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """How many samples the run could not score for lack of infrastructure, of readable data or of a sound plugin."""
        lost = max((score.errors for score in self.scores.values()), default=0)
        return int(self.dataset.get("faults", 0)) + max(lost, len(self.troubles))

    def before(self, score: str) -> str | None:
        """Return the score of the same name from before training: of `rouge.rougeL`, `rouge.before.rougeL`; None without one."""
        return next((name for name in self.scores if BEFORE in name and name.replace(BEFORE, "", 1) == score), None)

    @property
    def data(self) -> dict[str, Any]:
        """The digests of the data of a run and, of what was trained, of the training data."""
        found = {"data": self.dataset.get("digest")}
        return found if "train" not in self.dataset else {**found, "training data": self.dataset["train"].get("digest")}

    @property
    def trained_scores(self) -> list[str]:
        """The names of the scores without those from before training."""
        return [name for name in self.scores if BEFORE not in name]

    @property
    def troubles(self) -> Sequence[Mapping[str, Any]]:
        """What went wrong: kind, message, how many samples it cost, and the first of them."""
        found: Sequence[Mapping[str, Any]] = self.usage.get("troubles", ())
        return found

    def plain(self) -> dict[str, Any]:
        """Return the record as JSON knows it."""
        scores = {name: {**dataclasses.asdict(score), **self.makers.get(name, {})} for name, score in self.scores.items()}
        parts = {"task": self.task, "dataset": self.dataset, "system": self.system, "scores": scores}
        parts |= {} if self.stopping is None else {"stopping": self.stopping}
        parts |= {} if self.precision is None else {"precision": self.precision}
        parts |= {} if self.seeds is None else {"seeds": self.seeds}
        return {"schema": SCHEMA, **parts, "usage": self.usage, "provenance": self.provenance}

    def to_json(self) -> str:
        """Return the JSON text of the record."""
        return json.dumps(self.plain(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_record(path: str | Path) -> Record:
    """Return the record of a run folder or of a record file; raises DataError where it is none."""
    from evalharness.results.shape import damage

    file = _file_of(Path(path))
    try:
        plain = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not a record: it is no JSON ({error}). {WAY}") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else None
        raise DataError(f"{file} is not a record of the schema {SCHEMA}; its schema is {shown(found)}")
    wrong = damage(plain)
    try:
        if wrong is None:
            return _record(plain)
    except TypeError as error:  # a section or a part of a score that no version of the schema has
        wrong = str(error)
    raise DataError(f"{file} is damaged: {wrong}. Run its task again.")


def _file_of(path: Path) -> Path:
    """Return the record file that a path names; raises DataError where there is none."""
    file = path / "record.json" if path.is_dir() else path
    if not path.exists():
        raise DataError(f"{path} does not exist. {WAY}")
    if not file.exists():
        raise DataError(f"{path} is no finished run: it has no {file.name}. {WAY}")
    return file


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _record(plain: dict[str, Any]) -> Record:
    from evalharness.scoring import Score

    parts = {name: part for name, part in plain.items() if name != "schema"}
    scores = {name: dict(score) for name, score in parts.pop("scores").items()}
    makers = {name: {key: score.pop(key) for key in MAKER if key in score} for name, score in scores.items()}
    return Record(scores={name: Score(**score) for name, score in scores.items()}, makers=makers, **parts)


def provenance(command: str, folder: Path, task: Path) -> dict[str, Any]:
    """Return when, where, from which task file and with which versions a run was made."""
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "folder": str(folder),
        "task_file": str(task),
        "command": command,
        "evalharness": metadata.version("evalharness"),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "machine": f"{platform.system()} {platform.machine()}, {sys.implementation.name}",
    }


@functools.cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
