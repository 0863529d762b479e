"""`evalharness run`: run a task, or score a run again."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.output import json_option, print_json
from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.results import Record

PATH = click.Path(path_type=Path)
NOTE_WIDTH = 240
FOR_TRAINING = ("overrides", "out", "store", "fresh")


@click.command("run")
@click.argument("task", type=PATH, required=False)
@click.option("--system", type=PATH, help="A system's YAML file, in place of the task's own system.")
@click.option("--model", help="A model in place of the system's: NAME, or '{NAME: {option: value}}'.")
@click.option(
    "--responses", type=PATH, help="Score these recorded outputs (JSON lines with id and response); no model is loaded."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Replace one value of the task; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first N samples.")
@click.option("--until", metavar="GOAL", help="Stop as soon as a score is known so well, for example 'token_f1 ±0.02'.")
@click.option("--until-decided", metavar="RUN", help="Stop as soon as this or that run is shown to be better; 'RUN on SCORE'.")
@click.option("--out", type=PATH, help="The run folder; default: runs/TASK/SYSTEM-DIGEST.")
@click.option("--store", type=PATH, help="The response store's file; default: in the user's cache folder.")
@click.option("--fresh", is_flag=True, help="Ask everything anew, whatever is stored.")
@click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Ask at most N requests in this run.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Read and write at most N tokens in this run.")
@click.option(
    "--max-cost", type=click.FloatRange(min=0, min_open=True), metavar="X",
    help="Spend at most X US dollars in this run, by the system's prices.",
)  # fmt: skip
@click.option("--compare-dtype", is_flag=True, help="Answer in float32 too, and say what the model's dtype changed.")
@click.option("--strict", is_flag=True, help="Stop at the first broken line of data.")
@click.option("--offline", is_flag=True, help="Open no network connection, not even for weights or data.")
@click.option("--dry-run", is_flag=True, help="Ask no model: print what the run would take, and which difference it could show.")
@click.option("--show-prompt", is_flag=True, help="Print the first sample's prompt as the model will see it, and stop.")
@click.option(
    "--rescore", is_flag=False, flag_value="measure", metavar="RUN",
    help="Score a finished run again from its samples; --rescore=statistics RUN repeats the last step only.",
)  # fmt: skip
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Train this arm of a training task; may be repeated.")
@click.option("--seed", "seeds", multiple=True, type=int, help="Train with this seed of a training task; may be repeated.")
@click.option("--jobs", type=click.IntRange(min=1), help="Train so many arms at a time, each in a process; pays for tables.")
@click.option("--quick", is_flag=True, help="Try a training task: few steps, few samples, one seed, in a folder of its own.")
@click.option(
    "--fail-under",
    "under",
    multiple=True,
    metavar="SCORE=VALUE",
    help="Exit with 1 if a score is worse than this; may be repeated.",
)
@click.option("--format", "form", help="Print the record in a format of 'evalharness export'.")
@json_option
def command(
    task: Path | None, rescore: str | None, show_prompt: bool, offline: bool, under: tuple[str, ...], form: str | None,
    as_json: bool, arms: tuple[str, ...], seeds: tuple[int, ...], quick: bool, jobs: int | None, dry_run: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Run a task and print its scores with intervals.

    Answers are stored as they arrive: a run that was stopped goes on when it is started again, and a task with one
    more metric asks no model twice. A training task trains each of its arms with each of its seeds; what is finished
    is not trained again, and what was interrupted goes on from its last checkpoint. --dry-run tells beforehand what
    the models would be asked. Exit codes: 0 done, 1 a score is
    under --fail-under, 2 wrong input, 3 errors in some samples, 130 interrupted.

    \b
    Examples:
      evalharness run tasks/rag_qa.yaml
      evalharness run tasks/rag_qa.yaml --system tasks/systems/bm25.yaml --limit 20
      evalharness run tasks/rag_qa.yaml --responses outputs.jsonl
      evalharness run my_task.yaml --dry-run
      evalharness run my_task.yaml --set system.model.hf.dtype=bfloat16 --compare-dtype
      evalharness run my_task.yaml --max-cost 2.00
      evalharness run my_task.yaml --until 'token_f1 ±0.05'
      evalharness run my_task.yaml --until-decided runs/my_task/bm25-1f0c2d3e
      evalharness run --rescore runs/rag_qa/dense-smollm2-1f0c2d3e
      evalharness run tasks/instruction_tuning.yaml --arm completion_only --seed 0
      evalharness run tasks/loss_robustness.yaml --quick
    """
    if offline:
        os.environ["EVALHARNESS_OFFLINE"] = "1"
    if rescore is not None:
        return _rescore(rescore, task, as_json)
    if task is None:
        raise UsageError("say which task to run, for example: evalharness run tasks/rag_qa.yaml")
    chosen = {"arms": arms, "seeds": seeds, "quick": quick, "jobs": jobs}
    if _is_training(task):
        refused = {"show_prompt": show_prompt, "dry_run": dry_run, "fail_under": under, "format": form, **options}
        own = {**chosen, "jobs": jobs or 1, **{name: options[name] for name in FOR_TRAINING}}
        return _train(task, refused, own, as_json)
    _refuse_given(chosen, "choose what a training task (kind: training) trains, which this one is not")
    if show_prompt:
        return _show_prompt(task, options, as_json)
    if dry_run:
        refused = {"fail_under": under, "format": form, "compare_dtype": options["compare_dtype"]}
        return _dry_run(task, options, refused, as_json)
    wanted = _thresholds(task, under, options)
    _refuse_format(form)
    record = _run(task, options)
    _print(record, as_json, form)
    if not _reached(record, wanted):
        return 1
    return 3 if record.errors else 0


