"""The board of `boards.py` and its site, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.leaderboard import Board, read_board
from evalharness.leaderboard.site import build
from tests.leaderboard.site.boards import write_board


@pytest.fixture(scope="session")
def mills(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return read_board(write_board(tmp_path_factory.mktemp("mills") / "board"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, mills: Board) -> Path:
    out = tmp_path_factory.mktemp("site")
    build(mills, out)
    return out
