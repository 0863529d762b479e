"""An arm on a board: its seeds are repeats of each sample, checked as such and shown on its page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalharness import training
from evalharness.data import data_digests
from evalharness.leaderboard.board import read_board
from evalharness.leaderboard.checking import check_board
from evalharness.leaderboard.site import build
from evalharness.leaderboard.submission import Refused, add
from evalharness.task import load_task
from tests.training.conftest import Arm
from tests.training.conftest import arm as arm  # the fixture
from tests.training.tasks import TABLE

BOARD = "title: Sums\ntext: Two arms.\ntasks: [task.yaml]\nrank: {by: token_f1}\nbaselines: [plain]\n"


@pytest.fixture
def board(arm: Arm, tmp_path: Path) -> Path:
    """Give a board with two arms of three seeds."""
    plain = arm("plain", [0.4, 0.5, 0.6])
    for name in ("task.yaml", "questions.jsonl"):
        shutil.copy(plain.parents[2] / name, tmp_path / name)
    (tmp_path / "board.yaml").write_text(BOARD, encoding="utf-8")
    for folder in (plain, arm("fancy", [0.7, 0.8, 0.6])):
        add(tmp_path, folder)
    return tmp_path


def test_a_board_takes_arms_and_shows_their_seeds(board: Path) -> None:
    build(read_board(board), board / "site")
    assert check_board(board) == []
    page = (board / "site" / "systems" / "fancy.html").read_text(encoding="utf-8")
    assert "By seed" in page
    assert '<th scope="col" class="num">seed 2</th>' in page
    assert "allow for the samples, not for the seeds" in page


def test_a_training_task_takes_arms_with_all_seeds_on_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the table needs the extra train")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.yaml").write_text(TABLE, encoding="utf-8")
    (tmp_path / "board.yaml").write_text("title: Losses\ntasks: [task.yaml]\nrank: {by: mae}\n", encoding="utf-8")
    training.run("task.yaml", arms=["mse"], seeds=[0])
    with pytest.raises(Refused, match=r"it lacks seed 1 of the task; train it: evalharness run .*task.yaml --seed 1"):
        add(tmp_path, "runs/table/mse")
    with pytest.raises(Refused, match="it is of one seed; add the folder of its arm"):
        add(tmp_path, "runs/table/mse/seed0")
    training.run("task.yaml", arms=["mse"])
    add(tmp_path, "runs/table/mse")
    others = {**data_digests(load_task("task.yaml")), "training data": "0"}
    monkeypatch.setattr("evalharness.leaderboard.checking.data_digests", lambda task: others)
    with pytest.raises(Refused, match=r"its training data have the digest .*, those of the board's task 0"):
        add(tmp_path, "runs/table/mse")


def test_a_value_of_a_seed_that_does_not_follow_from_the_samples_is_refused(board: Path, arm: Arm, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(arm("fancy", [0.7, 0.8, 0.6]), folder)
    plain = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    plain["seeds"]["scores"]["bleu"][0] = 99.0
    (folder / "record.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(Refused, match="bleu: values by seed is"):
        add(board, folder)
