"""The front door: light start, help, hints, exit codes, and what becomes of an error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner

from evalharness import __version__
from evalharness.cli.main import COMMANDS, Commands, cli, exit_code
from evalharness.errors import DataError, Fault, FaultsFound, UsageError

HEAVY = {"numpy", "torch", "datasets", "transformers", "yaml", "scipy", "pyarrow", "rich", "jinja2", "sacrebleu", "rapidfuzz"}


def modules_after(*args: str) -> set[str]:
    """Return the top-level modules that a fresh process holds after running the command line with these arguments."""
    program = (
        "import sys\nfrom evalharness.cli.main import cli\n"
        "try:\n    cli(sys.argv[1:])\nfinally:\n    sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("list",), ("list", "metrics"), ("plugins",)], ids=" ".join)
def test_start_and_listing_import_nothing_heavy(args: tuple[str, ...]) -> None:
    loaded = modules_after(*args)
    assert "click" in loaded
    assert not loaded & HEAVY


def test_help_imports_no_plugin() -> None:
    assert not [name for name in modules_after("--help") if name.startswith("evalharness_")]


def test_help_names_every_command_within_80_columns() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [leaf for name in command.commands for leaf in leaves(command.commands[name], f"{path} {name}")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_help_for_each_option(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for path, leaf in leaves(command, name):
        options = [item for item in leaf.params if isinstance(item, click.Option)]
        assert any("--json" in item.opts for item in options), f"{path} has no --json"
        assert not [item.name for item in options if not item.help], f"{path} has an option without help"


def test_unknown_command_suggests_the_nearest() -> None:
    done = CliRunner().invoke(cli, ["descrbe"])
    assert done.exit_code == 2
    assert "No command is called 'descrbe'. Did you mean 'describe'?" in done.output


def test_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"evalharness, version {__version__}\n"


def failing(error: BaseException) -> Callable[[], Any]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("no such thing"), 2, "no such thing\n"),
        (DataError("a.jsonl:3: broken"), 2, "a.jsonl:3: broken\n"),
        (FaultsFound([Fault("one", "t.yaml:1:1"), Fault("two", "t.yaml:2:1")]), 2, "t.yaml:1:1: one\nt.yaml:2:1: two\n"),
        (click.UsageError("bad option"), 2, "Error: bad option\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (click.Abort(), 130, "Interrupted.\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_that_a_user_can_mend_print_their_message_alone(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(failing(error)) == code
    assert capsys.readouterr().err == message


def test_a_fault_of_the_program_shows_the_traceback_and_asks_to_report_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(failing(ZeroDivisionError("oops"))) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ZeroDivisionError: oops" in told
    assert "Please report it" in told.splitlines()[-1]


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (3, 3), ("text", 0)])
def test_what_a_command_returns_is_the_exit_code(returned: Any, code: int) -> None:
    assert exit_code(lambda: returned) == code


def test_a_group_reports_the_exit_code_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = click.Command("run", callback=lambda: 1)
    monkeypatch.setattr(Commands, "get_command", lambda *_: gate)
    assert CliRunner().invoke(cli, ["run"]).exit_code == 1


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_a_closed_pipe_is_quiet() -> None:
    program = "from evalharness.cli.main import cli; cli(['list', '--json'])"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
