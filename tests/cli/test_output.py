"""What commands share when they print."""

from __future__ import annotations

import json

import click
import pytest

from evalharness import Spec
from evalharness.cli.output import print_json, print_table


def test_a_table_for_a_pipe_is_aligned_and_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "text"), [("a", "x" * 100), ("longer", "")])
    assert capsys.readouterr().out == f"name    text\na       {'x' * 100}\nlonger\n"


def test_a_table_for_a_terminal_fits_its_width(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_table(("name", "text"), [("[bold]", "word " * 40)])
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("[bold]" in line for line in lines)


def test_json_keeps_letters_and_refuses_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"é": Spec("hf", {"weights": "tiny"})})
    told = capsys.readouterr().out
    assert json.loads(told) == {"é": {"hf": {"weights": "tiny"}}}
    assert "é" in told
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))
