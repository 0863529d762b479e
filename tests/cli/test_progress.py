"""Progress in a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.comparison.conftest import answers, write_answers, write_task

CODE = "import sys; from evalharness.cli.main import cli; cli.main(sys.argv[1:])"


def in_a_terminal(folder: Path, *words: str) -> tuple[int, str]:
    """Return the exit code of a command whose stderr is a terminal, and what that showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", CODE, *words], cwd=folder, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # a terminal without a writer ends so on Linux
        pass
    os.close(ours)
    return process.wait(), shown.decode()


def test_a_run_shows_bars_with_counts_from_its_first_moment(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    responses = write_answers(tmp_path / "answers.jsonl", answers(0.5, 2))
    words = ["run", str(task), "--responses", str(responses), "--out", "out", "--store", "store.sqlite"]
    code, shown = in_a_terminal(tmp_path, *words)
    assert code == 0, shown
    assert "scoring" in shown
    assert "240/240" in shown
