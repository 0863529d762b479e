"""Figures in a run folder: the same data come back, equal figures are equal bytes, and pictures are drawn of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import evalharness as eh
from evalharness.errors import DataError
from evalharness.results.figures import draw_figures, figures_text, read_figures, write_figures
from evalharness.results.folder import FIGURES, PICTURES, begin

CURVES = (
    eh.Curve(x=(0, 0, 1), y=(0, 1, 1), name="model"),
    eh.Curve(x=(0, 1), y=(0, 1), name="chance", style="dashed"),
    eh.Curve(x=(0.25, 0.75), y=(0.5, 0.9), name="bins", style="bars"),
    eh.Curve(x=(0.25, 0.75), y=(0.4, 0.8), style="points"),
)
ROC = eh.Figure(title="ROC of $x$ and $", x="false positives", y="true positives", curves=CURVES, x_range=(0, 1))
TABLE = eh.Matrix(
    title="confusion",
    rows="is",
    columns="said",
    row_labels=("a", "日本"),
    column_labels=("a", "日本"),
    values=((3, 1), (0, -2.5)),
)
FIGURES_OF = {"auroc": [ROC, TABLE], "AUROC": (ROC,), "none": ()}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_figures(tmp_path, FIGURES_OF)
    assert read_figures(tmp_path) == {"auroc": [ROC, TABLE], "AUROC": [ROC]}
    assert (tmp_path / FIGURES).read_text(encoding="utf-8") == figures_text(FIGURES_OF)


def test_without_figures_there_is_no_file(tmp_path: Path) -> None:
    write_figures(tmp_path, {"bleu": ()})
    assert (list(tmp_path.iterdir()), read_figures(tmp_path), draw_figures(tmp_path, pytest.fail)) == ([], {}, [])


@pytest.mark.parametrize("text", ["", "[]", '{"auroc": [{}]}', '{"auroc": [{"curves": [{"x": [1], "y": []}]}]}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FIGURES).write_text(text)
    with pytest.raises(DataError, match=r"figures\.json holds no figures: .* Run its task again\."):
        read_figures(tmp_path)


def test_each_figure_is_drawn_under_a_name_of_its_own_and_gone_with_the_next_run(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_figures(tmp_path, FIGURES_OF)
    paths = draw_figures(tmp_path, pytest.fail)
    assert [path.name for path in paths] == ["AUROC.png", "auroc-2.png", "auroc-3.png"]
    drawn = [path.read_bytes() for path in paths]
    assert all(image.startswith(b"\x89PNG") for image in drawn)
    assert drawn[0] == drawn[1] != drawn[2]
    begin(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [PICTURES]


def test_without_matplotlib_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    write_figures(tmp_path, FIGURES_OF)
    told: list[str] = []
    assert draw_figures(tmp_path, told.append) == []
    assert told[0].endswith("install with: pip install 'evalharness[train]'")
