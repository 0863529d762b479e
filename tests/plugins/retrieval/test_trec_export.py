"""A run's rankings as a TREC run file, which gives the same ranking when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from evalharness_retrieval.trec import read_run

import evalharness as eh
from evalharness.cli.main import cli

TASK = """
name: t
output_type: retrieve
dataset: {path: data.jsonl}
system: {name: mine, retriever: recorded}
metrics: [mrr]
"""
SAMPLES = [
    '{"id": "1", "relevant": {"b": 1}, "contexts": [{"id": "a", "text": "", "score": 2}, {"id": "b", "text": "", "score": 0.1}]}',
    '{"id": "2", "relevant": {"b": 1}, "contexts": [{"id": "a", "text": "", "score": 1}, {"id": "b", "text": "", "score": 1}]}',
    '{"id": "3", "relevant": {"b": 1}, "contexts": [{"id": "b", "text": "t"}, {"id": "a", "text": "t"}]}',
    '{"id": "4", "relevant": {"b": 1}, "contexts": []}',
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    Path("task.yaml").write_text(TASK, encoding="utf-8")
    Path("data.jsonl").write_text("\n".join(SAMPLES) + "\n", encoding="utf-8")


def export(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["export", *arguments, "--format", "trec-run"])
    return result.exit_code, result.output


def test_an_exported_run_has_the_same_rankings_and_scores() -> None:
    before = eh.run("task.yaml", out="run")
    assert export("run", "--out", "exported") == (0, "exported/t_mine.run.txt\n")
    path = Path("exported/t_mine.run.txt")
    assert path.read_text(encoding="utf-8").splitlines() == [
        "1 Q0 a 1 2 mine", "1 Q0 b 2 0.1 mine", "2 Q0 a 1 2.0 mine", "2 Q0 b 2 1.0 mine", "3 Q0 b 1 2.0 mine",
        "3 Q0 a 2 1.0 mine",
    ]  # fmt: skip
    assert list(read_run(path).numbers) == ["1", "2", "3"]
    after = eh.run("task.yaml", responses=path, out="again")
    assert after.scores["mrr"].value == before.scores["mrr"].value == 0.5


def test_what_cannot_be_a_run_file_is_told() -> None:
    eh.run("task.yaml", out="run")
    code, told = export("run")
    assert code == 2
    assert "name a folder with --out DIR" in told
    Path("data.jsonl").write_text(SAMPLES[0].replace('"id": "a"', '"id": "a b"') + "\n", encoding="utf-8")
    eh.run("task.yaml", out="blank")
    code, told = export("blank", "--out", "exported")
    assert code == 2
    assert "the id 'a b' holds a blank" in told
    assert not Path("exported/t_mine.run.txt").exists()
