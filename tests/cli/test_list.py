"""`evalharness list`: plugins by kind, and the tasks of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalharness import registry
from evalharness.cli.list import KINDS
from evalharness.cli.main import cli


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, ["list", *args])


@pytest.mark.parametrize("plural", KINDS)
def test_every_plugin_is_listed_with_its_first_line(plural: str) -> None:
    rows = json.loads(run(plural, "--json").output)
    assert [row["name"] for row in rows] == sorted(registry.installed().entries[KINDS[plural]])
    assert all(row["description"] and row["plugin"] for row in rows)


def test_metrics_say_which_end_is_better() -> None:
    rows = {row["name"]: row for row in json.loads(run("metrics", "--json").output)}
    assert (rows["bleu"]["better"], rows["perplexity"]["better"]) == ("higher", "lower")


def test_the_table_is_aligned_and_names_its_columns() -> None:
    lines = run("metrics").output.splitlines()
    assert lines[0].split() == ["name", "better", "plugin", "description"]
    starts = {line.index(line.split()[1], len(line.split()[0])) for line in lines}
    assert len(starts) == 1


def test_without_a_kind_all_names_are_listed() -> None:
    rows = {row["kind"]: row["names"] for row in json.loads(run("--json").output)}
    assert list(rows) == list(KINDS)
    assert "bm25" in rows["retrievers"]


def test_tasks_are_the_yaml_files_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "There are no tasks." in run("tasks").output
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "one.yaml").write_text("name: one\ndescription: The first.\n", encoding="utf-8")
    (tmp_path / "tasks" / "broken.yaml").write_text("a: [", encoding="utf-8")
    (tmp_path / "tasks" / "deep.yaml").write_text("[" * 100_000, encoding="utf-8")
    rows = {row["file"]: row for row in json.loads(run("tasks", "--json").output)}
    assert rows["tasks/one.yaml"] == {"name": "one", "description": "The first.", "file": "tasks/one.yaml"}
    for name in ("broken", "deep"):
        assert f"Run 'evalharness check tasks/{name}.yaml'." in rows[f"tasks/{name}.yaml"]["description"]


def test_an_unknown_kind_is_refused() -> None:
    done = run("metricks")
    assert done.exit_code == 2
    assert "'metrics'" in done.output
