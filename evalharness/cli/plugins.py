"""`evalharness plugins`: what is installed, and what failed."""

from __future__ import annotations

import os
from typing import Any

import click

from evalharness import registry
from evalharness.cli.output import json_option, print_json, print_table


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Show the installed plugin packages, and which failed.

    EVALHARNESS_PLUGINS=NAME,NAME restricts loading to these plugin packages, to find out which one is at fault.
    """
    installed = registry.installed()
    loaded = [_loaded(installed, source) for source in installed.sources]
    failed = [{**_source(source), "reason": reason} for source, reason in installed.broken.items()]
    if as_json:
        print_json({"installed": loaded, "failed": failed})
        return
    rows = [(each["plugin"], f"{each['distribution']} {each['version']}", _summary(each["provides"])) for each in loaded]
    print_table(("plugin", "distribution", "provides"), rows)
    for source, reason in installed.broken.items():
        click.echo(f"\nFailed: {source}\n  {reason}")
    if registry.ONLY in os.environ:
        click.echo(f"\n{registry.ONLY} restricts loading to: {os.environ[registry.ONLY] or 'nothing'}")


def _source(source: registry.Source) -> dict[str, str]:
    return {"plugin": source.plugin, "distribution": source.distribution, "version": source.version}


def _loaded(installed: registry.Registry, source: registry.Source) -> dict[str, Any]:
    provides = {
        registry.plural(kind): [entry.cls.name for entry in installed.classes(kind) if entry.source == source]
        for kind in registry.BASES
    }
    provides["hooks"] = installed.notified(source)
    return {**_source(source), "provides": {kind: names for kind, names in provides.items() if names}}


def _summary(provides: dict[str, list[str]]) -> str:
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in provides.items()) or "nothing"
