"""An arm on a board: its seeds are repeats of each sample, checked as such and shown on its page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalharness.leaderboard.board import read_board
from evalharness.leaderboard.checking import check_board
from evalharness.leaderboard.site import build
from evalharness.leaderboard.submission import Refused, add
from tests.training.conftest import Arm
from tests.training.conftest import arm as arm  # the fixture

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


def test_a_value_of_a_seed_that_does_not_follow_from_the_samples_is_refused(board: Path, arm: Arm, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(arm("fancy", [0.7, 0.8, 0.6]), folder)
    plain = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    plain["seeds"]["scores"]["bleu"][0] = 99.0
    (folder / "record.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(Refused, match="bleu: values by seed is"):
        add(board, folder)
