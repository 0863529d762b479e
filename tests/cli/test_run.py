"""The command `evalharness run`: what a person sees, and exit codes."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness import registry
from evalharness.cli.main import cli
from evalharness.registry import Source

TASK = """
name: small
version: 1
description: A task for tests.
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: echo, prompt: "Say: {{ input }}", model: echo}
metrics: [exact_match, token_f1]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    rows = [{"id": f"s{number}", "question": f"word{number}", "answers": [f"Say: word{number}"]} for number in range(30)]
    rows[3]["answers"] = []
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("task.yaml").write_text(TASK)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments])


def test_the_table_fits_eighty_columns_and_says_what_was_not_measured(folder: Path) -> None:
    result = run("task.yaml")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"exact_match +1\.000 +0\.\d+ to 1\.000 +29", result.stdout)
    assert "all scores: 1 unmeasured, no reference" in result.stdout
    assert "30 requests, 0 from the store" in result.stdout


def test_one_sample_is_no_plural_and_where_no_interval_is_none_is_spoken_of(folder: Path) -> None:
    text = " ".join(run("task.yaml", "--limit", "1").stdout.split())
    assert "small · echo · 1 sample score" in text
    assert "1 request, 0 from the store" in text
    assert "no interval: fewer than 5 groups" in text
    assert "rests on" not in text


def test_json_is_the_record(folder: Path) -> None:
    result = run("task.yaml", "--json", "--out", "out")
    assert json.loads(result.stdout) == json.loads(Path("out/record.json").read_text())


def test_the_prompt_is_shown_as_the_model_sees_it(folder: Path) -> None:
    assert run("task.yaml", "--show-prompt").stdout == "Say: word0\n"
    assert json.loads(run("task.yaml", "--show-prompt", "--json").stdout) == {"prompt": "Say: word0"}
    Path("out.jsonl").write_text('{"id": "s0", "response": "x"}\n')
    assert run("task.yaml", "--responses", "out.jsonl", "--show-prompt").stdout == "(model 'recorded' is given no prompt)\n"
    assert not Path("runs").exists()


def test_errors_in_some_samples_are_exit_code_3(folder: Path) -> None:
    Path("out.jsonl").write_text('{"id": "s0", "response": "x"}\n{"id": "s1", "response": 5}\n')
    result = run("task.yaml", "--responses", "out.jsonl")
    assert result.exit_code == 3
    text = " ".join(result.stdout.split())
    assert "all scores: 29 lost to errors and excluded" in text
    assert "out.jsonl holds no response for this sample (28 times; first: s2, s3, s4, s5, s6)" in text
    assert "out.jsonl:2: the field 'response' must be a string, not a number (1 time; first: s1)" in text


def test_broken_lines_of_data_are_shown_with_file_and_line(folder: Path) -> None:
    with Path("data.jsonl").open("a") as file:
        file.write('{"id": "broken", \n')
    result = run("task.yaml")
    assert result.exit_code == 3
    assert "data: 1 could not be read" in result.stdout
    assert "data.jsonl:31: broken JSON" in " ".join(result.stdout.split())


