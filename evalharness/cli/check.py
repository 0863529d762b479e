"""`evalharness check`: what can be found without running a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.output import json_option, print_json
from evalharness.errors import EvalharnessError, FaultsFound, UsageError

if TYPE_CHECKING:
    from evalharness.task import Finding

PATH = click.Path(path_type=Path)


@click.command("check")
@click.argument("task", type=PATH)
@click.option("--data", is_flag=True, help="Read the data set as well: missing fields, duplicate ids, leaked answers.")
@click.option("--system", type=PATH, help="A system's YAML file, in place of the task's own system.")
@click.option("--model", help="A model in place of the system's: NAME, or '{NAME: {option: value}}'.")
@click.option("--responses", type=PATH, help="Check against these recorded outputs.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Replace one value of the task; may be repeated.")
@json_option
def command(task: Path, data: bool, as_json: bool, **options: Any) -> int:
    """Check a task file without running it.

    All faults of the file come at once, each with its line and column; no model is loaded. Exit codes: 0 without
    errors (there may be warnings), 2 with errors.

    \b
    Examples:
      evalharness check tasks/rag_qa.yaml
      evalharness check tasks/rag_qa.yaml --data --responses outputs.jsonl
    """
    findings = _findings(task, data, options)
    errors = sum(finding.level == "error" for finding in findings)
    if as_json:
        listed = [{"level": finding.level, "where": finding.where, "message": finding.message} for finding in findings]
        print_json({"task": str(task), "ok": not errors, "findings": listed})
        return 2 if errors else 0
    for finding in findings:
        click.echo(str(finding))
    looked = "the file and its data" if data else "the file; --data also reads the data"
    click.echo(f"{task}: {_counted(errors, 'error')}, {_counted(len(findings) - errors, 'warning')} ({looked})")
    return 2 if errors else 0


def _findings(path: Path, data: bool, options: dict[str, Any]) -> list[Finding]:
    from evalharness.task import Finding, check_data, check_task, is_training_file, load_task

    try:
        if is_training_file(path):
            return _training_findings(path, data, options)
        task = load_task(path, **options)
        return sorted([*check_task(task), *(check_data(task) if data else ())], key=lambda finding: finding.level)
    except FaultsFound as found:
        return [Finding("error", fault.message, fault.where or str(path)) for fault in found.faults]
    except EvalharnessError as error:
        return [Finding("error", str(error), str(path))]


def _training_findings(path: Path, data: bool, options: dict[str, Any]) -> list[Finding]:
    """Return what is found in a training task, or in all tasks that `vary` makes of it, each thing once."""
    from evalharness.task import Finding, check_data, check_task, load_training
    from evalharness.training.suiting import check_parts, unsuited

    given = [f"--{name}" for name in ("system", "model", "responses") if options[name] is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: not for a training task, which makes its own systems")
    found: dict[Finding, None] = {}
    for task in load_training(path, overrides=options["overrides"]):
        found |= dict.fromkeys([*check_task(task), *((*check_data(task), *check_parts(task)) if data else ())])
        found |= dict.fromkeys(Finding("error", fault.message, fault.where) for fault in unsuited(task))
    return sorted(found, key=lambda finding: finding.level)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
