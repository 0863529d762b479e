"""`evalharness cache`: what it shows and deletes, and that looking makes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalharness.cli.main import cli, exit_code
from evalharness.systems.store import Store, Stored


def run(*arguments: str) -> int:
    return exit_code(lambda: cli.main(["cache", *arguments], standalone_mode=False))


@pytest.fixture
def store(tmp_path: Path) -> str:
    with Store(tmp_path / "s.sqlite") as opened:
        opened.write([Stored("a", "generate", "hf é", '{"text":"x"}'), Stored("b", "search", "bm25 2", "[]")])
    return str(tmp_path / "s.sqlite")


def test_show_tells_what_is_held_by_kind_and_maker(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "--store", store) == 0
    assert "s.sqlite: 2 answers" in capsys.readouterr().out
    assert run("show", "--store", store, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == store
    assert [(held["kind"], held["maker"], held["answers"], held["bytes"]) for held in told["holdings"]] == [
        ("generate", "hf é", 1, 13),
        ("search", "bm25 2", 1, 3),
    ]


def test_trim_deletes_what_it_is_told_to(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("trim", "--store", store) == 2
    assert "--older-than DAYS" in capsys.readouterr().err
    assert run("trim", "--store", store, "--maker", "bm25 2", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": 1}
    assert run("trim", "--store", store, "--all") == 0
    assert capsys.readouterr().out == "deleted 1 answers\n"


@pytest.mark.parametrize("arguments", [["show"], ["trim", "--all"]])
def test_a_mistyped_store_is_told_and_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(*arguments, "--store", str(tmp_path / "typo.sqlite")) == 2
    assert "typo.sqlite' does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("dear diary")
    assert run("show", "--store", str(tmp_path / "notes.txt")) == 2
    assert "file is not a database" in capsys.readouterr().err
