"""`evalharness leaderboard`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from evalharness.cli.main import cli, exit_code
from tests.leaderboard.conftest import answers, run, write_board, write_task


def leaderboard(*arguments: object) -> int:
    return exit_code(lambda: cli.main(["leaderboard", *map(str, arguments)], standalone_mode=False))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with two finished runs, `good` and `part`, of which a board takes only the first."""
    root = tmp_path_factory.mktemp("made")
    task = write_task(root / "tasks")
    run(task, "good", answers(0.6, 1), root / "good")
    run(task, "part", answers(0.6, 2), root / "part", limit=50)
    return root


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return write_board(tmp_path / "board")


def test_add_takes_what_fits_and_refuses_the_rest_with_reasons(
    made: Path, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaderboard("add", board, made / "good", made / "part") == 1
    told = capsys.readouterr()
    assert told.out == f"added good: {board}/records/good\n"
    assert told.err.splitlines() == [
        f"{made}/part is refused:",
        "  it covers only the first 50 samples (--limit)",
        "  it says that the data have 50 samples; they have 90",
        "  40 of 90 samples are not in it: q050, q051, q052, q053, q054 and 35 more",
    ]
    assert leaderboard("add", board, made / "good", "--without-texts") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"replaced good: {board}/records/good",
        "  note: texts are left out: its scores are recomputed from statistics only",
    ]


def test_add_as_json(made: Path, board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("add", board, made / "good", made / "part", "--json") == 1
    good, part = json.loads(capsys.readouterr().out)
    record = str(board / "records" / "good")
    assert good == {
        "run": str(made / "good"), "added": True, "system": "good", "record": record, "replaced": False, "notes": [],
    }  # fmt: skip
    assert (part["added"], part["reasons"][0]) == (False, "it covers only the first 50 samples (--limit)")


def test_a_folder_that_is_no_run_does_not_keep_others_out(made: Path, board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("add", board, made, made / "good") == 1
    told = capsys.readouterr()
    assert "is no finished run: it has no record.json" in told.err
    assert told.out == f"added good: {board}/records/good\n"


def test_a_board_may_be_named_by_its_file(made: Path, board: Path) -> None:
    assert leaderboard("add", board / "board.yaml", made / "good") == 0
    assert (board / "records" / "good").is_dir()


def test_texts_that_the_board_forbids_are_not_published(made: Path, board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("add", board, made / "good") == 0
    file = board / "board.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "texts: false\n", encoding="utf-8")
    assert leaderboard("build", board) == 2
    assert "board.yaml forbids texts" in capsys.readouterr().err
    assert not (board / "site").exists()
    assert leaderboard("add", board, made / "good") == 0
    assert leaderboard("build", board) == 0


def test_wrong_input_is_told_with_exit_code_2(made: Path, board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("add", board) == 2
    assert leaderboard("add", made, made / "good") == 2
    assert f"{made} is no board: a board is a folder with board.yaml" in capsys.readouterr().err
    assert leaderboard("add", made / "good", board) == 2
    assert "good is a run; the board comes first" in capsys.readouterr().err
    (board / "board.yaml").write_text("title: 1\n", encoding="utf-8")
    assert leaderboard("check", board) == 2
    assert "board.yaml:1:8: 'title' must be a string, not 1." in capsys.readouterr().err


def test_check_tells_all_reasons_and_then_that_all_is_in_order(
    made: Path, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaderboard("add", board, made / "good") == 0
    assert leaderboard("check", board) == 1
    assert f"{board}/site: there is no site; build it: evalharness leaderboard build {board}" in capsys.readouterr().out
    (board / "board.yaml").write_text((board / "board.yaml").read_text().replace("[weak]", "[good]"), encoding="utf-8")
    assert leaderboard("build", board) == 0
    assert capsys.readouterr().out == f"built {board}/site/index.html\n"
    assert leaderboard("check", board) == 0
    assert capsys.readouterr().out == f"{board}: all records and the site are in order\n"
    assert leaderboard("check", board, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"board": str(board), "faults": []}
    shutil.rmtree(board / "site")
    assert leaderboard("check", board, "--json") == 1
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert fault["where"] == f"{board}/site"


def test_build_writes_where_it_is_told(made: Path, board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leaderboard("add", board, made / "good") == 0
    capsys.readouterr()
    assert leaderboard("build", board, "--out", tmp_path / "public", "--json") == 0
    site = str(tmp_path / "public" / "index.html")
    assert json.loads(capsys.readouterr().out) == {"board": str(board), "site": site}
    assert Path(site).is_file()
    assert not (board / "site").exists()


def test_serve_shows_the_site_on_this_machine_until_it_is_interrupted(made: Path, board: Path) -> None:
    assert leaderboard("add", board, made / "good") == 0
    command = [sys.executable, "-c", "from evalharness.cli.main import cli; cli()", "leaderboard", "serve", str(board), "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        told = json.loads("".join(server.stdout.readline() for _ in range(4)))
        assert told["address"].startswith("http://127.0.0.1:")
        with urllib.request.urlopen(told["address"], timeout=10) as page:
            assert b"Sums" in page.read()
        server.send_signal(signal.SIGINT)
        out, error = server.communicate(timeout=20)
    assert (server.returncode, out, error) == (0, "", "")
    assert not (board / "site").exists()
