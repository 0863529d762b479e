"""`evalharness describe LOSS`: what a loss states, and the picture of it and its gradient."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness.cli import loss_plot
from evalharness.cli.main import cli

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def describe(*args: str) -> Result:
    return CliRunner().invoke(cli, ["describe", *args])


def curve(name: str, **options: Any) -> tuple[loss_plot.Axis, Any, Any, Any]:
    return loss_plot._curve(eh.load_loss(name, **options))


def test_a_loss_states_formula_gradient_tags_and_range() -> None:
    page = describe("huber").output
    assert "range             0 or more\n" in page
    assert "reads             prediction, target\nmay read          sample_weight\n" in page
    assert "formula           0.5 e^2 where |e| <= delta, else delta (|e| - delta / 2)\n" in page
    assert "gradient          clip(e, -delta, delta)\n" in page
    assert "tags              convex, robust, bounded gradient, differentiable\n" in page
    assert page.endswith("in a task file\n  arms:\n    ARM: {huber: {delta: 1.0}}\n")


def test_what_is_learned_and_what_may_miss_is_told_apart() -> None:
    (adaptive,) = json.loads(describe("barron_adaptive", "--json").output)
    assert (adaptive["reads"], adaptive["learns"]) == (["prediction", "target"], ["latent_alpha", "latent_scale"])
    (entropy,) = json.loads(describe("cross_entropy", "--json").output)
    assert entropy["may read"] == ["logits", "sample_weight", "probabilities"]


def test_a_plot_is_a_png_named_after_the_loss_or_as_asked(folder: Path) -> None:
    assert describe("huber", "--plot").output.count("plot              huber.png\n") == 1
    assert (folder / "huber.png").read_bytes().startswith(PNG)
    (told,) = json.loads(describe("focal", "--plot", "picture.png", "--json").output)
    assert told["plot"] == "picture.png"
    assert (folder / "picture.png").read_bytes().startswith(PNG)


def test_equal_pictures_have_equal_bytes(folder: Path) -> None:
    describe("mae", "--plot", "one.png")
    describe("mae", "--plot", "other.png")
    assert (folder / "one.png").read_bytes() == (folder / "other.png").read_bytes()


def test_regression_is_drawn_over_the_residual() -> None:
    axis, places, values, slopes = curve("huber")
    assert (axis.title, places[0], places[-1]) == ("residual: prediction - target", -5.0, 5.0)
    np.testing.assert_allclose(slopes, np.clip(places, -1, 1))
    assert values[0] == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("name", "options", "title", "start"),
    [
        ("poisson", {}, "prediction of a target of 2", -5.0),
        ("poisson", {"link": "identity"}, "prediction of a target of 2", 0.05),
        ("binary_cross_entropy", {}, "logit of the true class", -5.0),
        ("hinge", {}, "logit of the true class", -5.0),
        ("cross_entropy", {}, "logit of the true class, the others 0", -5.0),
        ("multilabel_cross_entropy", {}, "logit of the true class, the others 0", -5.0),
        ("negative_log_likelihood", {}, "probability of the true class", 0.01),
        ("combine", {"of": [eh.Spec("mse"), eh.Spec("mae")]}, "residual: prediction - target", -5.0),
    ],
)
def test_each_loss_of_one_number_a_sample_has_its_axis(name: str, options: Any, title: str, start: float) -> None:
    axis, places, values, slopes = curve(name, **options)
    assert (axis.title, places[0]) == (title, start)
    assert np.isfinite(values).all()
    inner = (slopes[1:-1] * (places[2:] - places[:-2])) - (values[2:] - values[:-2])
    assert np.median(np.abs(inner)) < 1e-3


@pytest.mark.parametrize("name", ["dpo", "supervised", "moe_switch", "info_nce"])
def test_other_losses_have_nothing_to_draw_and_say_so(name: str) -> None:
    done = describe(name, "--plot")
    assert done.exit_code == 2
    assert f"loss '{name}' has nothing to draw along one axis: it reads {next(iter(eh.load_loss(name).accepts))}" in done.output
    assert "'evalharness describe huber --plot' draws one" in done.output
    assert "only losses over a target and prediction, logits or probabilities are drawn" in done.output


def test_a_metric_is_not_drawn() -> None:
    done = describe("token_f1", "--plot")
    assert (done.exit_code, "'token_f1' is no loss; --plot draws losses" in done.output) == (2, True)


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    done = describe("huber", "--plot")
    assert done.exit_code == 2
    assert "--plot needs matplotlib, which is not installed; install it with: pip install 'evalharness[train]'" in done.output
