"""Builds the site of a board as a whole, and shows it on this machine."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from evalharness.errors import UsageError
from evalharness.leaderboard.board import SITE, Board, read_board
from evalharness.leaderboard.folders import whole_folder
from evalharness.leaderboard.texts import holds_texts
from evalharness.results.folder import SAMPLES

FRONT, FILES = "index.html", "files.txt"


def build_site(board_folder: str | Path, out: str | Path | None = None) -> Path:
    """Build the site of a board into `out`, or else `site/` of the board; an earlier site is replaced as a whole.

    Raises UsageError where `out` holds anything but a site, or a record holds texts that the board forbids.
    """
    from evalharness.leaderboard.site import build

    target = Path(out) if out is not None else Path(board_folder) / SITE
    if target.exists() and not _may_be_replaced(target):
        raise UsageError(f"{target} holds files that are no site's and is left alone; give an empty folder with --out DIR")
    board = read_board(board_folder)
    _refuse_texts(board)
    with whole_folder(target) as folder:
        build(board, folder)
    return target


def _refuse_texts(board: Board) -> None:
    """Raise UsageError where texts would be published that board.yaml forbids."""
    if board.texts:
        return
    found = [one.folder for system in board.systems for one in system.submissions.values() if one.samples is not None]
    holding = [str(folder) for folder in found if holds_texts(folder / SAMPLES)]
    if holding:
        raise UsageError(
            f"board.yaml forbids texts (texts: false), and {', '.join(holding)} hold some; add these runs again with "
            "'evalharness leaderboard add', which leaves texts out"
        )


def _may_be_replaced(target: Path) -> bool:
    """Return whether a folder holds nothing, or nothing but the files of a site that was built before."""
    if not target.is_dir():
        return False
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    listed = target / FILES
    return not found or (listed.is_file() and found <= {FILES, *listed.read_text("utf-8").splitlines()})


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log of them."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(board_folder: str | Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Build a board's site into a temporary folder; give its address on this machine and what serves it until it is stopped."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = build_site(board_folder, Path(temporary, SITE))
        handler = functools.partial(_Quiet, directory=str(folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            yield f"http://127.0.0.1:{server.server_address[1]}/", server.serve_forever
