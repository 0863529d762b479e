"""The commands `evalharness export` and `evalharness import`, and `run --format`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness import registry
from evalharness.cli.main import cli
from evalharness.registry import Registry, Source

TASK = """
name: small
version: 1
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: echo, prompt: "Say: {{ input }}", model: echo}
metrics: [exact_match, token_f1]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    rows = [{"id": f"s{n}", "question": f"word {n}", "answers": [f"Say: word {n % 20}"]} for n in range(40)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Path("task.yaml").write_text(TASK, encoding="utf-8")
    assert evalharness("run", "task.yaml", "--out", "a").exit_code == 0
    assert evalharness("run", "task.yaml", "--out", "b", "--set", "system.name=other").exit_code == 0
    return tmp_path


def evalharness(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize("form", ["markdown", "latex", "model-index", "every-eval-ever", "lm-eval"])
def test_run_and_export_write_a_format_by_the_same_code(folder: Path, form: str) -> None:
    ran = evalharness("run", "task.yaml", "--out", "a", "--format", form)
    exported = evalharness("export", "a", "--format", form)
    assert (ran.exit_code, exported.exit_code) == (0, 0), exported.output
    assert exported.stdout == ran.stdout


def test_several_runs_stand_in_one_table_on_screen_and_in_a_file(folder: Path) -> None:
    shown = evalharness("export", "a", "b/record.json", "--format", "markdown").stdout
    assert shown.startswith("| score | echo | samples | other | samples |")
    written = evalharness("export", "a", "b", "--format", "markdown", "--out", "tables/both.md")
    assert written.stdout == "tables/both.md\n"
    assert Path("tables/both.md").read_text(encoding="utf-8") == shown


def test_formats_with_samples_write_their_files_into_a_folder(folder: Path) -> None:
    result = evalharness("export", "a", "b", "--format", "lm-eval", "--out", "files", "--json")
    found = json.loads(result.stdout)["files"]
    assert [Path(path).parent.name for path in found] == ["echo", "echo", "other", "other"]
    assert all(Path(path).is_file() for path in found)
    assert len(json.loads(evalharness("export", "a", "--format", "every-eval-ever", "--out", "e", "--json").stdout)["files"]) == 2


@pytest.mark.parametrize("form", ["lm-eval", "every-eval-ever"])
def test_a_record_takes_along_the_samples_beside_it(folder: Path, form: str) -> None:
    for place, run in (("by_folder", "a"), ("by_record", "a/record.json")):
        assert evalharness("export", run, "--format", form, "--out", place).exit_code == 0
    found = [{path.name: path.read_bytes() for path in Path(place).rglob("*.json*")} for place in ("by_folder", "by_record")]
    assert found[0] == found[1]
    assert len(found[0]) == 2
    Path("alone.json").write_bytes(Path("a/record.json").read_bytes())
    assert len(evalharness("export", "alone.json", "--format", form, "--out", "alone").stdout.splitlines()) == 1


def test_json_holds_the_text(folder: Path) -> None:
    shown = json.loads(evalharness("export", "a", "--format", "latex", "--json").stdout)
    assert shown["format"] == "latex"
    assert shown["text"].splitlines()[1] == r"\begin{table}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--format", "markdwon"], "no format is called 'markdwon', and no plugin renders it. Did you mean 'markdown'?"),
        (["a", "b", "--format", "lm-eval"], "a file of the format 'lm-eval' holds one run, not 2"),
        (["nowhere", "--format", "latex"], "nowhere does not exist"),
        (["nowhere", "--format", "lm-eval", "--out", "x"], "nowhere does not exist"),
        (["data.jsonl", "--format", "latex"], "data.jsonl is not a record: it is no JSON (Extra data"),
        (["a", "--format", "latex", "--out", "b"], "b is a folder; give a file"),
        (["a", "--format", "latex", "--out", "data.jsonl/x"], "data.jsonl is a file; give a folder"),
        (["a", "--format", "lm-eval", "--out", "data.jsonl"], "data.jsonl is a file; give a folder"),
        (["a", "--format", "every-eval-ever", "--out", "data.jsonl"], "data.jsonl is a file; give a folder"),
        (["a"], "Missing option '--format'"),
        (["--format", "latex"], "Missing argument 'RUN...'"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(folder: Path, arguments: list[str], message: str) -> None:
    result = evalharness("export", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_the_help_lists_the_formats() -> None:
    shown = evalharness("export", "--help").stdout
    assert all(name in shown for name in ("markdown", "latex", "model-index", "every-eval-ever", "lm-eval"))


@eh.hookimpl
def evalharness_render(record: Any, format: str) -> str | None:
    return f"{record.system['name']} in points" if format == "points" else "never" if format == "markdown" else None


def test_what_is_not_built_in_is_asked_of_plugins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata
    from types import ModuleType

    module = ModuleType("tests_render")
    vars(module)["evalharness_render"] = evalharness_render
    found: Registry = registry.load(importlib.metadata.entry_points(group="evalharness"))
    monkeypatch.setattr(registry, "installed", lambda: found)
    early = evalharness("run", "task.yaml", "--out", "early", "--format", "points")
    assert (early.exit_code, Path("early").exists()) == (2, False)
    assert "no format is called 'points', and no plugin renders it. There are: markdown," in early.stderr
    found.add(module, Source("tests", "tests", "1"))
    late = evalharness("run", "task.yaml", "--out", "late", "--format", "scores")
    assert (late.exit_code, Path("late/record.json").is_file()) == (2, True)
    assert "no format is called 'scores', and no plugin renders it" in late.stderr
    assert evalharness("export", "a", "b", "--format", "points").stdout == "echo in points\nother in points\n"
    assert evalharness("run", "task.yaml", "--out", "a", "--format", "points").stdout == "echo in points\n"
    assert evalharness("export", "a", "--format", "markdown").stdout != "never\n"


def test_what_was_exported_is_imported_and_compared(folder: Path) -> None:
    for name in ("a", "b"):
        (results, _) = json.loads(evalharness("export", name, "--format", "lm-eval", "--out", "files", "--json").stdout)["files"]
        result = evalharness("import", results, "--out", f"back/{name}", "--json")
        assert json.loads(result.stdout) == {"runs": [f"back/{name}/small"]}
    compared = evalharness("compare", "back/a/small", "back/b/small")
    assert compared.exit_code == 0, compared.output
    assert "exact_match" in compared.stdout


def test_an_import_shows_the_scores_as_a_run_does(folder: Path) -> None:
    (results, _) = json.loads(evalharness("export", "a", "--format", "lm-eval", "--out", "files", "--json").stdout)["files"]
    result = evalharness("import", results, "--out", "back")
    assert result.exit_code == 0, result.output
    assert "small · echo · 40 samples" in result.stdout
    assert "exact_match  0.500" in result.stdout


def test_what_cannot_be_imported_is_one_message(folder: Path) -> None:
    result = evalharness("import", "data.jsonl", "--out", "back")
    assert result.exit_code == 2
    assert "data.jsonl is no results file of lm-evaluation-harness" in result.stderr
    assert evalharness("import", "data.jsonl").exit_code == 2
