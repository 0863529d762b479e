"""The code is formatted, lint-free and typed, by the settings of pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "ruff check": ["ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy", "--cache-dir", "{cache}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_found_by(name: str, tmp_path: Path) -> None:
    words = [word.format(cache=tmp_path) for word in COMMANDS[name]]
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
