"""`evalharness check` tells all that can be found without running a task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalharness.cli.main import cli

TASK = """\
name: quiz
dataset: {path: quiz.jsonl, fields: {input: question, references: answers}}
system: {name: parrot, prompt: "{{ input }}", model: echo}
metrics: [exact_match]
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    Path("quiz.jsonl").write_text('{"id": "q1", "question": "Salt?", "answers": ["mineral"]}\n')

    def check(text: str, *arguments: str) -> Result:
        Path("quiz.yaml").write_text(text)
        return CliRunner().invoke(cli, ["check", "quiz.yaml", *arguments])

    return check


def test_a_sound_task_passes(check: Callable[..., Result]) -> None:
    result = check(TASK)
    assert result.stdout == "quiz.yaml: no errors, no warnings (the file; --data also reads the data)\n"
    assert result.exit_code == 0


def test_every_fault_of_the_file_is_printed_with_its_place(check: Callable[..., Result]) -> None:
    result = check(TASK.replace("exact_match", "exact_mach").replace("prompt", "promt"))
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[0].startswith("error: quiz.yaml:3:24: system has no key 'promt'. Did you mean 'prompt'?")
    assert any(
        line.startswith("error: quiz.yaml:4:11: no metric is called 'exact_mach'. Did you mean 'exact_match'?") for line in lines
    )
    assert lines[-1].startswith("quiz.yaml: 2 errors, no warnings")


def test_warnings_do_not_fail(check: Callable[..., Result]) -> None:
    result = check(TASK + "delimiter: x\n")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "warning: quiz.yaml:5:12: 'delimiter' has no effect without choices or few-shot examples",
        "quiz.yaml: no errors, 1 warning (the file; --data also reads the data)",
    ]


def test_the_data_is_read_when_asked_for(check: Callable[..., Result]) -> None:
    Path("quiz.jsonl").write_text(
        '{"id": "q1", "question": "Salt?", "answers": ["mineral"]}\n{"id": "q1", "question": "", "answers": []}\n'
    )
    assert check(TASK).exit_code == 0
    result = check(TASK, "--data")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "error: quiz.jsonl:2: the id 'q1' stands already at quiz.jsonl:1; ids must differ",
        "quiz.yaml: 1 error, no warnings (the file and its data)",
    ]


def test_json_holds_the_same_findings(check: Callable[..., Result]) -> None:
    result = check(TASK + "delimiter: x\n", "--json", "--set", "repeats=0")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "task": "quiz.yaml",
        "ok": False,
        "findings": [{"level": "error", "where": "--set repeats", "message": "'repeats' must be at least 1, not 0"}],
    }


def test_what_a_run_would_replace_is_replaced_in_the_check(check: Callable[..., Result]) -> None:
    Path("out.jsonl").write_text('{"id": "q1", "response": 7}\n')
    result = check(TASK, "--data", "--responses", "out.jsonl")
    assert "error: --responses: out.jsonl:1: the field 'response' must be a string, not a number" in result.stdout
    Path("other.yaml").write_text("model: ecko\n")
    assert (
        "error: other.yaml:1:8: no model is called 'ecko'. Did you mean 'echo'?" in check(TASK, "--system", "other.yaml").stdout
    )
    assert "error: --model: no model is called 'ecko'. Did you mean 'echo'?" in check(TASK, "--model", "ecko").stdout


def test_a_missing_task_file_is_an_error_without_traceback(check: Callable[..., Result]) -> None:
    result = CliRunner().invoke(cli, ["check", "absent.yaml"])
    assert result.exit_code == 2
    assert (
        result.stdout.splitlines()[0]
        == "error: absent.yaml: cannot read the file: No such file or directory; give the path of a YAML file"
    )