def _is_training(task: Path) -> bool:
    from evalharness.task import is_training_file

    return is_training_file(task)


def _refuse_given(options: dict[str, Any], why: str) -> None:
    """Raise UsageError where any of these options was given."""
    given = [f"--{name.removesuffix('s') if name in ('arms', 'seeds') else name}" for name, value in options.items() if value]
    if given:
        raise UsageError(f"{', '.join(given).replace('_', '-')}: {why}")


def _train(task: Path, refused: dict[str, Any], options: dict[str, Any], as_json: bool) -> int:
    """Run a training task and print the scores of its arms."""
    idle = {name: value for name, value in refused.items() if name not in FOR_TRAINING}
    _refuse_given(
        idle, "not for a training task, which trains and evaluates its own arms; it takes --arm, --seed, --quick, --jobs"
    )
    from evalharness import training
    from evalharness.cli.progress import Progress
    from evalharness.cli.training_report import training_table
    from evalharness.training.running import ArmsFailed

    late: list[str] = []
    command = shlex.join(["evalharness", *sys.argv[1:]])
    with Progress() as progress:
        try:
            records, failed = training.run(task, watch=progress.watch, tell=late.append, command=command, **options), ""
        except ArmsFailed as error:
            records, failed = error.records, str(error)
        except KeyboardInterrupt:
            click.echo("Run the same command again, without --fresh, to go on from the last checkpoint.", err=True)
            raise
    _tell(late)
    if as_json:
        print_json({arm: record.plain() for arm, record in records.items()})
    elif records:
        click.echo(training_table(records, quick=options["quick"]))
    if failed:
        click.echo(f"Not all arms were trained: {failed}", err=True)
    return 3 if failed or any(record.errors for record in records.values()) else 0


def _thresholds(task: Path, under: tuple[str, ...], options: dict[str, Any]) -> dict[str, float]:
    """Return the thresholds by score; a name that the task does not have is told before anything runs."""
    if not under:
        return {}
    from evalharness.comparison.gates import thresholds
    from evalharness.registry import installed
    from evalharness.running.parts import build_chain
    from evalharness.task import load_task

    chosen = {name: options[name] for name in ("system", "model", "responses", "overrides")}
    return thresholds(under, build_chain(load_task(task, **chosen), installed()).score_names)


def _refuse_format(form: str | None) -> None:
    """Tell a format that nothing knows before anything runs."""
    if form is not None:
        from evalharness.results.export import refuse_unknown

        refuse_unknown(form)


def _reached(record: Record, wanted: dict[str, float]) -> bool:
    """Say on stderr which scores are worse than they must be, and return whether none is."""
    if not wanted:
        return True
    from evalharness.comparison.gates import reaches

    failed = [gate for gate in reaches(str(record.system["name"]), record.scores, wanted) if not gate.passed]
    for gate in failed:
        click.echo(f"FAILED  {gate.name} · {gate.message}", err=True)
    return not failed


def _run(task: Path, options: dict[str, Any]) -> Record:
    from evalharness import running
    from evalharness.cli.progress import Progress

    late: list[str] = []
    command = shlex.join(["evalharness", *sys.argv[1:]])
    with Progress() as progress:
        try:
            record = running.run(task, watch=progress.watch, tell=late.append, command=command, **options)
        except KeyboardInterrupt:
            click.echo("The answers so far are stored: run the same command again, without --fresh, to go on.", err=True)
            raise
    _tell(late)
    return record


def _tell(late: list[str]) -> None:
    for message in late:
        click.echo(f"note: {textwrap.shorten(message, NOTE_WIDTH, placeholder=' …')}; see log.jsonl", err=True)


def _dry_run(task: Path, options: dict[str, Any], refused: dict[str, Any], as_json: bool) -> int:
    """Print what the run would take."""
    from evalharness.cli import forecast_report
    from evalharness.systems.budget import Limits

    _refuse_given(refused, "nothing is scored with --dry-run")
    limits = Limits(requests=options["max_requests"], tokens=options["max_tokens"], cost=options["max_cost"])
    outlook, shown = forecast_report.forecast(task, options, limits)
    if as_json:
        print_json(forecast_report.plain(outlook, shown, limits))
    else:
        click.echo(forecast_report.text(outlook, shown, limits))
    return 0


def _show_prompt(task: Path, options: dict[str, Any], as_json: bool) -> int:
    from evalharness import running

    chosen = {name: options[name] for name in ("system", "model", "responses", "overrides", "store")}
    prompt = running.first_prompt(task, **chosen)
    if as_json:
        print_json({"prompt": prompt})
    else:
        click.echo(prompt)
    return 0


def _rescore(rescore: str, task: Path | None, as_json: bool) -> int:
    from evalharness import running

    steps = rescore if rescore in ("measure", "statistics") else "measure"
    folder = task if rescore in ("measure", "statistics") else Path(rescore)
    if folder is None:
        raise UsageError("say which run to score again, for example: evalharness run --rescore runs/rag_qa/bm25-1f0c2d3e")
    agreement = running.rescore(folder, statistics_only=steps == "statistics")
    if as_json:
        print_json(agreement.plain())
    else:
        click.echo(agreement.text())
    return 0 if agreement.agrees else 1


def _print(record: Record, as_json: bool, form: str | None) -> None:
    from evalharness.cli.report import table
    from evalharness.results.export import render

    if form is not None:
        click.echo(render([record], form))
    elif as_json:
        print_json(record.plain())
    else:
        click.echo(table(record))
