"""What every text metric owes the harness."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import evalharness as eh
from evalharness import Response

RESPONSE = ["The mill burned.", "", "I don't know.", "東京 🙂", "cafe\u0301 au lait", "مرحبا بالعالم", "a b c d e f"]
COLUMNS: dict[str, list[Any]] = {
    "response": RESPONSE,
    "text": RESPONSE,
    "references": [["The mill burned down.", "Fire."], ["x"], [], ["東京"], ["café au lait"], ["مرحبا"], ["a b c d"]],
    "choices": [["yes", "no"]] * 7,
    "target": [0, 1, 0, 1, 0, 1, 0],
    "logprobs": [(-1.0, -2.0), (-2.0, -1.0), (-1.0, -1.0), (-0.5, -3.0), (-4.0, -3.0), (-1.0, -9.0), (-2.0, -2.5)],
}
METRICS = [
    ("exact_match", {}),
    ("exact_match", {"normalise": "none"}),
    ("token_f1", {}),
    ("bleu", {}),
    ("bleu", {"effective_order": True, "smooth": "add-k"}),
    ("rouge", {}),
    ("rouge", {"stemmer": True, "variants": ("rougeLsum",)}),
    ("perplexity", {}),
    ("perplexity", {"of": "references", "level": "word"}),
    ("bits_per_byte", {"of": "text"}),
    ("choice_accuracy", {"normalise": "bytes"}),
    ("refusal_correctness", {}),
]
every_metric = pytest.mark.parametrize(("name", "options"), METRICS, ids=str)


def measured(metric: eh.Metric, rows: list[int]) -> eh.Rows:
    """Measure some rows as the harness would, with a made-up reply to each request."""
    columns = {name: [COLUMNS[name][row] for row in rows] for name in metric.reads}
    extra: dict[str, Any] = {}
    if metric.asks:
        asked = metric.ask(**columns, answers=[[] for _ in rows])
        extra["answers"] = [
            [Response(logprobs=tuple(-0.1 * len(word) for word in item.text.split())) for item in row] for row in asked
        ]
    if "batch" in type(metric).measure.__annotations__:
        extra["batch"] = eh.Batch(columns)
    result = metric.measure(**columns, **extra)
    return result if isinstance(result, eh.Rows) else eh.Rows(result)


def counted(metric: eh.Metric, statistics: dict[str, Any]) -> dict[str, Any]:
    """Return statistics as the default score wants them."""
    return (
        statistics | {f"{name}.count": np.ones_like(column) for name, column in statistics.items()}
        if metric.is_mean
        else statistics
    )


@every_metric
def test_rows_do_not_depend_on_the_batch(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    whole = measured(metric, list(range(7)))
    for split in ([[0], [1], [2], [3], [4], [5], [6]], [[6, 5, 4], [3, 2, 1, 0]]):
        for rows in split:
            part = measured(metric, rows)
            assert part.unmeasured == {place: whole.unmeasured[row] for place, row in enumerate(rows) if row in whole.unmeasured}
            for key, column in whole.statistics.items():
                np.testing.assert_array_equal(np.asarray(part.statistics[key]), np.asarray(column)[rows])


@every_metric
def test_score_broadcasts_over_leading_axes(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    rows = measured(metric, list(range(7)))
    kept = [row for row in range(7) if row not in rows.unmeasured]
    columns = counted(metric, {key: np.asarray(column, float)[kept] for key, column in rows.statistics.items()})
    weights = np.random.default_rng(0).poisson(1.0, (5, len(kept))) + np.eye(5, len(kept))
    together = metric.score(**{key: np.tensordot(weights, column, 1) for key, column in columns.items()})
    for draw in range(5):
        one = metric.score(**{key: np.tensordot(weights[draw], column, 1) for key, column in columns.items()})
        for part in metric.parts or (None,):
            many, single = (together[part], one[part]) if part else (together, one)
            assert many.shape == (5,)
            np.testing.assert_allclose(many[draw], single, rtol=1e-12)


@every_metric
def test_values_lie_in_the_range_that_is_stated(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    rows = measured(metric, list(range(7)))
    kept = [row for row in range(7) if row not in rows.unmeasured]
    value = metric.score(**counted(metric, {key: np.asarray(column, float)[kept] for key, column in rows.statistics.items()}))
    low, high = metric.range  # type: ignore[misc]
    for column in value.values() if metric.parts else [value]:
        assert np.all(column >= low)
        assert high is None or np.all(column <= high)


@every_metric
def test_a_metric_pickles_repeats_itself_and_leaves_its_input_alone(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    before = copy.deepcopy(COLUMNS)
    first, second = measured(metric, list(range(7))), measured(pickle.loads(pickle.dumps(metric)), list(range(7)))
    assert before == COLUMNS
    assert first.unmeasured == second.unmeasured
    for key, column in first.statistics.items():
        np.testing.assert_array_equal(np.asarray(column), np.asarray(second.statistics[key]))


@every_metric
def test_a_metric_describes_itself(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    first_line = (type(metric).__doc__ or "").splitlines()[0]
    assert first_line.endswith(".")
    assert any(bound in first_line for bound in ("0 to 1", "0 to 100", "1 or more", "0 or more"))
    assert metric.cite
    assert metric.reference
    assert ">>>" in (type(metric).__doc__ or "")
