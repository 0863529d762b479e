"""`evalharness list`: what there is, by kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evalharness import registry
from evalharness.cli.output import json_option, print_json, print_table
from evalharness.errors import EvalharnessError

KINDS: dict[str, registry.Kind] = {registry.plural(kind): kind for kind in registry.BASES}
TASKS = Path("tasks")


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "tasks"]), required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List the metrics, models and other plugins, or the tasks.

    Tasks are the YAML files of the folder ./tasks. Without a KIND: the names of every kind of plugin.
    """
    if kind is None:
        names = {plural: list(registry.installed().entries[each]) for plural, each in KINDS.items()}
        rows = [{"kind": plural, "names": sorted(found)} for plural, found in names.items()]
    else:
        rows = _tasks() if kind == "tasks" else [_row(entry) for entry in registry.installed().classes(KINDS[kind])]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])
    else:
        click.echo(f"There are no {kind}.")


def _row(entry: registry.Entry) -> dict[str, Any]:
    stated = {"better": entry.cls.better} if hasattr(entry.cls, "better") else {}
    return {"name": entry.cls.name, **stated, "plugin": entry.source.plugin, "description": first_line(entry.cls)}


def first_line(thing: Any) -> str:
    """Return the first line of a docstring, or an empty string."""
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _tasks() -> list[dict[str, Any]]:
    return [_task(path) for path in sorted(TASKS.glob("*.yaml"))]


def _task(path: Path) -> dict[str, Any]:
    from evalharness.task.strict_yaml import read_file

    try:
        content = read_file(path, []).content
    except EvalharnessError as error:
        reason = f"{str(error).partition(chr(10))[0]} Run 'evalharness check {path}'."
        return {"name": "", "description": reason, "file": str(path)}
    stated = content if isinstance(content, dict) else {}
    return {key: str(stated[key].content) if key in stated else "" for key in ("name", "description")} | {"file": str(path)}


def _cell(value: Any) -> str:
    if value is None:  # a direction that follows from the options
        return "–"
    return ", ".join(value) if isinstance(value, list) else str(value)
