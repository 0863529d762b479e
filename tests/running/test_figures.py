"""Figures of a run: written beside the record, the same bytes again, compared when the run is scored again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.registry import Registry, Source
from evalharness.running import rescore, run
from tests.running.conftest import TASK, module


@eh.metric(better="lower", range=(0, None))
def length(response: str) -> float:
    """Length of the response in characters."""
    return float(len(response))


def figures(self: Any, **sums: Any) -> list[Any]:
    """Draw one point."""
    point = eh.Curve(x=(1,), y=(float(sums["value"]),), style="points")
    return [eh.Figure(title="total", x="run", y="characters", curves=(point,))]


length.figures = figures  # type: ignore[method-assign, assignment]


@pytest.fixture
def path(task: Callable[..., Path], plugins: Registry) -> Path:
    provide = eh.hookimpl(specname="evalharness_metrics")(lambda: [length])
    plugins.add(module("more", evalharness_metrics=provide), Source("more", "acme", "1"))
    return task(TASK.replace("token_f1", "length"))


def test_a_run_has_its_figures_as_data_and_equal_runs_equal_bytes(path: Path) -> None:
    eh.run(path, out="one")
    eh.run(path, out="two")
    assert Path("one/figures.json").read_text().startswith('{"length":[{"curves":[{"name":"","style":"points","x":[1.0],')
    assert Path("one/figures.json").read_bytes() == Path("two/figures.json").read_bytes()
    eh.run(path, out="two", overrides=["metrics=[exact_match]"])
    assert not Path("two/figures.json").exists()


def test_scoring_again_compares_figures_that_are_there(path: Path) -> None:
    eh.run(path, out="out")
    assert rescore("out").agrees
    stored = Path("out/figures.json")
    stored.write_text(stored.read_text().replace("characters", "letters"))
    assert [difference[:2] for difference in rescore("out").differences] == [("length", "figures")]
    stored.unlink()
    assert rescore("out", statistics_only=True).agrees


def test_without_matplotlib_it_is_told_and_logged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    told: list[str] = []
    run(path, out="out", tell=told.append)
    assert [message.rpartition("; ")[2] for message in told] == ["install with: pip install 'evalharness[train]'"]
    assert told[0] in Path("out/log.jsonl").read_text()
    assert list(Path("out/figures").glob("*")) == []


def test_the_command_says_where_they_are(path: Path) -> None:
    pytest.importorskip("matplotlib")
    shown = CliRunner().invoke(cli, ["run", str(path), "--out", "out"])
    assert "figures: out/figures/length.png" in shown.output
    assert Path("out/figures/length.png").is_file()
