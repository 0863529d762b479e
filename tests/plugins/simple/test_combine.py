"""`combine`: means of other scores, per sample or on totals."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import evalharness as eh
from evalharness import Batch, Metric, Rows
from evalharness.errors import FaultsFound
from evalharness.scoring import Chain, Tally, finish, hash_keys, measure
from evalharness.testing import agree


class First(Metric):
    """First column, 0 to 1; unmeasured where it is text."""

    name, better, range = "first", "higher", (0, 1)

    def measure(self, x):
        return Rows({"x": [0.0 if isinstance(value, str) else value for value in x]}, reasons(x))


class Cuts(Metric):
    """Second column and half of it, 0 to 1."""

    name, better, range, parts = "cuts", "higher", (0, 1), ("@1", "@3")

    def measure(self, y):
        return {"@1": [value / 2 for value in y], "@3": y}


class Precise(Metric):
    """Hits a guess, 0 to 1."""

    name, better, range = "precise", "higher", (0, 1)

    def measure(self, hits, guesses):
        return {"hits": hits, "guesses": guesses}

    def score(self, hits, guesses):
        return hits / guesses


class Loss(First):
    """Loss, 0 to 1."""

    name, better = "loss", "lower"


class Percent(First):
    """Percent, 0 to 100."""

    name, better, range = "percent", "higher", (0, 100)


def reasons(x):
    return {row: value for row, value in enumerate(x) if isinstance(value, str)}


def run(metrics, columns, *, failures=None, group=None):
    """Score columns with a chain: finished scores and what was measured, by entry name."""
    chain = Chain.build(metrics)
    count = len(next(iter(columns.values())))
    ids = hash_keys([f"q{row}" for row in range(count)])
    batch, measured, scores, replicates = Batch(columns), {}, {}, {}
    for entry in chain.entries:
        found = measure(entry, batch, failures=failures or [None] * count, policy="worst", measured=measured)
        measured[entry.name] = found
        tally = Tally(entry)
        tally.add(found, hash_keys(group) if group else ids, ids)
        finished = finish(entry, tally, seed=5, clustered=group is not None)
        scores |= finished.scores
        replicates |= finished.replicates
    return scores, measured, replicates


def combine(*of, **options):
    return (None, eh.load_metric("combine", of=of, **options))


X = [0.2, 0.9, 1.0, 0.5, 0.0, 0.7]
Y = [0.4, 0.3, 1.0, 0.8, 0.6, 0.1]
EXPECTED = {
    "harmonic": lambda x, y: 0.0 if min(x, y) == 0 else 2 / (1 / x + 1 / y),
    "arithmetic": lambda x, y: (x + y) / 2,
    "geometric": lambda x, y: float(np.sqrt(x * y)),
    "min": min,
}


@pytest.mark.parametrize("mean", EXPECTED)
def test_per_sample_it_is_the_mean_of_the_combined_values(mean):
    scores, measured, _ = run([(None, First()), (None, Cuts()), combine("first", "cuts@3", mean=mean)], {"x": X, "y": Y})
    expected = [EXPECTED[mean](x, y) for x, y in zip(X, Y, strict=True)]
    assert measured["combine"].values["combine"] == pytest.approx(expected)
    score = scores["combine"]
    assert score.value == pytest.approx(np.mean(expected))
    assert (score.interval, score.samples, score.better) == ("bounded mean", 6, "higher")


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=2))
def test_means_agree_with_their_definitions(pair):
    scores, _, _ = run([(None, First()), (None, Cuts()), combine("first", "cuts@3")], {"x": [pair[0]] * 5, "y": [pair[1]] * 5})
    assert scores["combine"].value == pytest.approx(1 / np.mean(1 / np.array(pair)))
    geometric = np.exp(special.xlogy(1, pair).mean())
    scores, _, _ = run(
        [(None, First()), (None, Cuts()), combine("first", "cuts@3", mean="geometric")], {"x": [pair[0]] * 5, "y": [pair[1]] * 5}
    )
    assert scores["combine"].value == pytest.approx(geometric)


@pytest.mark.parametrize("mean", EXPECTED)
def test_on_totals_it_combines_the_scores_and_their_replicates(mean):
    columns = {"x": X, "hits": [1, 2, 0, 3, 1, 1], "guesses": [2, 3, 5, 4, 1, 6]}
    scores, _, replicates = run(
        [(None, First()), (None, Precise()), combine("first", "precise", mean=mean, per="total")], columns
    )
    score = scores["combine"]
    agree("combine", score.value, EXPECTED[mean](np.mean(X), 8 / 21))
    expected = [EXPECTED[mean](float(a), float(b)) for a, b in zip(replicates["first"], replicates["precise"], strict=True)]
    assert replicates["combine"] == pytest.approx(expected, rel=1e-5, nan_ok=True)  # no group at all in some draw
    assert score.interval == "other bounded"
    assert score.low < score.value < score.high


def test_f1_on_totals_is_not_the_mean_of_f1s():
    columns = {"x": [1.0, 0.0] * 5, "y": [0.0, 1.0] * 5}
    metrics = [(None, First()), (None, Cuts())]
    total, _, _ = run([*metrics, combine("first", "cuts@3", per="total")], columns)
    sample, _, _ = run([*metrics, combine("first", "cuts@3")], columns)
    assert (total["combine"].value, sample["combine"].value) == (0.5, 0.0)


@pytest.mark.parametrize("per", ["sample", "total"])
def test_a_row_that_a_score_did_not_measure_is_unmeasured_with_that_reason(per):
    columns = {"x": [0.2, "refusal", *X], "y": [0.5, 0.5, *Y]}
    scores, measured, _ = run([(None, First()), (None, Cuts()), combine("cuts@1", "first", per=per)], columns)
    assert measured["combine"].statuses == [None, "first: refusal", *[None] * 6]
    assert (scores["combine"].samples, scores["combine"].unmeasured) == (7, {"first: refusal": 1})
    if per == "total":
        x, y = np.mean([0.2, *X]), np.mean([0.5, *Y]) / 2
        assert scores["combine"].value == pytest.approx(2 / (1 / x + 1 / y))


def test_on_totals_a_sample_that_has_no_value_of_its_own_still_counts():
    columns = {"x": X, "hits": [1, 2, 0, 3, 1, 1], "guesses": [2, 3, 0, 4, 1, 6]}
    metrics = [(None, First()), (None, Precise())]
    total, _, _ = run([*metrics, combine("first", "precise", per="total", mean="min")], columns)
    assert (total["combine"].value, total["combine"].samples) == (total["precise"].value, 6)
    _, measured, _ = run([*metrics, combine("first", "precise", mean="min")], columns)
    assert measured["combine"].statuses[2] == "precise: undefined for one sample"


@pytest.mark.parametrize("per", ["sample", "total"])
def test_a_part_that_is_not_a_number_is_unmeasured(per):
    columns = {"x": X, "y": [float("nan"), *Y[1:]]}

    class Third(Cuts):
        """Second column beside ones, 0 to 1."""

        def measure(self, y):
            return {"@1": [1.0] * len(y), "@3": y}

    _, measured, _ = run([(None, First()), (None, Third()), combine("first", "cuts@3", per=per)], columns)
    assert measured["combine"].statuses[0] == "cuts@3: not a number"


def test_an_error_of_a_score_is_an_error_of_the_combination():
    class Reads(First):
        """Reads the response, 0 to 1."""

        def measure(self, response):
            return {"x": [0.5] * len(response)}

    columns = {"response": ["a"] * 6, "y": Y}
    failures = [eh.Failure("timeout"), *[None] * 5]
    scores, measured, _ = run([(None, Reads()), (None, Cuts()), combine("first", "cuts@3")], columns, failures=failures)
    assert measured["combine"].statuses[0] == "error: timeout"
    assert (scores["combine"].errors, scores["combine"].samples) == (1, 5)


def test_a_combination_of_combinations():
    chain = [
        ("both", eh.load_metric("combine", of=("inner", "first"), mean="arithmetic")),
        ("inner", eh.load_metric("combine", of=("cuts@1", "cuts@3"), mean="min")),
        (None, First()),
        (None, Cuts()),
    ]
    scores, _, _ = run(chain, {"x": X, "y": Y})
    assert scores["both"].value == pytest.approx(np.mean([x / 2 + y / 4 for x, y in zip(X, Y, strict=True)]))


def test_range_and_unit_are_those_of_the_scores():
    entry = Chain.build([(None, Percent()), ("other", Percent()), combine("percent", "other")]).entries[-1]
    assert entry.metric.range == (0, 100)
    assert entry.metric.unit == ""


def test_the_signature_tells_what_is_combined():
    entry = Chain.build([(None, First()), (None, Cuts()), combine("first", "cuts@3")]).entries[-1]
    signature = entry.metric.signature()
    assert signature == "combine|of:first,cuts@3|mean:harmonic|per:sample|{first=first}|{cuts@3=cuts}"


def test_it_pickles_with_the_scores_in_its_hands():
    entry = Chain.build(
        [(None, eh.load_metric("token_f1")), (None, eh.load_metric("exact_match")), combine("token_f1", "exact_match")]
    )
    metric = entry.entries[-1].metric
    assert pickle.loads(pickle.dumps(metric)) == metric


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([Loss()], r"'first' \(range \(0, 1\), higher is better\) and 'loss' \(range \(0, 1\), lower is better\)"),
        ([Percent()], r"'first' .* and 'percent' \(range \(0, 100\), higher is better\) cannot be combined"),
    ],
)
def test_scores_that_do_not_fit_together_are_refused(others, message):
    (other,) = others
    with pytest.raises(FaultsFound, match=message):
        Chain.build([(None, First()), (None, other), combine("first", other.name)])


@pytest.mark.parametrize("per", ["sample", "total"])
def test_a_score_that_needs_all_rows_is_refused(per):
    class Rows1(First):
        """All at once, 0 to 1."""

        name, better, pool = "all_rows", "higher", "rows"

    with pytest.raises(FaultsFound, match="'combine': 'all_rows' cannot be combined: it needs all samples at once"):
        Chain.build([(None, First()), (None, Rows1()), combine("first", "all_rows", per=per)])


@pytest.mark.parametrize("better_low", [True, False])
def test_scores_that_do_not_start_at_0_with_more_being_better_are_refused(better_low):
    class Odd(First):
        """Signed, or better low."""

        name, better, range = "odd", "lower" if better_low else "higher", (0, 1) if better_low else (-1, 1)

    with pytest.raises(FaultsFound, match=r"'odd' .* cannot be combined: it must start at 0, higher better"):
        Chain.build([(None, Odd()), ("odd2", Odd()), combine("odd", "odd2")])


@pytest.mark.parametrize("of", [(), ("first",), ("first", "first"), ("first", "second", "first")])
def test_fewer_than_two_scores_or_one_twice_are_refused(of):
    with pytest.raises(eh.UsageError, match="'of' must name at least two different scores, each once"):
        eh.load_metric("combine", of=of)


def test_an_unknown_score_is_named_with_the_nearest():
    with pytest.raises(FaultsFound, match=r"uses the score 'cuts@2'.* Did you mean 'cuts@3'\?|Did you mean 'cuts@1'\?"):
        Chain.build([(None, First()), (None, Cuts()), combine("first", "cuts@2")])
