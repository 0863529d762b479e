"""`evalharness describe NAME`: everything that a plugin says about itself."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import click

from evalharness import registry
from evalharness.cli.output import json_option, print_json
from evalharness.contract.options import describe_type, option_types
from evalharness.contract.spec import plain
from evalharness.errors import EvalharnessError, UnknownName, nearest

STATED = (
    "better",
    "unit",
    "range",
    "parts",
    "reads",
    "uses",
    "supports",
    "family",
    "needs",
    "tolerance",
    "formula",
    "gradient",
    "tags",
    "cite",
    "reference",
)
LABELS = {"cite": "citation", "reference": "verified against"}
PLACES: dict[registry.Kind, str] = {
    "metric": "metrics:\n  - ",
    "loss": "metrics:\n  - ",
    "transform": "transforms:\n  - ",
    "model": "system:\n  model: ",
    "retriever": "system:\n  retriever: ",
    "dataset": "dataset: ",
    "rule": "arms:\n  ARM:\n    loss: supervised\n    rules:\n      - ",
    "network": "model: ",
}
NOT_BARE = {"", "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"}


@click.command()
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Describe a plugin: what it does, its options, an example.

    A NAME that several kinds of plugin share (a model and a retriever, say) is described once for each.
    """
    entries = registry.installed().entries
    found = [description(kind, named[name]) for kind, named in entries.items() if name in named]
    if not found:
        raise UnknownName(_unknown(name))
    if as_json:
        print_json(found)
    else:
        click.echo("\n\n".join(map(_page, found)))


def _unknown(name: str) -> str:
    installed = registry.installed()
    names = {each for named in installed.entries.values() for each in named}
    lines = [f"No plugin is called '{name}'.{nearest(name, names)} Run 'evalharness list' for all names."]
    return "\n".join([*lines, *installed.suspects()])


def description(kind: registry.Kind, entry: registry.Entry) -> dict[str, Any]:
    """Return what a plugin says about itself, as plain values."""
    cls, source = entry.cls, entry.source
    return {
        "name": cls.name,
        "kind": kind,
        "description": inspect.getdoc(cls) or "",
        **_stated(kind, cls),
        "options": [_option(cls, item) for item in cls.option_fields()],
        "plugin": source.plugin,
        "distribution": source.distribution,
        "version": source.version,
        "example": example(kind, cls),
    }


def _stated(kind: registry.Kind, cls: Any) -> dict[str, Any]:
    """Return the attributes that it states; those that follow from options are told for its example."""
    try:
        plugin = registry.make(kind, cls, cls.example)
    except EvalharnessError:
        plugin = cls
    values = {name: getattr(plugin, name, None) for name in STATED}
    values["supports"] = [each.kind for each in values["supports"] or ()]
    return {name: value for name, value in values.items() if value and not isinstance(value, property)}


def _option(cls: Any, item: dataclasses.Field[Any]) -> dict[str, Any]:
    missing = dataclasses.MISSING
    default = item.default_factory() if item.default_factory is not missing else item.default
    required = {"required": True} if default is missing else {"default": default}
    return {"name": item.name, "type": describe_type(option_types(cls)[item.name]), **required}


def example(kind: registry.Kind, cls: Any) -> str:
    """Return how a task file writes the plugin, with the options of its example or their defaults.

    An option that has neither is shown by its name in capitals.
    """
    options = [_option(cls, item) for item in cls.option_fields()]
    values = {item["name"]: item.get("default") for item in options if "required" not in item}
    wanted = {item["name"]: item["name"].upper() for item in options if "required" in item}
    chosen = {key: value for key, value in {**wanted, **values, **cls.example}.items() if value is not None}
    written = f"{cls.name}: {flow(chosen)}" if chosen else cls.name
    in_list = PLACES[kind].endswith("- ") or not chosen
    return PLACES[kind] + (written if in_list else f"{{{written}}}")


def flow(value: Any) -> str:
    """Return a value in YAML's flow style, strings bare where that is safe.

    >>> flow({"k": (1, 3), "smooth": "exp", "answer": "no"})
    '{k: [1, 3], smooth: exp, answer: "no"}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        bare = re.fullmatch(r"[A-Za-z_][\w./@-]*", value, re.ASCII) and value.lower() not in NOT_BARE
        return value if bare else json.dumps(value, ensure_ascii=False)
    return json.dumps(plain(value) if dataclasses.is_dataclass(value) else value)


def _page(described: dict[str, Any]) -> str:
    lines = [f"{described['name']} ({described['kind']})", described["description"], ""]
    lines += [f"{label:<17} {text}" for label, text in facts(described)]
    lines.append(f"{'plugin':<17} {described['plugin']} ({described['distribution']} {described['version']})")
    lines += ["", "options", *map(_option_line, described["options"])] if described["options"] else ["", "no options"]
    return "\n".join([*lines, "", "in a task file", *(f"  {line}" for line in described["example"].splitlines())])


def facts(described: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a description states beside words and options, as labels and texts."""
    return [(LABELS.get(name, name), _fact(name, described[name])) for name in STATED if name in described]


def _fact(name: str, value: Any) -> str:
    if name == "range":
        low, high = value
        return f"{low} or more" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
    if name == "needs":
        return f"pip install 'evalharness[{value}]'"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _option_line(option: dict[str, Any]) -> str:
    default = "required" if "required" in option else f"default {flow(option['default'])}"
    return f"  {option['name']:<15} {option['type']}; {default}"