def test_a_missing_or_empty_file_of_responses_is_explained(folder: Path) -> None:
    missing = run("task.yaml", "--responses", "gone.jsonl")
    Path("empty.jsonl").write_text("")
    empty = run("task.yaml", "--responses", "empty.jsonl")
    for result in (missing, empty):
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
    assert "gone.jsonl" in missing.stderr
    assert "empty.jsonl" in empty.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml"], "missing.yaml: cannot read the file"),
        ([], "say which task to run, for example: evalharness run tasks/rag_qa.yaml"),
        (["task.yaml", "--set", "metrics=[blue]"], "no metric is called 'blue'. Did you mean 'bleu'?"),
        (["task.yaml", "--model", "ecko"], "no model is called 'ecko'. Did you mean 'echo'?"),
        (["task.yaml", "--limit", "0"], "'--limit'"),
        (["task.yaml", "--set", "dataset.path=nothing.jsonl"], "nothing.jsonl"),
        (["task.yaml", "--until", "exact_match 0.1"], "for example: --until 'exact_match ±0.02'"),
        (["task.yaml", "--until-decided", "nowhere"], "nowhere is no run with samples"),
        (["--rescore", "nowhere"], "nowhere is no finished run"),
        (["--rescore"], "say which run to score again"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(folder: Path, arguments: Sequence[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_run_is_scored_again(folder: Path) -> None:
    run("task.yaml", "--out", "out")
    assert "agree with the record" in run("--rescore", "out").stdout
    assert json.loads(run("--rescore=statistics", "out", "--json").stdout)["agrees"] is True
    record = Path("out/record.json").read_text()
    Path("out/record.json").write_text(record.replace('"samples": 29', '"samples": 28'))
    result = run("--rescore", "out")
    assert result.exit_code == 1
    assert "exact_match: samples is 28 in the record, 29 recomputed" in result.stdout


def many(count: int) -> None:
    """Write more samples, of which three quarters are answered as wanted."""
    wanted = [f"Say: w{number}" if number % 4 else "no" for number in range(count)]
    rows = [{"id": f"s{number}", "question": f"w{number}", "answers": [text]} for number, text in enumerate(wanted)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_run_that_stops_early_says_when_and_what_it_saved(folder: Path) -> None:
    many(300)
    result = run("task.yaml", "--until", "exact_match +-0.12", "--out", "out")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    text = " ".join(result.stdout.split())
    found = re.search(r"stopped after (\d+) of 300 samples: exact_match ±0.12 reached; (\d+) requests saved", text)
    assert found is not None
    assert int(found[1]) + int(found[2]) == 300
    assert f"small · echo · {found[1]} samples" in text
    assert "those of the other scores do not: exact_match chose the moment" in text
    assert "agree with the record" in run("--rescore", "out").stdout
    shown = json.loads(run("task.yaml", "--until", "exact_match ±0.12", "--json").stdout)["stopping"]
    assert (shown["goal"], shown["samples"], shown["reached"]) == ("exact_match ±0.12", int(found[1]), True)


def test_a_run_that_is_decided_against_another_says_by_how_much(folder: Path) -> None:
    many(300)
    Path("a.jsonl").write_text("".join(json.dumps({"id": f"s{number}", "response": "no"}) + "\n" for number in range(300)))
    run("task.yaml", "--responses", "a.jsonl", "--out", "a")
    text = " ".join(run("task.yaml", "--until-decided", "a on token_f1", "--out", "b").stdout.split())
    assert re.search(
        r"stopped after \d+ of 300 samples: token_f1 is higher than in a by 0.\d+ to \d.\d+; \d+ requests saved", text
    )
    text = " ".join(run("task.yaml", "--until-decided", "b", "--out", "c").stdout.split())
    assert re.search(
        r"took all \d+ samples that b holds \(of 300\): exact_match is not decided against b, the difference is -0.\d+ to 0.\d+ ",
        text,
    )
    assert "chose the moment" not in text


def test_a_plugin_that_fails_after_the_run_is_told_of_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @eh.hookimpl
    def evalharness_run_finished(record: Any) -> None:
        raise RuntimeError("no server\n" + "x" * 10 + " and so on" * 40)

    module = ModuleType("tests_late")
    vars(module)["evalharness_run_finished"] = evalharness_run_finished
    found = registry.load(importlib.metadata.entry_points(group="evalharness"))
    found.add(module, Source("late", "tests", "1"))
    monkeypatch.setattr(registry, "installed", lambda: found)
    result = run("task.yaml")
    (line,) = result.stderr.splitlines()
    assert line.startswith("note: evalharness_run_finished of plugin 'tests:late' failed: RuntimeError: no server xxxxxxxxxx and")
    assert line.endswith(" …; see log.jsonl")
    assert result.exit_code == 0


@pytest.mark.parametrize("out", [[], ["--out", "mine"]])
def test_responses_that_are_not_there_leave_nothing(folder: Path, out: list[str]) -> None:
    before = sorted(Path().iterdir())
    assert run("task.yaml", "--responses", "gone.jsonl", *out).exit_code == 2
    assert sorted(path for path in Path().iterdir() if path.name != "cache") == before


def test_a_store_of_its_own_and_fresh(folder: Path) -> None:
    run("task.yaml", "--store", "mine.sqlite")
    assert "0 requests, 30 from the store" in run("task.yaml", "--store", "mine.sqlite").stdout
    assert "30 requests, 0 from the store" in run("task.yaml", "--store", "mine.sqlite", "--fresh").stdout


def test_a_format_nobody_renders_is_refused(folder: Path) -> None:
    result = run("task.yaml", "--format", "runes")
    assert result.exit_code == 2
    assert "no format is called 'runes', and no plugin renders it" in result.stderr


def test_the_cache_is_shown_and_trimmed(folder: Path) -> None:
    run("task.yaml")
    shown = CliRunner().invoke(cli, ["cache", "show"]).stdout
    assert "30 answers" in shown
    assert re.search(r"generate +echo \w{12} +30", shown)
    refused = CliRunner().invoke(cli, ["cache", "trim"])
    assert refused.exit_code == 2
    assert "say what to delete" in refused.output
    assert CliRunner().invoke(cli, ["cache", "trim", "--all"]).stdout == "deleted 30 answers\n"
    assert json.loads(CliRunner().invoke(cli, ["cache", "show", "--json"]).stdout)["holdings"] == []
