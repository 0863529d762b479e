"""Reads YAML strictly: plain data with a place for every value, and all faults of a file at once.

What is refused: anchors, aliases, tags, several documents, duplicate keys, keys that are no text, deep nesting, large
files, and plain scalars on which YAML versions disagree (`no`, `010`, `1:30`, dates). Numbers are those of JSON.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from evalharness.errors import Fault, FaultsFound

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_FAULTS = 100
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?")
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Place:
    """Where a value was written; `folder` is where relative paths in it start from."""

    file: str
    line: int = 0
    column: int = 0
    folder: str = "."

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass
class Node:
    """One value of a YAML file: `content` is a mapping or list of nodes, or a plain value.

    `key` is the place of the key that leads here. `written` is the text of a plain scalar that is no string.
    """

    content: Any
    place: Place
    key: Place
    written: str | None = None

    def value(self) -> Any:
        """Return the plain value: mappings, lists and scalars without places."""
        if isinstance(self.content, dict):
            return {key: child.value() for key, child in self.content.items()}
        if isinstance(self.content, list):
            return [child.value() for child in self.content]
        return self.content

    def at(self, path: tuple[str | int, ...]) -> Node:
        """Return the node that a path leads to, or the nearest one on the way there."""
        if path and isinstance(self.content, dict) and path[0] in self.content:
            return self.content[path[0]].at(path[1:])
        if path and isinstance(self.content, list) and isinstance(path[0], int):
            return self.content[path[0]].at(path[1:])
        return self

    def places(self, path: str = "") -> Iterator[tuple[str, str]]:
        """Yield the dotted path and the place of this value and of every value in it."""
        yield path, str(self.place)
        children: Any = enumerate(self.content) if isinstance(self.content, list) else getattr(self.content, "items", tuple)()
        for key, child in children:
            yield from child.places(f"{path}.{key}" if path else str(key))


def read_file(path: str | Path, faults: list[Fault]) -> Node:
    """Return the content of a YAML file; faults that leave it readable are added to `faults`.

    Raises FaultsFound where the file is missing or cannot be read to its end.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            _give_up(
                faults, f"the file is larger than {MAX_BYTES:,} bytes; data belongs in the file that dataset.path names", path
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        _give_up(faults, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8", f"{path}:{line}")
    except OSError as error:
        _give_up(faults, f"cannot read the file: {error.strerror}; give the path of a YAML file", path)
    return read_text(text, faults, file=str(path), folder=str(path.parent))


def read_text(text: str, faults: list[Fault], *, file: str, folder: str = ".") -> Node:
    """Return the content of a YAML text; see `read_file`."""
    import yaml

    try:
        return _Reader(text, file, folder, faults).document()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        _give_up(faults, f"the character {chr(error.character)!r} is not allowed in YAML; write it as an escape in quotes", place)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        context = f" ({error.context})" if error.context else ""
        _give_up(faults, f"not valid YAML: {error.problem}{context}", place)


def read_argument(text: str, faults: list[Fault], *, name: str) -> Node:
    """Return the YAML value of a command line argument; places show `name`, paths start from the current folder."""
    found: list[Fault] = []
    node = Node(None, Place(name), Place(name))
    with contextlib.suppress(FaultsFound):
        node = _placed(read_text(text, found, file=name), Place(name))
    faults.extend(Fault(fault.message, name) for fault in found)
    return node


def _placed(node: Node, place: Place) -> Node:
    """Put one place on a whole tree: a line and column within an argument help nobody."""
    children = node.content.values() if isinstance(node.content, dict) else node.content
    for child in children if isinstance(node.content, (dict, list)) else ():
        _placed(child, place)
    node.place = node.key = place
    return node


def _give_up(faults: list[Fault], message: str, where: object) -> NoReturn:
    faults.append(Fault(message, str(where)))
    raise FaultsFound(faults)


class _Reader:
    """Turns the parser's events into nodes; nothing is built before its depth is known to be allowed."""

    def __init__(self, text: str, file: str, folder: str, faults: list[Fault]) -> None:
        import yaml

        self.yaml = yaml
        self.loader: Any = yaml.SafeLoader(text)
        self.file, self.folder, self.faults = file, folder, faults

    def document(self) -> Node:
        yaml, loader = self.yaml, self.loader
        loader.get_event()
        if loader.check_event(yaml.StreamEndEvent):
            _give_up(self.faults, "the file is empty", self.file)
        loader.get_event()
        root = self.node(0, None)
        loader.get_event()
        if not loader.check_event(yaml.StreamEndEvent):
            self.fault("a second document starts here; one file holds one document", loader.get_event())
        return root

    def place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1, self.folder)

    def fault(self, message: str, event: Any) -> None:
        self.faults.append(Fault(message, str(self.place(event))))
        if len(self.faults) >= MAX_FAULTS:
            _give_up(self.faults, "too many faults; the rest of the file was not read", self.file)

    def node(self, depth: int, key: Place | None) -> Node:
        event = self.loader.get_event()
        place = self.place(event)
        if depth > MAX_DEPTH:
            _give_up(self.faults, f"nested more than {MAX_DEPTH} levels deep", place)
        self.refuse_extras(event)
        node = Node(None, place, key or place)
        if isinstance(event, self.yaml.MappingStartEvent):
            node.content = self.mapping(depth)
        elif isinstance(event, self.yaml.SequenceStartEvent):
            node.content = self.sequence(depth)
        elif isinstance(event, self.yaml.ScalarEvent):
            node.content, node.written = self.scalar(event)
        return node

    def refuse_extras(self, event: Any) -> None:
        if isinstance(event, self.yaml.AliasEvent):
            self.fault(f"the alias *{event.anchor} is not allowed; write the value out", event)
            return
        if event.anchor is not None:
            self.fault(f"the anchor &{event.anchor} is not allowed; write the value out where it is needed", event)
        if event.tag is not None:
            self.fault(f"the tag {_tag_text(event.tag)} is not allowed; a task file holds data only", event)

    def mapping(self, depth: int) -> dict[str, Node]:
        content: dict[str, Node] = {}
        while not self.loader.check_event(self.yaml.MappingEndEvent):
            event = self.loader.peek_event()
            key = self.node(depth + 1, None)
            child = self.node(depth + 1, key.place)
            if not isinstance(key.content, str):
                if not isinstance(event, self.yaml.AliasEvent):
                    self.fault(f"a key must be a string; {_quote_hint(key)}", event)
            elif key.content in content:
                first = content[key.content].key
                self.fault(f"the key '{key.content}' stands already in line {first.line}; remove one of the two", event)
            else:
                content[key.content] = child
        self.loader.get_event()
        return content

    def sequence(self, depth: int) -> list[Node]:
        content = []
        while not self.loader.check_event(self.yaml.SequenceEndEvent):
            content.append(self.node(depth + 1, None))
        self.loader.get_event()
        return content

    def scalar(self, event: Any) -> tuple[Any, str | None]:
        """Return the value and, for a plain scalar that is no string, its text."""
        text = event.value
        if not event.implicit[0] or event.style:
            return text, None
        try:
            value = scalar_value(text)
        except ValueError as error:
            self.fault(str(error), event)
            return text, None
        resolved = self.loader.resolve(self.yaml.ScalarNode, text, (True, False))
        if isinstance(value, str) and resolved != "tag:yaml.org,2002:str":
            self.fault(f"'{text}' is read differently by different YAML readers: {_advice(text, resolved)}", event)
        return value, None if isinstance(value, str) else text


def scalar_value(text: str) -> Any:
    """Return the value of a plain scalar: null, true, false, a number as JSON writes it, or the text itself.

    >>> [scalar_value(text) for text in ("true", "7", "1e-5", "7b")]
    [True, 7, 1e-05, '7b']
    """
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        if len(text) > 300:
            raise ValueError("a number of more than 300 digits; write it in quotes if text is meant")
        return int(text)
    if DECIMAL.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"the number {text} is too large")
        return value
    return text


def _advice(text: str, resolved: str) -> str:
    quoted = f'write "{text}" in quotes for the text'
    kind = resolved.rpartition(":")[2]
    if kind == "bool":
        return f"{quoted}, or true or false"
    if kind in ("int", "float"):
        return f"{quoted}, or a plain decimal number"
    return quoted


def _quote_hint(key: Node) -> str:
    return f'write "{key.written}" in quotes' if key.written else "lists and mappings cannot be keys"


def _tag_text(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
