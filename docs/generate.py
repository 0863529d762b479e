"""Writes docs/reference.md: every command and every plugin that comes with evalharness, in their own words.

Run it after a change of a docstring, an option or a command: python docs/generate.py
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any

import click

from evalharness import registry
from evalharness.cli.describe import description, facts, flow
from evalharness.cli.main import COMMANDS, cli

TARGET = Path(__file__).parent / "reference.md"
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
    TARGET.write_text(reference(), encoding="utf-8")
