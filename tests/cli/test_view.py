"""`evalharness view` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalharness.cli.main import cli
from tests.pages.runs import write_run


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("view"), 9)


def test_the_page_stands_in_the_run_folder_and_its_path_is_printed(run: Path) -> None:
    done = call("view", run)
    assert (done.exit_code, done.output) == (0, f"{run / 'view.html'}\n")
    assert (run / "view.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_another_file_may_be_named_and_json_gives_its_path(run: Path, tmp_path: Path) -> None:
    done = call("view", run, "--out", tmp_path / "page.html", "--json")
    assert json.loads(done.output) == {"path": str(tmp_path / "page.html")}
    assert (tmp_path / "page.html").is_file()


def test_a_record_file_stands_for_its_folder(run: Path, tmp_path: Path) -> None:
    assert call("view", run / "record.json", "--out", tmp_path / "page.html").exit_code == 0
    assert (tmp_path / "page.html").is_file()


def test_a_folder_is_no_place_for_the_page(run: Path, tmp_path: Path) -> None:
    done = call("view", run, "--out", tmp_path)
    assert (done.exit_code, done.output) == (2, f"{tmp_path} is a folder; give a file\n")


def test_a_folder_that_is_no_run_is_wrong_input(tmp_path: Path) -> None:
    done = call("view", tmp_path)
    assert done.exit_code == 2
    assert "is no finished run: it has no record.json" in done.output
