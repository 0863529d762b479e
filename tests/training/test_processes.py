"""Two processes that train together take the step that one process takes with the whole batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from evalharness.training.processes import Processes

ROOT = Path(__file__).parent.parent.parent


RULES = {"supervised": "keep", "moe_switch": "keep", "sum": "split", "uncertainty": "keep"}


def take_steps(folder: Path, processes: int) -> None:
    """Have so many processes take one step together under each loss; each keeps what it has then."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"{loss}={rule}" for loss, rule in RULES.items()]
    command = [sys.executable, "-m", "tests.training.work", "step", str(folder), *options]
    plain = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    started = []
    for rank in range(processes):
        together = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1"}
        environment = {**plain, **({**together, "MASTER_PORT": str(port)} if processes > 1 else {})}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True))
    ended = [(process.communicate(timeout=300)[1], process.returncode) for process in started]
    assert not any(code for _, code in ended), "\n".join(text for text, _ in ended)


def test_two_processes_have_the_gradient_of_one(tmp_path: Path) -> None:
    for processes in (1, 2):
        take_steps(tmp_path / str(processes), processes)
    for loss in RULES:
        alone = torch.load(tmp_path / "1" / f"{loss}-0.pt")
        for rank in range(2):
            together = torch.load(tmp_path / "2" / f"{loss}-{rank}.pt")
            assert together.keys() == alone.keys()
            for name, value in alone.items():
                where = f"{loss}, {name}"
                torch.testing.assert_close(
                    together[name], value, rtol=2e-4, atol=1e-6, msg=lambda text, at=where: f"{at}: {text}"
                )


def test_with_one_process_sums_are_what_they_were() -> None:
    value = torch.tensor([1.0])
    assert Processes(1).added(value) is value
    gradients = {"a": value}
    Processes(1).add_up(gradients, {"a": value, "b": value})
    assert list(gradients) == ["a"]
