"""`evalharness weights`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalharness.cli.main import cli, exit_code
from evalharness.systems import weights


def run(*arguments: str) -> int:
    return exit_code(lambda: cli.main(["weights", *arguments], standalone_mode=False))


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds one pinned name, with one file changed since."""
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path))
    folder = tmp_path / "weights" / "all-minilm-l6-v2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "evalharness.json").write_text(json.dumps({"files": {"config.json": "0" * 64}}), "utf-8")
    return folder


def test_list_shows_what_is_pinned_and_what_is_here(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert str(damaged) in shown
    assert "not fetched" in shown
    assert run("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == set(weights.SOURCES)
    assert {row["name"]: row["folder"] for row in rows}["smollm2-135m-instruct"] is None


def test_verify_of_damaged_weights_ends_with_2_and_says_how_to_mend(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 2
    captured = capsys.readouterr()
    assert "config.json has changed" in captured.out
    assert "evalharness weights fetch --again all-minilm-l6-v2" in captured.err
    assert run("verify", "all-minilm-l6-v2", "--json") == 2
    assert json.loads(capsys.readouterr().out) == {"all-minilm-l6-v2": ["config.json has changed"]}


def test_verify_of_missing_weights_ends_with_2(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "smollm2-135m-instruct") == 2
    assert "evalharness weights fetch smollm2-135m-instruct" in capsys.readouterr().err


def test_fetch_of_an_unknown_name_lists_the_pinned_ones(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "smollm2-135m") == 2
    assert "Did you mean 'smollm2-135m-instruct'?" in capsys.readouterr().err


def test_fetch_of_what_is_here_takes_nothing(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fetch", "all-minilm-l6-v2", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"all-minilm-l6-v2": str(damaged)}
    assert captured.err == ""


@pytest.mark.parametrize("name", ["list", "fetch", "verify"])
def test_every_help_page_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    shown = capsys.readouterr().out
    assert f"evalharness weights {name}" in shown.split("Example:")[1]
    assert "--json" in shown
