"""`evalharness compare` and `evalharness plan` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalharness.cli.main import cli
from tests.comparison.conftest import answers, write_answers, write_task


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a task and three runs of it."""
    root = tmp_path_factory.mktemp("compare")
    task = write_task(root)
    for name, given in {"weak": (0.5, 2), "strong": (0.7, 4), "lame": (0.2, 5)}.items():
        responses = write_answers(root / f"{name}.jsonl", answers(*given))
        out, store = root / "runs" / name, root / "store.sqlite"
        done = call("run", task, "--responses", responses, "--out", out, "--store", store, "--json")
        assert done.exit_code == 0, done.output
    return root


def test_two_runs_are_compared_in_a_table_and_in_words(folder: Path) -> None:
    done = call("compare", folder / "runs/weak", folder / "runs/strong")
    assert done.exit_code == 0
    assert "sums · 240 samples in 60 groups" in done.output
    assert "exact_match: b is better by " in done.output
    assert "exact_match changed most in: q" in done.output


def test_why_scores_cannot_be_compared_is_said_once(folder: Path, tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("weak", "strong")]
    for run in runs:
        responses = folder / f"{run.name}.jsonl"
        call("run", folder / "task.yaml", "--responses", responses, "--out", run, "--store", tmp_path / "store", "--limit", "4")
    done = call("compare", *runs)
    (line,) = [line for line in done.output.splitlines() if "cannot be compared: fewer than 5 groups" in line]
    assert line.startswith("exact_match, token_f1, bleu: ")


def test_slices_are_shown_for_the_scores_asked_for(folder: Path) -> None:
    done = call("compare", folder / "runs/weak", folder / "runs/strong", "--by", "kind", "--score", "bleu")
    rows = [line.split()[:3] for line in done.output.splitlines() if line.startswith(("even", "odd"))]
    assert rows == [["even", "bleu", "120"], ["odd", "bleu", "120"]]


def test_three_runs_are_ranked_and_told_apart(folder: Path) -> None:
    done = call("compare", *(folder / "runs" / name for name in ("weak", "strong", "lame")))
    row = next(line for line in done.output.splitlines() if line.startswith("exact_match"))
    assert [part for part in row.split() if part.isalpha()] == ["b", "a", "c"]
    assert "exact_match: value of the row minus that of the column in points" in done.output
    matrix = [line for line in done.output.splitlines() if line.startswith(("a  ", "b  ", "c  "))]
    assert [line.count("*") for line in matrix] == [2, 2, 2]
    assert "b against a\n  exact_match: b is better by" in done.output
    assert "c against a\n  exact_match: c is worse by" in done.output


def test_slices_of_three_runs_name_the_run(folder: Path) -> None:
    done = call("compare", *(folder / "runs" / name for name in ("weak", "strong", "lame")), "--by", "kind")
    rows = [line.split()[:4] for line in done.output.splitlines() if line.startswith(("even ", "odd "))]
    assert rows == [[kind, run, "exact_match", "120"] for run in ("b", "c") for kind in ("even", "odd")]


def test_a_run_that_the_option_swallows_is_told(folder: Path) -> None:
    done = call("compare", "--fail-if-worse", folder / "runs/weak", folder / "runs/strong")
    assert done.exit_code == 2
    assert "name the runs first" in done.output


def test_json_has_pairs_gates_and_standings(folder: Path) -> None:
    done = call("compare", *(folder / "runs" / name for name in ("weak", "strong", "lame")), "--fail-under", "bleu=0", "--json")
    found = json.loads(done.output)
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [("weak", "strong"), ("weak", "lame"), ("strong", "lame")]
    assert [gate["passed"] for gate in found["gates"]] == [True, True]
    assert found["standings"][0]["systems"] == ["weak", "strong", "lame"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--fail-if-worse", "exact_match", "--margin", "2"), 0),
        (("--fail-under", "exact_match=0.5"), 0),
        (("--fail-under", "exact_match=0.99"), 1),
        (("--fail-if-worse", "exact_mach"), 2),
        (("--margin", "2"), 2),
        (("--fail-under", "exact_match"), 2),
    ],
)
def test_gates_decide_the_exit_code(folder: Path, options: tuple[str, ...], code: int) -> None:
    assert call("compare", folder / "runs/weak", folder / "runs/strong", *options).exit_code == code


def test_a_worse_run_fails_the_gate_of_every_score(folder: Path) -> None:
    done = call("compare", folder / "runs/strong", folder / "runs/weak", "--fail-if-worse")
    assert done.exit_code == 1
    assert done.output.count("FAILED  weak:") == 3


def test_reports_are_written_for_ci(folder: Path, tmp_path: Path) -> None:
    junit, summary = tmp_path / "gates.xml", tmp_path / "summary.md"
    done = call("compare", folder / "runs/strong", folder / "runs/weak", "--junit", junit, "--markdown", summary)
    assert done.exit_code == 0
    assert 'failures="3"' in junit.read_text(encoding="utf-8")
    assert "weak is worse by" in summary.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    done = call("compare", folder / "runs/strong", folder / "runs/weak", "--junit", tmp_path / "none" / "gates.xml")
    assert (done.exit_code, done.output.startswith("cannot write")) == (2, True)


def test_one_run_is_not_enough(folder: Path) -> None:
    done = call("compare", folder / "runs/weak")
    assert done.exit_code == 2
    assert "name two runs or more" in done.output


def test_a_plan_comes_from_past_runs(folder: Path) -> None:
    done = call("plan", folder / "task.yaml", "--runs", folder / "runs", "--difference", "0.02", "--json")
    found = json.loads(done.output)
    assert len(found["runs"]) == 3
    assert {row["difference"] for row in found["rows"]} == {0.02}
    text = call("plan", folder / "task.yaml", "--runs", folder / "runs").output
    assert "paired, 3 pairs" in text


def test_a_plan_without_runs_gives_the_sizes_for_shares(folder: Path, tmp_path: Path) -> None:
    done = call("plan", folder / "task.yaml", "--runs", tmp_path)
    assert "no finished run of this task as it stands" in done.output
    assert "621" in done.output  # disagreement on 20 %, 5 points


@pytest.mark.parametrize(("limit", "code"), [("0.1", 0), ("0.99", 1)])
def test_a_run_fails_under_a_threshold(folder: Path, limit: str, code: int) -> None:
    words = ["--responses", folder / "weak.jsonl", "--out", folder / "gated", "--store", folder / "store.sqlite"]
    done = call("run", folder / "task.yaml", *words, "--fail-under", f"exact_match={limit}")
    assert done.exit_code == code
    assert ("FAILED  exact_match not under 0.99" in done.output) is (code == 1)


def test_a_threshold_of_an_unknown_score_is_told_before_anything_runs(folder: Path) -> None:
    done = call("run", folder / "task.yaml", "--out", folder / "never", "--fail-under", "exact_mach=0.5")
    assert done.exit_code == 2
    assert "Did you mean 'exact_match'?" in done.output
    assert not (folder / "never").exists()
