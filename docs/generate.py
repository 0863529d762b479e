"""Writes what commands and plugins say of themselves: docs/reference.md, all of it, and docs/metrics.md, the catalogue.

Run it after a change of a docstring, an option or a command: python docs/generate.py
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalharness import registry
from evalharness.cli.describe import description, facts, flow
from evalharness.cli.main import COMMANDS, cli

FOLDER = Path(__file__).parent
CATALOGUE = """# Metrics

Every metric that comes with evalharness. Written by `docs/generate.py` from what the metrics say of themselves;
`evalharness describe NAME` prints all of one: options with their defaults, what it reads, where the definition comes from,
and an example. The last column has the implementation that the tests compare it with, and the largest difference that they
saw (relative for values beyond 1): 0 is equality to the last bit. [Write your own](plugins.md) as a package.
"""
HEAD = """# Reference

Written by `docs/generate.py` from what commands and plugins say of themselves; `evalharness describe NAME` prints the same.
"""


def reference() -> str:
    """Return the whole page."""
    kinds = [kind for kind in registry.BASES if _ours(kind)]
    sections = [_commands(), *(_plugins(kind) for kind in kinds)]
    return "\n".join([HEAD, *sections])


def _commands() -> str:
    root = click.Context(cli, info_name="evalharness")
    blocks = [block for name in COMMANDS for block in _command(cli.get_command(root, name), f"evalharness {name}")]
    return "\n\n".join(["## Commands", *blocks]) + "\n"


def _command(command: Any, path: str) -> list[str]:
    if isinstance(command, click.Group):
        return [block for name in sorted(command.commands) for block in _command(command.commands[name], f"{path} {name}")]
    arguments = [item.make_metavar(click.Context(command)) for item in command.params if isinstance(item, click.Argument)]
    options = [f"- `{', '.join(item.opts)}`: {item.help}" for item in command.params if isinstance(item, click.Option)]
    return [f"### `{' '.join([path, *arguments])}`", _paragraphs(inspect.cleandoc(command.help or "")), "\n".join(options)]


def _ours(kind: registry.Kind) -> list[registry.Entry]:
    return [entry for entry in registry.installed().classes(kind) if entry.source.distribution == "evalharness"]


def _plugins(kind: registry.Kind) -> str:
    blocks = [_plugin(description(kind, entry)) for entry in _ours(kind)]
    return "\n\n".join([f"## {registry.plural(kind).capitalize()}", *blocks]) + "\n"


def catalogue() -> str:
    """Return the page of all metrics, a table for each package of them, relatives beside each other."""
    packages: dict[str, list[registry.Entry]] = {}
    for entry in _ours("metric"):
        packages.setdefault(entry.cls.__module__.partition(".")[0], []).append(entry)
    sections = [
        f"{_title(name)}\n\n{_table([description('metric', one) for one in packages[name]])}" for name in sorted(packages)
    ]
    return "\n".join([CATALOGUE, *sections])


def _title(package: str) -> str:
    """Return the heading of a package and the first line that it says of itself."""
    said = (inspect.getdoc(importlib.import_module(package)) or "").partition("\n\n")[0]
    return f"## {package.removeprefix('evalharness_').capitalize()}\n\n{said}"


def _table(metrics: Sequence[dict[str, Any]]) -> str:
    head = "| metric | | what it is | formula | verified against |\n|---|---|---|---|---|"
    relatives = sorted(metrics, key=lambda described: (described.get("family", ""), described["name"]))
    return "\n".join([head, *map(_row, relatives)]) + "\n"


def _row(described: dict[str, Any]) -> str:
    first = " ".join(described["description"].partition("\n\n")[0].split())
    told = dict(facts(described))
    seen = f" ({told['largest difference'].partition(';')[0]})" if "largest difference" in told else ""
    arrow = {"higher": "↑", "lower": "↓"}.get(described.get("better", ""), "")
    link = f"[`{described['name']}`](reference.md#{described['name']})"
    cells = [link, arrow, first, described.get("formula", ""), told.get("verified against", "") + seen]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plugin(described: dict[str, Any]) -> str:
    lines = [f"- {label}: {text}" for label, text in facts(described)]
    lines += [f"- option `{item['name']}`: {item['type']}; {_default(item)}" for item in described["options"]]
    example = f"```yaml\n{described['example']}\n```"
    words = described["description"].partition(">>>")[0].strip()
    return "\n\n".join([f"### `{described['name']}`", words, "\n".join(lines), example])


def _default(option: dict[str, Any]) -> str:
    return "required" if "required" in option else f"default `{flow(option['default'])}`"


def _paragraphs(text: str) -> str:
    return "\n\n".join(_as_written(part) if part.startswith("\b") else " ".join(part.split()) for part in text.split("\n\n"))


def _as_written(part: str) -> str:
    """Return a paragraph that click leaves as it is, which begins with a mark of its own."""
    return f"```\n{textwrap.dedent(part.removeprefix(chr(8)).strip(chr(10)))}\n```"


if __name__ == "__main__":
    for name, text in (("reference.md", reference()), ("metrics.md", catalogue())):
        (FOLDER / name).write_text(text, encoding="utf-8")
