"""How a plugin is named together with its options, and the base of every plugin."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, dataclass_transform


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces, non-ASCII kept, NaN refused.

    >>> canonical({"b": 1, "a": ["é", None]})
    '{"a":["é",null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain)


def digest(value: Any, size: int = 16) -> str:
    """Return the BLAKE2b digest (hexadecimal, `size` bytes) of a value's canonical JSON.

    >>> digest({"a": 1}, size=4)
    'cde02d92'
    """
    return hashlib.blake2b(canonical(value).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def plain(value: Any) -> Any:
    """Turn specs, dataclasses, tuples and sets into what JSON knows; refuse anything else."""
    if isinstance(value, Spec):
        return value.plain()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain_fields(value)
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def plain_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name; those that are `neutral` only where they have another value."""
    named = ((item, getattr(value, item.name)) for item in dataclasses.fields(value))
    return {item.name: found for item, found in named if not (item.metadata.get("neutral") and found == item.default)}


class File(str):
    """An option that names a file or folder, relative to the YAML file it stands in.

    The instance is the resolved path; `written` keeps what the user wrote, which is what signatures show.
    """

    written: str

    def __new__(cls, path: str, written: str | None = None) -> Self:
        made = super().__new__(cls, path)
        made.written = path if written is None else written
        return made

    def __reduce__(self) -> tuple[type[File], tuple[str, str]]:
        return (type(self), (str(self), self.written))


class Values(Mapping[str, Any]):
    """An option that holds a mapping: any names, with values as YAML has them.

    >>> Values({"limit": 3}) == {"limit": 3}
    True
    """

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(canonical(self._values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


class Arguments(Values):
    """Values that are arguments for a function of another library.

    A plugin with an option of this type takes every option that it does not know for one of these arguments.

    >>> Arguments({"average": "macro"}) == {"average": "macro"}
    True
    """


BARE = ""  # what stands in a spec's options for the name of the plugin's one required option


@dataclass(frozen=True)
class Spec:
    """A plugin's name and options as a task file writes them, for example `{hf: {weights: tiny}}`.

    `{hf: tiny}` gives the value of the one option that the plugin needs; until the plugin is known it stands under BARE.
    `folder` is where relative paths start from; it takes no part in equality, digest or signature.

    >>> Spec("hf", {"weights": "tiny"})
    Spec(name='hf', options={'weights': 'tiny'})
    >>> Spec("bm25") == Spec("bm25", folder="elsewhere")
    True
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = field(default=".", compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(canonical(self.plain()))

    def plain(self) -> Any:
        """Return the YAML form: the bare name, `{name: value}`, or `{name: options}`; files as they were written."""
        if set(self.options) == {BARE}:
            return {self.name: _yaml(self.options[BARE])}
        return {self.name: {key: _yaml(value) for key, value in self.options.items()}} if self.options else self.name


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Plugin:
    """Base of metrics, losses, models, retrievers, datasets and transforms.

    A subclass becomes a frozen, keyword-only dataclass by itself; its fields are its options, class attributes
    without annotation describe it. A field with `metadata={"option": False}` is internal and no option; if it is called
    `folder`, it is given the folder that relative paths of the spec start from.
    `example` holds options, as YAML writes them, that documentation and the conformance kit build it with; a plugin
    whose options all have defaults needs none.
    """

    name: ClassVar[str] = ""
    example: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def option_fields(cls) -> tuple[dataclasses.Field[Any], ...]:
        """Return the dataclass fields that are options, in the order of their definition."""
        if not dataclasses.is_dataclass(cls):
            return ()
        return tuple(item for item in dataclasses.fields(cls) if item.metadata.get("option", True))

    def options(self) -> dict[str, Any]:
        """Return all options with their values, defaults included."""
        return {item.name: getattr(self, item.name) for item in self.option_fields()}

    def spec(self) -> Spec:
        """Return the spec that builds an equal plugin."""
        options = {key: _written(value) for key, value in self.options().items()}
        return Spec(self.name, options, getattr(self, "folder", ".") if self.has_folder() else ".")

    @classmethod
    def has_folder(cls) -> bool:
        """Return whether it has the internal field that holds the folder of its spec."""
        fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        return "folder" in [item.name for item in fields if not item.metadata.get("option", True)]

    def signature(self) -> str:
        """Return the name and every option as one line, for example `bleu|order:4|smooth:exp`; see `neutral`."""
        shown = [
            f"{item.name}:{_shown(value)}"
            for item, value in zip(self.option_fields(), self.options().values(), strict=True)
            if not (item.metadata.get("neutral") and value == item.default)
        ]
        return "|".join([self.name, *shown])


def neutral(default: Any) -> Any:
    """Return the default of an option or field that was added later and changes nothing at it, or that few ever set.

    Signatures and digests name it only where it has another value, so that scores and answers of before it still count.

    >>> class Spread(Plugin):
    ...     name = "spread"
    ...     level: int = 1
    ...     robust: bool = neutral(False)
    >>> Spread().signature(), Spread(robust=True).signature()
    ('spread|level:1', 'spread|level:1|robust:true')
    """
    return field(default=default, metadata={"neutral": True})


def _written(value: Any) -> Any:
    if isinstance(value, File):
        return value.written
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    return list(map(_written, value)) if isinstance(value, (list, tuple)) else value


def _yaml(value: Any) -> Any:
    """Return an option as YAML writes it, plugins and sections in it as well."""
    if isinstance(value, Mapping):
        return {key: _yaml(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_yaml(item) for item in value]
    return _yaml(plain(value)) if dataclasses.is_dataclass(value) and not isinstance(value, type) else _written(value)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    if isinstance(value, (Spec, Mapping)) or dataclasses.is_dataclass(value):
        return canonical(value)
    if value is None or isinstance(value, bool):
        return canonical(value)
    return str(_written(value))
