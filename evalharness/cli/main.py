"""The command line's front door: which commands there are, and what becomes of an error.

Commands are imported when they are used, so that `--help` stays light. A command may return an exit code:
0 done, 1 a gate failed, 2 wrong usage or input, 3 finished with errors in some samples, 130 interrupted;
70 is a fault of the program itself.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from evalharness import __version__
from evalharness.errors import EvalharnessError, nearest

SECTIONS = {
    "Evaluate": {
        "run": "Run a task and print its scores with intervals.",
        "check": "Check a task file without running it.",
        "view": "Write one page of a run: scores, slices and every sample.",
    },
    "Decide": {
        "compare": "Compare runs of one task: is B better than A?",
        "study": "Write the result of a training task from its run folders.",
        "plan": "Say which difference a task can show, and how many samples another one needs.",
    },
    "Pass on": {
        "export": "Write the records of runs in a format that others read.",
        "import": "Turn a results file of lm-evaluation-harness into run folders.",
    },
    "Publish": {
        "leaderboard": "Add runs to a leaderboard, check it, build its site, look at it.",
    },
    "Find out": {
        "list": "List the metrics, models and other plugins, or the tasks.",
        "describe": "Describe a plugin: what it does, its options, an example.",
        "plugins": "Show the installed plugin packages, and which failed.",
    },
    "Extend": {
        "plugin": "Write a new plugin package, or test an installed one.",
    },
    "Keep house": {
        "weights": "List, fetch and verify the weights of local models.",
        "cache": "Show and trim the response store.",
    },
}
COMMANDS = {name: help_line for section in SECTIONS.values() for name, help_line in section.items()}


class PipeClosed(Exception):
    """The reader of a pipe has seen enough."""


class Commands(click.Group):
    """A group whose commands are the modules `evalharness.cli.NAME`, imported on use; that of `import` is `import_`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"evalharness.cli.{module}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No command is called '{args[0]}'.{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would exit with 1, which is a failed gate's code
            raise PipeClosed from error

    def main(self, *args: Any, **settings: Any) -> Any:
        if not settings.get("standalone_mode", True):
            return super().main(*args, **settings)
        settings["standalone_mode"] = False
        sys.exit(exit_code(lambda: super(Commands, self).main(*args, **settings)))


def exit_code(run: Callable[[], Any]) -> int:
    """Return the exit code of a command, with every error told on stderr."""
    try:
        code = run()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except EvalharnessError as error:
        click.echo(str(error), err=True)
        return 2
    except (PipeClosed, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:
        traceback.print_exc()
        click.echo("This is a fault of evalharness or of a plugin. Please report it with the lines above.", err=True)
        return 70


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="evalharness")
def cli() -> None:
    """Evaluate language models and retrieval-augmented systems: scores with intervals, comparisons, plugins."""
