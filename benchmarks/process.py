"""What the benchmarks share: running a command as a process of its own and measuring it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

EVALHARNESS = str(Path(sysconfig.get_path("scripts")) / "evalharness")


@dataclass(frozen=True)
class Finished:
    """A process that ended well: its wall and processor time in seconds, its peak resident memory in MB, what it printed."""

    seconds: float
    processor: float
    peak_mb: float
    output: str


def measure(command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Finished:
    """Run a command to its end and return what it took; shows its output and stops the benchmark where it fails.

    The peak is the kernel's count for this one process; the benchmark itself stays small, because a child starts from
    its parent's peak. The command's files for output are real ones, so that no pipe slows it down.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        click.echo(text[-4000:], err=True)
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    peak = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return Finished(seconds, usage.ru_utime + usage.ru_stime, peak, text)
