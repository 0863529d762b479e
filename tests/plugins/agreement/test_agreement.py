"""Agreement between raters: equal to krippendorff, statsmodels and scikit-learn, with missing ratings and under weights."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

import evalharness as eh
from evalharness.testing import agree

RATING = st.none() | st.integers(1, 4)
ROWS = st.lists(st.tuples(RATING, RATING, RATING), min_size=2, max_size=15)
LEVELS = ("nominal", "ordinal", "interval", "ratio")
# Shrout and Fleiss, 1979, table 2: six targets rated by four judges; table 4 has the six correlations.
TARGETS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def value(name: str, ratings: Any, **options: Any) -> Any:
    return eh.load_metric(name, **options).evaluate(ratings=list(ratings)).scores[name].value


def weighted(name: str, ratings: Any, weights: Any, **options: Any) -> Any:
    metric = eh.load_metric(name, **options)
    rows = metric.measure(ratings=ratings)
    with np.errstate(divide="ignore", invalid="ignore"):
        return metric.score(weights=weights, given=np.array(rows.statistics["given"], object))


def alpha(ratings: Any, level: str) -> float:
    """Return the reference's alpha, NaN where it has none: with no pair of ratings, or one value in all."""
    kept = [row for row in ratings if sum(each is not None for each in row) > 1]
    if len({each for row in kept for each in row if each is not None}) < 2:
        return math.nan
    table = np.array([[np.nan if each is None else each for each in row] for row in kept], float).T
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_equals_the_reference(level: str) -> None:
    @settings(max_examples=40)
    @given(ratings=ROWS)
    def compare(ratings: list[tuple[Any, ...]]) -> None:
        found = value("krippendorff_alpha", ratings, level=level)
        agree("krippendorff_alpha", math.nan if found is None else found, alpha(ratings, level))

    compare()


@pytest.mark.parametrize("level", LEVELS)
def test_each_of_many_weightings_is_the_alpha_of_repeated_samples(level: str) -> None:
    draws = np.random.default_rng(1)
    ratings = [[int(each) for each in row] for row in draws.integers(1, 6, (20, 3))]
    weights = draws.poisson(1.0, (2, 3, 20))
    repeated = [
        [[row for row, count in zip(ratings, one, strict=True) for _ in range(count)] for one in block] for block in weights
    ]
    expected = [[alpha(rows, level) for rows in block] for block in repeated]
    agree("krippendorff_alpha", weighted("krippendorff_alpha", ratings, weights, level=level), expected)


def test_alpha_of_numbers_far_from_zero_loses_no_digits() -> None:
    ratings = np.random.default_rng(2).normal(0, 1, (50, 3))
    shifted, plain = (value("krippendorff_alpha", each.tolist(), level="interval") for each in (1e6 + ratings, ratings))
    assert shifted == pytest.approx(plain, abs=1e-8)


def test_a_ratio_needs_numbers_from_zero_on() -> None:
    found = eh.load_metric("krippendorff_alpha", level="ratio").evaluate(ratings=[[0, 0, 1], [1, -1, 1], [2, 3, None]])
    assert found.statuses == [None, "a rating is below 0", None]
    agree("krippendorff_alpha", found.scores["krippendorff_alpha"].value, alpha([[0, 0, 1], [2, 3, None]], "ratio"))


def test_labels_are_texts_and_a_number_is_the_label_that_it_spells() -> None:
    assert value("krippendorff_alpha", [["ja", "ja"], ["日本", "日本"]]) == 1.0
    assert value("percent_agreement", [[1, "1"], [1.0, True], [True, "true"]]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["krippendorff_alpha", "fleiss_kappa", "percent_agreement"])
def test_a_sample_that_was_rated_once_or_not_at_all_is_unmeasured(name: str) -> None:
    ratings = [["a", "a"], ["a", None], [float("nan"), ""], "ab", ["b", "b"], [["a"], "a"]]
    found = eh.load_metric(name).evaluate(ratings=ratings)
    few, strange = "fewer than two ratings", "a rating is no label"
    assert found.statuses == [None, few, few, "ratings are no list", None, strange]
    assert (found.scores[name].value, found.scores[name].samples) == (1.0, 2)


@pytest.mark.parametrize("name", ["krippendorff_alpha", "fleiss_kappa", "raters_cohen_kappa"])
def test_one_label_for_all_leaves_chance_nothing_to_miss(name: str) -> None:
    found = eh.load_metric(name).evaluate(ratings=[["a", "a"]] * 4).scores[name]
    assert (found.value, found.reason) == (None, "undefined for these samples")


@given(ratings=st.lists(st.tuples(*[st.sampled_from("abc")] * 4), min_size=2, max_size=12))
@settings(max_examples=40)
def test_fleiss_kappa_equals_statsmodels(ratings: list[tuple[str, ...]]) -> None:
    raters = pytest.importorskip("statsmodels.stats.inter_rater")
    if len({each for row in ratings for each in row}) < 2:
        return
    counts = np.array([[row.count(label) for label in "abc"] for row in ratings])
    agree("fleiss_kappa", value("fleiss_kappa", ratings), raters.fleiss_kappa(counts))
    weights = np.arange(2 * len(ratings)).reshape(2, -1) % 3 + 1
    expected = [raters.fleiss_kappa(np.repeat(counts, row, axis=0)) for row in weights]
    agree("fleiss_kappa", weighted("fleiss_kappa", ratings, weights), expected)


