"""A training run that was killed and resumed equals one that was not, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from evalharness.training.checkpoints import last_checkpoint

ROOT = Path(__file__).parent.parent.parent


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.work", "train", str(folder), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> None:
    _, text = process.communicate(timeout=300)
    assert process.returncode == 0, text


def kill_after(folder: Path, process: subprocess.Popen[str], step: int) -> None:
    """Kill a process, uncaught, as soon as it has a whole checkpoint of this step or a later one."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        found = last_checkpoint(folder)
        if found is not None and int(found.rpartition("-")[2]) >= step:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"


@pytest.mark.parametrize("options", [("loss=uncertainty",), ("loss=variation", "lora=yes")], ids=" ".join)
def test_a_killed_run_resumes_bit_for_bit(tmp_path: Path, options: tuple[str, ...]) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finished(started(whole, *options))
    for step in (2, 6):
        kill_after(killed, started(killed, *options), step)
    assert not (killed / "trained.pt").exists()
    finished(started(killed, *options))
    one, other = torch.load(whole / "trained.pt"), torch.load(killed / "trained.pt")
    assert one.keys() == other.keys()
    assert [name for name, value in one.items() if not torch.equal(value, other[name])] == []
    curves = [json.loads((folder / "curve.json").read_text("utf-8")) for folder in (whole, killed)]
    assert curves[0] == curves[1]
    assert {name.partition(".")[0] for name in one} & {"learned", "carried"}
