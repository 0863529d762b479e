"""Progress in a real terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from evalharness.cli.progress import Pace, told
from evalharness.systems.engine import Work
from tests.comparison.conftest import TASK, answers, write_answers, write_task

CODE = "import sys; from evalharness.cli.main import cli; cli.main(sys.argv[1:])"
SHARING = """
import importlib.metadata, time
from types import ModuleType
import evalharness as eh
from evalharness import registry

class Sharing(eh.Model):
    name, local, supports = "sharing", True, (eh.Generate,)

    def identity(self):
        return "sharing"

    def plan(self, requests):
        return [requests[start : start + 20] for start in range(0, len(requests), 20)]

    def answer(self, requests):
        time.sleep(0.3)
        for number, request in enumerate(requests):
            yield request, eh.Response(text="x", input_tokens=500, run_tokens=20 if number else 500)

found = registry.load(importlib.metadata.entry_points(group="evalharness"))
module = ModuleType("sharing")
module.evalharness_models = eh.hookimpl(specname="evalharness_models")(lambda: [Sharing])
found.add(module, registry.Source("tests", "tests", "1"))
registry.installed = lambda: found
"""


def in_a_terminal(folder: Path, *words: str, before: str = "") -> tuple[int, str]:
    """Return the exit code of a command whose stderr is a terminal of 80 columns, and what that showed."""
    ours, theirs = pty.openpty()
    command, environment = [sys.executable, "-c", before + CODE, *words], {**os.environ, "COLUMNS": "80"}
    process = subprocess.Popen(command, cwd=folder, stderr=theirs, stdout=subprocess.DEVNULL, env=environment)
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


def test_a_bar_shows_the_share_from_the_store_tokens_saved_errors_rate_and_time_left(tmp_path: Path) -> None:
    task = write_task(tmp_path, TASK.replace("model: echo", "model: sharing"))
    words = ["run", str(task), "--out", "out", "--store", "store.sqlite", "--limit"]
    assert in_a_terminal(tmp_path, *words, "20", before=SHARING)[0] == 0
    code, shown = in_a_terminal(tmp_path, *words, "120", before=SHARING)
    assert code == 0, shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80
    bars = [line for line in lines if line.startswith("model")]
    assert any(re.search(r" \d+/120 17% stored, [\d,k]+ tokens saved, 0 errors +[\d.]+/s +0:\d\d *$", line) for line in bars), (
        bars
    )
    assert re.search(r" 120/120 17% stored, 46k tokens saved, 0 errors", bars[-1])


def test_a_wait_for_the_first_answers_is_seen_to_go_on(tmp_path: Path) -> None:
    task = write_task(tmp_path, TASK.replace("model: echo", "model: sharing"))
    words = ["run", str(task), "--out", "out", "--store", "store.sqlite", "--limit", "20"]
    code, shown = in_a_terminal(tmp_path, *words, before=SHARING.replace("sleep(0.3)", "sleep(1.5)"))
    assert code == 0, shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()
    assert any(re.search(r"model .* 0/20 0 errors +0:02 so far *$", line) for line in lines), lines
    assert "so far" not in lines[-1]


def test_nothing_is_shown_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    responses = write_answers(tmp_path / "answers.jsonl", answers(0.5, 2))
    words = ["run", str(task), "--responses", str(responses), "--out", "out", "--store", "store.sqlite", "--limit", "5"]
    done = subprocess.run([sys.executable, "-c", CODE, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_rate_does_not_jump_when_a_chunk_lands() -> None:
    pace, rates = Pace(at=0.0), []
    for chunk in range(1, 20):
        for answer in range(64):  # all of a chunk within a few milliseconds
            pace.see(10.0 * chunk + answer / 1e5, 64 * chunk)
            rates.append(pace.rate)
    assert {round(rate or 0.0, 9) for rate in rates} == {6.4}


def test_the_rate_follows_what_gets_slower_and_the_time_left_runs_down() -> None:
    pace = Pace(at=0.0)
    for second in range(60):
        pace.see(second + 1.0, 10 * (second + 1))
    assert pace.rate is not None
    assert abs(pace.rate - 10) < 1e-9
    for second in range(60):
        pace.see(61.0 + second, 600 + second + 1)
    assert 1 < pace.rate < 3
    left = pace.left(120.0, 100)
    assert left is not None
    assert pace.left(125.0, 100) == left - 5
    assert Pace().left(9.0, 5) is None


def test_notes_stand_for_what_counts_say_nothing_of() -> None:
    assert told(Work("arms", total=3, note="2 at a time")) == "2 at a time"
    assert told(Work("model", total=3, errors=1)) == "1 error"
