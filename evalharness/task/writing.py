"""Writes a task as YAML that the strict loader reads back to an equal task."""

from __future__ import annotations

from typing import Any

from evalharness.task.strict_yaml import scalar_value
from evalharness.task.task import Task


def task_yaml(task: Task) -> str:
    """Return the text of the resolved task, with the paths that were written."""
    return plain_yaml(task.plain())


def plain_yaml(plain: Any) -> str:
    """Return plain values as the YAML of a task or a system, texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks, quotes whatever a reader may take for something else."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Dumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Dumper.add_representer(str, text)
    written: str = yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return written


def _style(text: str) -> str | None:
    if "\n" in text.strip() and not text[0].isspace():
        return "|"
    return None if "\n" not in text and isinstance(_plain_value(text), str) else '"'


def _plain_value(text: str) -> Any:
    try:
        return scalar_value(text)
    except ValueError:
        return None