@pytest.mark.parametrize("weigh", ["all", "linear", "quadratic"])
def test_the_kappa_of_two_raters_equals_scikit_learn(weigh: str) -> None:
    draws = np.random.default_rng(3)
    ratings = draws.choice([1, 2, 5, 9], (40, 2))
    weights = draws.poisson(1.0, (4, 40))
    weights[3, (ratings == 5).any(1)] = 0  # then 2 and 9 are neighbours
    plain = None if weigh == "all" else weigh
    agree(
        "raters_cohen_kappa",
        value("raters_cohen_kappa", ratings.tolist(), weigh=weigh),
        cohen_kappa_score(*ratings.T, weights=plain),
    )
    expected = [cohen_kappa_score(*np.repeat(ratings, row, axis=0).T, weights=plain) for row in weights]
    agree("raters_cohen_kappa", weighted("raters_cohen_kappa", ratings.tolist(), weights, weigh=weigh), expected)


def test_two_raters_must_both_have_said_something() -> None:
    ratings = [["a", None, "a"], ["b", "a", "b"], ["a", "a", None], ["a", "a"]]
    found = eh.load_metric("raters_cohen_kappa", raters=(3, 1)).evaluate(ratings=ratings)
    assert (found.scores["raters_cohen_kappa"].value, found.statuses) == (1.0, [None, None, *["no rating of rater 3"] * 2])
    for raters in ((1, 1), (0, 1), (1, 2, 3)):
        with pytest.raises(eh.UsageError, match="must be two different places from 1 on"):
            eh.load_metric("raters_cohen_kappa", raters=raters)


@pytest.mark.parametrize(
    ("model", "average", "published"),
    [("1", False, 0.17), ("2", False, 0.29), ("3", False, 0.71), ("1", True, 0.44), ("2", True, 0.62), ("3", True, 0.91)],
)
def test_intraclass_correlations_of_the_example_of_shrout_and_fleiss(model: str, average: bool, published: float) -> None:
    options = {"raters": 4, "model": model, "average": average}
    assert round(value("icc", TARGETS, **options), 2) == published
    weights = np.array([[2, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    repeated = [row for row, count in zip(TARGETS, weights[0], strict=True) for _ in range(count)]
    agree("icc", weighted("icc", TARGETS, weights, **options), [value("icc", rows, **options) for rows in (repeated, TARGETS)])


def test_an_intraclass_correlation_needs_all_raters_and_some_variance() -> None:
    metric = eh.load_metric("icc", raters=2)
    assert metric.evaluate(ratings=[[1, 2], [1, None], [1, 2, 3], [1, "x"]]).statuses[1:] == [
        "not 2 ratings", "not 2 ratings", "a rating is no finite number",
    ]  # fmt: skip
    assert value("icc", [[0.1, 0.1]] * 3, raters=2) is None
    with pytest.raises(eh.UsageError, match="raters is 1, but must be at least 2"):
        eh.load_metric("icc", raters=1)


@pytest.fixture(scope="module")
def factuality(labelled_data: Callable[[str], Any]) -> list[list[str | None]]:
    """Give the judgements of three workers on whether summaries are factual; NULL is missing."""
    with open(labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    for row in rows:
        given = None if row["is_factual"] in ("NULL", "") else row["is_factual"]
        found.setdefault((row["bbcid"], row["system"]), {})[row["worker_id"]] = given
    return [[one.get(f"wid_{worker}") for worker in range(3)] for one in found.values()]


def test_real_judgements_have_the_alpha_of_the_reference(factuality: list[list[str | None]]) -> None:
    numbers = [[None if each is None else ("no", "yes").index(each) for each in row] for row in factuality]
    found = eh.load_metric("krippendorff_alpha").evaluate(ratings=factuality).scores["krippendorff_alpha"]
    agree("krippendorff_alpha", found.value, alpha(numbers, "nominal"))
    assert found.low < found.value < found.high
    assert found.replicates == 1000
    assert Counter(each for row in factuality for each in row)["yes"] == 582


@pytest.mark.parametrize("name", ["krippendorff_alpha", "fleiss_kappa", "raters_cohen_kappa", "icc", "percent_agreement"])
def test_the_order_of_samples_changes_no_bit(name: str) -> None:
    draws = np.random.default_rng(4)
    ratings, order = draws.integers(1, 5, (30, 3)).tolist(), draws.permutation(30).tolist()
    metric = eh.load_metric(name)
    shuffled = metric.evaluate(ratings=[ratings[row] for row in order], id=order)
    assert metric.evaluate(ratings=ratings, id=list(range(30))).scores == shuffled.scores
