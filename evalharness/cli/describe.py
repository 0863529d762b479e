"""`evalharness describe NAME`: everything that a plugin says about itself."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalharness import registry
from evalharness.cli.output import json_option, print_json
from evalharness.contract import Loss
from evalharness.contract.options import describe_type, option_types
from evalharness.contract.spec import plain
from evalharness.errors import EvalharnessError, UnknownName, UsageError, nearest

STATED = (
    "better",
    "unit",
    "range",
    "parts",
    "reads",
    "may read",
    "learns",
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
    "agreement",
)
LABELS = {"cite": "citation", "reference": "verified against", "agreement": "largest difference"}
PLACES: dict[registry.Kind, str] = {
    "metric": "metrics:\n  - ",
    "loss": "arms:\n  ARM: ",
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
@click.option(
    "--plot",
    metavar="[FILE]",
    is_flag=False,
    flag_value="",
    help="Draw a loss and its gradient into a PNG file; NAME.png where no FILE is given. Stands after NAME.",
)
@json_option
def command(name: str, plot: str | None, as_json: bool) -> None:
    """Describe a plugin: what it does, its options, an example.

    A NAME that several kinds of plugin share (a model and a retriever, say) is described once for each. A loss tells its
    formula, its gradient and what holds of it: convex, differentiable, robust, bounded gradient.
    """
    entries = registry.installed().entries
    found = [description(kind, named[name]) for kind, named in entries.items() if name in named]
    if not found:
        raise UnknownName(_unknown(name))
    if plot is not None:
        found = [{**each, "plot": _plot(name, plot)} if each["kind"] == "loss" else each for each in found]
        if not any("plot" in each for each in found):
            raise UsageError(f"'{name}' is no loss; --plot draws losses. Run 'evalharness list losses' for all of them.")
    if as_json:
        print_json(found)
    else:
        click.echo("\n\n".join(map(_page, found)))


def _plot(name: str, file: str) -> str:
    """Draw the loss of that name, with the options of its example, and return where."""
    from evalharness.cli.loss_plot import draw_loss

    cls = registry.installed().entries["loss"][name].cls
    return str(draw_loss(registry.make("loss", cls, cls.example), Path(file or f"{name}.png")))


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
    if kind == "loss" and plugin is not cls:
        values |= _tensors(plugin)
    if kind == "metric":
        from evalharness.testing.agreement import recorded_agreement

        values["agreement"] = recorded_agreement(cls.__module__.partition(".")[0]).get(cls.name)
    return {name: value for name, value in values.items() if value and not isinstance(value, property)}


def _tensors(loss: Loss) -> dict[str, list[str]]:
    """Return the tensors that a loss must have, those that it can do without, and those that are learned beside the model."""
    learned = list(loss.learned())
    own = {name: must for name, must in loss.accepts.items() if name not in {*learned, *loss.carried()}}
    needed = [name for name, must in own.items() if must]
    return {"reads": needed, "may read": [name for name in own if name not in needed], "learns": learned}


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
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value):
        return repr(value).replace("e", ".0e")  # without the point YAML takes it for a text
    return json.dumps(plain(value) if dataclasses.is_dataclass(value) else value)


def _page(described: dict[str, Any]) -> str:
    lines = [f"{described['name']} ({described['kind']})", described["description"], ""]
    lines += [f"{label:<17} {text}" for label, text in facts(described)]
    lines.append(f"{'plugin':<17} {described['plugin']} ({described['distribution']} {described['version']})")
    lines += [f"{'plot':<17} {described['plot']}"] if "plot" in described else []
    lines += ["", "options", *map(_option_line, described["options"])] if described["options"] else ["", "no options"]
    return "\n".join([*lines, "", "in a task file", *(f"  {line}" for line in described["example"].splitlines())])


def facts(described: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a description states beside words and options, as labels and texts."""
    return [(LABELS.get(name, name), _fact(name, described[name])) for name in STATED if name in described]


def _fact(name: str, value: Any) -> str:
    if name == "range":
        low, high = value
        return f"{low} or more" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
    if name == "agreement":
        return f"{value['difference']:.1e} in {value['comparisons']:,} comparisons; tests allow {value['tolerance']:.0e}"
    if name == "needs":
        return f"pip install 'evalharness[{value}]'"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _option_line(option: dict[str, Any]) -> str:
    default = "required" if "required" in option else f"default {flow(option['default'])}"
    return f"  {option['name']:<15} {option['type']}; {default}"
