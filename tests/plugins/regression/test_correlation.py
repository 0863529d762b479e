"""Correlations: equal to scipy's, also of repeated data, and of a score of the chain with what people said."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import evalharness as eh
from evalharness.errors import FaultsFound
from evalharness.testing import agree


def concordance(x: Any, y: Any) -> float:
    return float(2 * np.cov(x, y, ddof=0)[0, 1] / (np.var(x) + np.var(y) + (np.mean(x) - np.mean(y)) ** 2))


CASES: dict[str, Callable[..., Any]] = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
    "concordance_correlation": concordance,
}


def value(name: str, x: Any, y: Any, weights: Any = None) -> Any:
    columns = {"prediction": np.asarray(x, float), "target": np.asarray(y, float)}
    with np.errstate(divide="ignore", invalid="ignore"):
        return eh.load_metric(name).score(weights=np.ones(len(y), np.int64) if weights is None else weights, **columns)


@pytest.mark.parametrize("name", CASES)
def test_it_equals_scipy_with_ties_and_weights(name: str) -> None:
    few = st.integers(-3, 3)

    @settings(max_examples=50, deadline=None)
    @given(rows=st.lists(st.tuples(few, few, st.integers(0, 3)), min_size=3, max_size=20))
    def compare(rows: list[tuple[int, int, int]]) -> None:
        x, y, weights = (np.array(column) for column in zip(*rows, strict=True))
        repeated = np.repeat(x, weights), np.repeat(y, weights)
        if any(len(set(values.tolist())) < 2 for values in repeated):
            return
        agree(name, value(name, x, y, weights), CASES[name](*repeated))

    compare()


@pytest.mark.parametrize("name", ["pearson", "spearman", "concordance_correlation"])
def test_many_weightings_at_once_are_each_alone(name: str) -> None:
    draws = np.random.default_rng(4)
    x, y = draws.normal(0, 1, (2, 50)).round(1)
    weights = draws.poisson(1.0, (2, 3, 50))
    found = value(name, x, y, weights)
    expected = [[CASES[name](np.repeat(x, row), np.repeat(y, row)) for row in block] for block in weights]
    agree(name, found, np.array(expected))


@pytest.mark.parametrize("name", CASES)
def test_a_large_offset_costs_no_digits(name: str) -> None:
    x, y = np.random.default_rng(6).normal(0, 1, (2, 300)).round(6)
    expected = value(name, x, y) if name != "concordance_correlation" else concordance(x, y)
    assert value(name, 1e6 + x, 1e6 + y) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_of_tiny_and_huge_numbers_neither_vanish_nor_overflow(size: float) -> None:
    x, y = np.random.default_rng(8).normal(0, 1, (2, 30))
    assert value("pearson", size * x, y) == pytest.approx(value("pearson", x, y), rel=1e-12)


@pytest.mark.parametrize("name", ["pearson", "spearman", "kendall"])
def test_what_does_not_vary_correlates_with_nothing(name: str) -> None:
    for columns in ({"prediction": [0.1] * 4}, {"target": [0.7] * 4}):
        given = {"prediction": [1.0, 2.0, 3.0, 4.0], "target": [1.0, 2.0, 3.0, 4.0], **columns}
        found = eh.load_metric(name).evaluate(**given).scores[name]
        assert (found.value, found.reason) == (None, "undefined for these samples")


def test_a_constant_is_in_no_concordance_with_what_varies_and_two_equal_ones_are_undefined() -> None:
    assert value("concordance_correlation", [1, 1, 1], [1, 2, 3]) == 0
    assert math.isnan(value("concordance_correlation", [0.1] * 3, [0.1] * 3))


@pytest.mark.parametrize("name", CASES)
def test_perfect_agreement_is_one(name: str) -> None:
    assert value(name, [0.1, 0.7, 0.3], [0.1, 0.7, 0.3]) == 1.0


def test_it_has_an_interval_from_its_replicates() -> None:
    x, y = np.random.default_rng(9).normal(0, 1, (2, 80))
    for name, count in (("spearman", 1000), ("kendall", 200)):
        found = eh.load_metric(name).evaluate(prediction=(x + y).tolist(), target=y.tolist())
        score = found.scores[name]
        assert -1 <= score.low < score.value < score.high <= 1
        assert score.replicates == count


TASK = """
name: meta
version: 1
dataset: {path: rows.jsonl, fields: {references: references}}
system: {name: recorded, model: {recorded: {path: rows.jsonl}}}
metrics:
  - token_f1
  - spearman: {of: token_f1, target: human}
  - pearson: {of: token_f1, target: human}
"""


def write(folder: Path, text: str) -> Path:
    rows = [
        {
            "id": f"r{row}",
            "response": "mill " * row + "lake",
            "references": [] if row == 5 else ["mill mill mill"],
            "human": [4, 1, 2, 3][row % 4],
        }
        for row in range(12)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "task.yaml").write_text(text)
    return folder / "task.yaml"


def test_a_score_of_the_chain_is_held_against_what_people_said(tmp_path: Path) -> None:
    record = eh.run(write(tmp_path, TASK), out=tmp_path / "run", store=tmp_path / "store.sqlite")
    scores = eh.load_metric("token_f1").evaluate(
        response=["mill " * row + "lake" for row in range(12) if row != 5], references=[["mill mill mill"]] * 11
    )
    human = [[4, 1, 2, 3][row % 4] for row in range(12) if row != 5]
    found = record.scores["spearman"]
    assert found.value == pytest.approx(stats.spearmanr(scores.samples["token_f1"], human).statistic)
    assert found.unmeasured == {"token_f1: no reference": 1}
    assert "{token_f1=token_f1|normalise:squad}" in found.signature
    drawn = json.loads((tmp_path / "run" / "figures.json").read_text())
    assert [(name, figure["title"], len(figure["curves"][0]["x"])) for name, (figure,) in drawn.items()] == [
        ("pearson", "token_f1 over human", 11)
    ]


def test_a_score_of_all_samples_at_once_is_refused(tmp_path: Path) -> None:
    text = TASK + "  - spearman: {of: pearson, target: human}\n    as: twice\n"
    with pytest.raises(FaultsFound, match="'pearson' has no value of each sample to correlate with 'human'"):
        eh.run(write(tmp_path, text), out=tmp_path / "run", store=tmp_path / "store.sqlite")


def test_what_the_paper_on_faithfulness_in_summaries_found(labelled_data: Callable[[str], Path]) -> None:
    with open(labelled_data("xsum_hallucination/eval_scores_xsum_summaries.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    published = {"R1": 0.197, "R2": 0.162, "RL": 0.162, "BERTScore": 0.190, "Entailment": 0.431}
    for name, expected in published.items():
        given = {name: columns[name], "Faithful": columns["Faithful"]}
        score = eh.load_metric("spearman", prediction=name, target="Faithful").evaluate(**given).scores["spearman"]
        assert (round(score.value, 3), score.samples) == (expected, 1992)
    both = [np.array(columns[name], float) for name in ("R1", "Faithful")]
    for name, expected in CASES.items():
        agree(name, value(name, *both), expected(*both))
