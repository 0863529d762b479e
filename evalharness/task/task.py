"""What a task and a system are once their YAML has been read: frozen dataclasses with digests."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalharness.contract import Arguments, File, Spec, canonical, digest
from evalharness.task.prices import Price

OutputType = Literal["generate", "multiple_choice", "likelihood", "retrieve"]


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """Where samples come from: a dataset plugin, and which column each field is taken from."""

    source: Spec
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FewShot:
    """How solved examples are put before the prompt. The pool is `path`, `split`, or the dataset itself."""

    samples: int = field(default=0, metadata={"at_least": 0})
    path: File | None = None
    split: str | None = None
    sampler: Literal["first", "seeded"] = "first"
    answer: str | None = None
    separator: str = "\n\n"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """How a model continues a prompt; `json_schema` is kept as canonical JSON text."""

    max_tokens: int = field(default=256, metadata={"at_least": 1})
    temperature: float = field(default=0.0, metadata={"at_least": 0})
    top_p: float = field(default=1.0, metadata={"at_least": 0, "at_most": 1})
    stop: tuple[str, ...] = ()
    seed: int = 0
    json_schema: Arguments | str | None = field(default=None, metadata={"neutral": True})

    def __post_init__(self) -> None:
        if self.json_schema is not None:
            object.__setattr__(self, "json_schema", _schema_text(self.json_schema))


def _schema_text(schema: Mapping[str, Any] | str) -> str:
    """Return a JSON schema, given as a mapping or as text, as canonical text; raises ValueError for text that is none."""
    try:
        plain = json.loads(schema) if isinstance(schema, str) else dict(schema)
    except ValueError as error:
        raise ValueError(f"'json_schema' is no JSON: {error}") from None
    if not isinstance(plain, dict):
        raise ValueError("'json_schema' must be a mapping, for example {type: object, properties: {...}}")
    return canonical(plain)


@dataclass(frozen=True, kw_only=True)
class System:
    """What is evaluated: a retriever, a prompt and a model, or recorded responses.

    `prices` say what models cost that are sold, the metrics' models too; they change no answer and no digest.
    """

    name: str
    retriever: Spec | None = None
    prompt: str | None = None
    model: Spec
    generate: GenerateOptions = field(default_factory=GenerateOptions)
    prices: Mapping[str, Price] = field(default_factory=dict, hash=False)

    def plain(self) -> dict[str, Any]:
        """Return the system as YAML writes it, with the paths that were written."""
        parts: dict[str, Any] = {"name": self.name}
        parts |= {"retriever": self.retriever, "prompt": self.prompt, "model": self.model, "generate": self.generate}
        parts["prices"] = {name: _written(price) for name, price in self.prices.items()} or None
        return plain_mapping(parts)

    def digest(self) -> str:
        """Return the digest of everything that defines the system; its name and its prices do not."""
        defining = {key: value for key, value in self.plain().items() if key != "prices"}
        return digest({**defining, "name": None})


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """One metric of the chain, the name that `as` gives it, and its place in the file."""

    spec: Spec
    name: str | None = None
    where: str = field(default="", compare=False)

    def plain(self) -> Any:
        """Return the entry as YAML writes it."""
        spec = self.spec.plain()
        if self.name is None:
            return spec
        return {**(spec if isinstance(spec, dict) else {spec: {}}), "as": self.name}


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task: dataset, output type, prompt, metrics and the system that it runs by default.

    `path` is the file that it was read from; `places` gives `file:line:column` for each dotted key of it.
    """

    name: str
    version: str = "1"
    description: str = ""
    dataset: DatasetSpec
    group: str | None = None
    output_type: OutputType = "generate"
    fewshot: FewShot = field(default_factory=FewShot)
    failures: Literal["worst", "exclude"] = "worst"
    transforms: tuple[Spec, ...] = ()
    repeats: int = field(default=1, metadata={"at_least": 1})
    delimiter: str | None = None
    system: System
    metrics: tuple[MetricEntry, ...]
    path: Path = field(default=Path("task.yaml"), compare=False)
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def plain(self) -> dict[str, Any]:
        """Return the resolved task as YAML writes it, with the paths that were written; `load_task` reads it back."""
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in ("path", "places")}
        own["dataset"] = {"source": self.dataset.source, "fields": dict(self.dataset.fields)}
        own["metrics"] = [entry.plain() for entry in self.metrics]
        own["system"] = self.system.plain()
        return plain_mapping(own)

    def digest(self) -> str:
        """Return the digest of everything that defines the task but not the system; description and repeats do not.

        A system that is asked several times stays comparable with one that is asked once: repeats are of one group.
        """
        return digest({**self.plain(), "system": None, "description": None, "repeats": None})

    def where(self, *keys: str) -> str:
        """Return the place of the first of these dotted keys that the file has, or else the file.

        >>> data, system = DatasetSpec(source=Spec("files")), System(name="s", model=Spec("echo"))
        >>> task = Task(name="t", dataset=data, system=system, metrics=(), places={"group": "t.yaml:3:8"})
        >>> task.where("group"), task.where("system.prompt", "system")
        ('t.yaml:3:8', 'task.yaml')
        """
        return next((self.places[key] for key in keys if key in self.places), str(self.path))


def plain_mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON and YAML know, without absent values."""
    shown = {key: _written(value) for key, value in values.items() if value is not None}
    plain: dict[str, Any] = json.loads(canonical(shown))
    return {key: plain[key] for key in shown}


def _written(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, (Spec, type)):
        return {item.name: _written(getattr(value, item.name)) for item in dataclasses.fields(value)
                if getattr(value, item.name) is not None}  # fmt: skip
    return value.written if isinstance(value, File) else value
