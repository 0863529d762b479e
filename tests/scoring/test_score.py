"""From a tally to scores: values, intervals, replicates, denominators."""

from __future__ import annotations

import dataclasses
import json
import pickle
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU
from scipy.special import stdtrit
from scipy.stats import spearmanr

from evalharness import Batch, Metric, Rows, load_metric
from evalharness.scoring import Chain, Entry, Tally, finish, hash_keys, measure, sums
from evalharness.scoring.generator import weights


class Share(Metric):
    """Mean of what the samples have, 0 to 1."""

    name, better, range = "share", "higher", (0, 1)

    def measure(self, x):
        return {"x": x}


class Ratio(Metric):
    """Edits a word, 0 or more."""

    name, better, unit, range = "ratio", "lower", "edits/word", (0, None)

    def measure(self, edits, words):
        return {"edits": edits, "words": words}

    def score(self, edits, words):
        return edits / words


class Bleu(Metric):
    """BLEU with exponential smoothing, 0 to 100, over sacrebleu's sentence statistics."""

    name, better, range = "bleu4", "higher", (0, 100)

    def measure(self, response, references):
        rows = [BLEU()._extract_corpus_statistics([text], [refs])[0] for text, refs in zip(response, references, strict=True)]
        table = np.array(rows, float)
        return {"lengths": table[:, :2], "match": table[:, 2:6], "guess": table[:, 6:]}

    def score(self, lengths, match, guess):
        smooth = 2.0 ** np.cumsum(match == 0, axis=-1)
        precision = np.where(match > 0, match, 1 / smooth) / guess
        brevity = np.exp(np.minimum(0, 1 - lengths[..., 1] / lengths[..., 0]))
        value = 100 * brevity * np.exp(np.log(precision).mean(-1))
        return np.where(match.any(-1), value, 0.0)


class Auroc(Metric):
    """Chance that a positive is ranked above a negative, 0 to 1; ties count half."""

    name, better, range = "auroc1", "higher", (0, 1)
    pool, replicates = "rows", 200

    def measure(self, x, label):
        return {"x": x, "label": label}

    def score(self, *, weights, x, label):
        above = (x[:, None] > x[None, :]) + 0.5 * (x[:, None] == x[None, :])
        positive = np.where(label == "yes", weights, 0)
        negative = np.where(label == "no", weights, 0)
        won = np.einsum("...i,ij,...j->...", positive, above, negative)
        return won / (positive.sum(-1) * negative.sum(-1))


class AurocOneByOne(Auroc):
    """The same, for one row of weights."""

    def score(self, *, weights, x, label):
        if np.ndim(weights) != 1:
            raise ValueError("one row of weights only")
        return super().score(weights=weights, x=x, label=label)


class AurocMixed(Auroc):
    """The same, wrong for several rows of weights without saying so."""

    def score(self, *, weights, x, label):
        return super().score(weights=weights, x=x, label=label) / (1 if np.ndim(weights) == 1 else 2)


random = np.random.default_rng(8)
X = random.random(60).tolist()
WORDS = random.integers(1, 30, 60).tolist()
EDITS = [int(random.integers(0, words)) for words in WORDS]
LABEL = ["yes" if x + random.normal(0, 0.4) > 0.5 else "no" for x in X]
TEXTS = ["the cat sat on the mat", "a dog ran over the hill to the sea", "no", "it rains in the old town today"]
RESPONSES = [f"{TEXTS[row % 4]} {TEXTS[(row * 3 + 1) % 4]}" for row in range(60)]
REFERENCES = [[f"{TEXTS[row % 4]} {TEXTS[(row * 5 + 2) % 4]}"] for row in range(60)]
CASES = [
    (Share(), {"x": X}),
    (Ratio(), {"edits": EDITS, "words": WORDS}),
    (Bleu(), {"response": RESPONSES, "references": REFERENCES}),
    (Auroc(), {"x": X, "label": LABEL}),
]


def content(finished):
    replicates = {name: made.tobytes() for name, made in finished.replicates.items()}
    return {name: dataclasses.asdict(score) for name, score in finished.scores.items()}, replicates


@pytest.mark.parametrize(("metric", "columns"), CASES, ids=lambda case: getattr(case, "name", ""))
def test_scores_and_replicates_are_byte_equal_for_any_shards_and_order(scored, metric, columns):
    group = [row % 13 for row in range(60)]
    whole = content(scored(metric, group=group, **columns))
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(60).tolist()
        assert content(scored(metric, group=group, shards=[order[:5], order[5:37], order[37:]], **columns)) == whole


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=40), st.integers(1, 4), st.integers(0, 99))
def test_any_numbers_are_order_free(scored, values, shards, seed):
    order = np.random.default_rng(seed).permutation(len(values)).tolist()
    spread = scored(Share(), shards=[order[index::shards] for index in range(shards)], x=values)
    assert content(spread) == content(scored(Share(), x=values))


def test_a_mean_with_its_textbook_numbers(scored):
    finished = scored(Share(), x=X)
    score = finished.scores["share"]
    assert score.value == pytest.approx(np.mean(X), abs=1e-14)
    assert score.se == pytest.approx(np.std(X, ddof=1) / np.sqrt(60))
    assert (score.samples, score.groups, score.level, score.interval) == (60, 60, 0.95, "bounded mean")
    assert (score.signature, score.better, score.unit, score.clustered) == ("share", "higher", "", False)
    assert score.replicates == 1000


def test_a_ratio_is_that_of_the_totals(scored):
    score = scored(Ratio(), edits=EDITS, words=WORDS).scores["ratio"]
    assert score.value == sum(EDITS) / sum(WORDS)
    assert score.interval == "positive"
    assert score.low < score.value < score.high
    assert score.unit == "edits/word"


def test_a_corpus_metric_equals_sacrebleu_and_has_an_interval(scored):
    score = scored(Bleu(), response=RESPONSES, references=REFERENCES).scores["bleu4"]
    expected = BLEU().corpus_score(RESPONSES, [[refs[0] for refs in REFERENCES]]).score
    assert score.value == pytest.approx(expected, abs=1e-9)
    assert score.interval == "other bounded"
    assert 0 < score.low < score.value < score.high < 100


def test_folded_groups_keep_value_replicates_and_counts_and_nearly_the_interval(scored):
    draw = np.random.default_rng(12)
    x = (draw.random(6000) < 0.9).astype(float).tolist()
    score = scored(Share(), x=x).scores["share"]
    with mock.patch.object(sums, "BUCKETS", 2048):
        folded = scored(Share(), x=x)
        right = scored(Share(), x=[1.0] * 6000).scores["share"]
        halves = [scored(Share(), shards=[range(cut), range(cut, 6000)], x=x) for cut in (500, 2048, 5999)]
    found = folded.scores["share"]
    assert (found.value, found.samples, found.groups, found.df) == (score.value, 6000, 6000, 5999)
    assert (found.low, found.high) == pytest.approx((score.low, score.high), abs=0.05 * (score.high - score.low))
    whole = scored(Share(), x=[1.0] * 6000).scores["share"]
    assert (right.low, right.high, right.groups) == (whole.low, whole.high, 6000)
    buckets = hash_keys([f"q{row}" for row in range(6000)]) % np.uint64(2048)
    drawn = weights(1, buckets).T.astype(float)
    assert folded.replicates["share"] == pytest.approx(drawn @ x / drawn.sum(1), rel=1e-6)
    assert [content(half) for half in halves] == [content(folded)] * 3


def test_clusters_widen_the_interval_and_are_counted(scored):
    alike = [float(row // 6 % 2) for row in range(120)]
    alone = scored(Share(), x=alike).scores["share"]
    clustered = scored(Share(), group=[row // 6 for row in range(120)], x=alike).scores["share"]
    assert clustered.value == alone.value
    assert (clustered.groups, clustered.samples, clustered.clustered) == (20, 120, True)
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)


def test_a_replicate_is_the_score_of_the_reweighted_and_rescaled_totals(scored):
    made = scored(Ratio(), edits=EDITS, words=WORDS, seed=9).replicates["ratio"]
    drawn = weights(9, hash_keys([f"q{row}" for row in range(60)]) % np.uint64(65_536)).T.astype(float)
    assert made.dtype == np.float32
    assert made == pytest.approx((drawn @ EDITS) / (drawn @ WORDS), rel=1e-6)


def test_totals_that_are_no_ratio_are_rescaled(scored):
    class Total(Metric):
        """Sum of what the samples have, any number."""

        name, better = "total", "higher"

        def measure(self, x):
            return {"x": x}

        def score(self, x):
            return x

    made = scored(Total(), x=[2.0] * 60).replicates["total"]
    assert made == pytest.approx(np.full(1000, 120.0))
    with mock.patch.object(sums, "BUCKETS", 32):
        folded = scored(Total(), x=[2.0] * 60).replicates["total"]
    assert folded == pytest.approx(np.full(1000, 120.0))


def test_two_systems_on_one_task_are_aligned_even_where_one_lacks_samples(scored):
    count = 800
    difficulty = np.random.default_rng(1).random(count)
    first = (difficulty < 0.7).astype(float)
    second = np.where(np.random.default_rng(2).random(count) < 0.1, 1 - first, first)
    limited = scored(Share(), x=second.tolist(), shards=[range(600)])
    alone = scored(Share(), x=second[:600].tolist())
    assert np.array_equal(limited.replicates["share"], alone.replicates["share"])
    a, b = scored(Share(), x=first.tolist()), scored(Share(), x=second.tolist())
    spread = (a.replicates["share"] - b.replicates["share"]).std()
    assert spread == pytest.approx((first - second).std() / np.sqrt(count), rel=0.1)
    assert a.scores["share"].generator == b.scores["share"].generator
    assert a.scores["share"].fingerprint == b.scores["share"].fingerprint != alone.scores["share"].fingerprint


@pytest.mark.parametrize(("count", "expected"), [(20, 0.993), (50, 0.996), (200, 0.997)])
def test_the_spread_of_aligned_differences_is_that_of_a_paired_jackknife(scored, count, expected):
    # Of 1,000 replicates the spread is 2.2 % uncertain; over 60 pairs of systems 0.3 %.
    ratios = []
    for run in range(60):
        draw = np.random.default_rng(run)
        first = draw.beta(2, 1, count)
        second = np.clip(first + draw.normal(0.02, 0.2, count), 0, 1)
        a, b = (scored(Share(), seed=run, x=x.tolist()).replicates["share"].astype(float) for x in (first, second))
        ratios.append((a - b).std(ddof=1) / ((first - second).std(ddof=1) / np.sqrt(count)))
    assert np.mean(ratios) == pytest.approx(expected, abs=0.012)


def test_clustered_replicates_spread_as_groups_do(scored):
    draw = np.random.default_rng(3)
    groups = np.repeat(np.arange(80), 5)
    x = np.clip(np.repeat(draw.random(80), 5) + draw.normal(0, 0.1, 400), 0, 1)
    finished = scored(Share(), group=groups.tolist(), x=x.tolist())
    score, made = finished.scores["share"], finished.replicates["share"].astype(float)
    assert made.std(ddof=1) == pytest.approx(score.se, rel=0.08)
    assert score.se > 1.8 * x.std() / 20


@pytest.mark.parametrize("metric", [Auroc(), AurocOneByOne(), AurocMixed()], ids=lambda metric: type(metric).__name__)
def test_a_metric_over_all_rows_has_the_spread_of_its_replicates(scored, metric):
    finished = scored(metric, x=X, label=LABEL)
    yes = [x for x, label in zip(X, LABEL, strict=True) if label == "yes"]
    no = [x for x, label in zip(X, LABEL, strict=True) if label == "no"]
    score, made = finished.scores["auroc1"], finished.replicates["auroc1"]
    assert score.value == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a in yes for b in no]))
    assert (len(made), score.replicates, score.interval) == (200, 200, "spread of 200 replicates")
    half = stdtrit(59, 0.975) * made.astype(float).std(ddof=1)
    assert score.high - score.low == pytest.approx(min(1, score.value + half) - (score.value - half), rel=1e-5)
    assert content(finished)[1] == content(scored(Auroc(), x=X, label=LABEL))[1]


def ranks(values, weights):
    """Mid-ranks of values, each as often as it weighs; weights (..., n)."""
    below = (values[None, :] < values[:, None]).astype(float)
    equal = (values[None, :] == values[:, None]).astype(float)
    return weights @ below.T + (weights @ equal.T + 1) / 2


class Spearman(Metric):
    """Rank correlation with tied ranks shared, -1 to 1."""

    name, better, range = "spearman1", "higher", (-1, 1)
    pool, replicates = "rows", 300

    def measure(self, x, y):
        return {"x": x, "y": y}

    def score(self, *, weights, x, y):
        weights = weights.astype(float)
        total = weights.sum(-1, keepdims=True)
        first, second = (r - (weights * r).sum(-1, keepdims=True) / total for r in (ranks(x, weights), ranks(y, weights)))
        spread = (weights * first**2).sum(-1) * (weights * second**2).sum(-1)
        return (weights * first * second).sum(-1) / np.sqrt(spread)


class SpearmanOneByOne(Spearman):
    """The same from scipy, for one row of weights."""

    def score(self, *, weights, x, y):
        return spearmanr(np.repeat(x, weights), np.repeat(y, weights)).statistic


def test_a_rank_correlation_is_the_same_with_weights_at_once_and_one_by_one(scored):
    columns = {"x": X, "y": [round(x + float(noise), 1) for x, noise in zip(X, random.normal(0, 0.3, 60), strict=True)]}
    at_once, one_by_one = scored(Spearman(), **columns), scored(SpearmanOneByOne(), **columns)
    made, expected = at_once.replicates["spearman1"], one_by_one.replicates["spearman1"]
    assert made == pytest.approx(expected, abs=1e-6)
    score = at_once.scores["spearman1"]
    assert score.value == pytest.approx(spearmanr(columns["x"], columns["y"]).statistic, abs=1e-12)
    half = stdtrit(59, 0.975) * made.astype(float).std(ddof=1)
    assert (score.low, score.high) == pytest.approx((score.value - half, min(score.value + half, 1)))
    fisher = np.tanh(np.arctanh(score.value) + np.array([-1, 1]) * 1.96 * np.sqrt((1 + score.value**2 / 2) / 57))
    assert (score.low, score.high) == pytest.approx(fisher, abs=0.06)


@pytest.mark.parametrize(("count", "reason"), [(0, "fewer than 50 replicates"), (1, "fewer than 50 replicates"), (50, None)])
def test_a_metric_over_all_rows_may_have_few_replicates(scored, count, reason):
    class Few(Auroc):
        """The same with fewer replicates."""

        name, better, replicates = "auroc1", "higher", count

    finished = scored(Few(), x=X, label=LABEL)
    score = finished.scores["auroc1"]
    assert score.value == scored(Auroc(), x=X, label=LABEL).scores["auroc1"].value
    assert (score.reason, score.replicates, len(finished.replicates["auroc1"])) == (reason, count, count)


def test_a_score_that_often_fails_without_a_class_has_no_interval(scored):
    label = ["yes"] + ["no"] * 19
    score = scored(AurocOneByOne(), x=X[:20], label=label).scores["auroc1"]
    assert score.value is not None
    assert score.low is None
    assert score.reason.endswith("of 200 replicates are undefined")


def test_rows_are_weighted_by_their_group(scored):
    class Weight(Metric):
        """Weight of the first group, 0 or more."""

        name, better, range, pool = "weight", "higher", (0, None), "rows"

        def measure(self, x):
            return {"x": x}

        def score(self, *, weights, x):
            return np.where(x == 0, weights, 0).sum(-1) / 3.0

    finished = scored(Weight(), group=["a", "b"] * 3 + list("cdefg"), x=[0, 1] * 3 + [2] * 5, seed=4)
    drawn = weights(4, hash_keys(["a"]) % np.uint64(65_536))[0]
    assert np.array_equal(finished.replicates["weight"], drawn.astype(np.float32))


def test_all_right_and_all_wrong_have_a_width(scored):
    right, wrong = (scored(Share(), x=[value] * 30).scores["share"] for value in (1.0, 0.0))
    c = stdtrit(29, 0.975) ** 2
    middle = (30 + c / 2) / (30 + c)
    low = middle - np.sqrt(c * middle * (1 - middle) / (30 + c))
    assert (right.value, right.low, right.high) == pytest.approx((1.0, low, 1.0))
    assert (wrong.value, wrong.low, wrong.high) == pytest.approx((0.0, 0.0, 1 - low))


def test_one_sample_has_a_value_and_no_interval(scored):
    score = scored(Share(), x=[0.5]).scores["share"]
    assert (score.value, score.low, score.reason) == (0.5, None, "fewer than 5 groups")


def test_no_error_anywhere_has_a_value_and_no_interval(scored):
    score = scored(Ratio(), edits=[0] * 20, words=[5] * 20).scores["ratio"]
    assert (score.value, score.low, score.high) == (0.0, None, None)
    assert score.reason == "a score of exactly 0 has no logarithm"


def test_nothing_over_nothing_has_no_value(scored):
    finished = scored(Ratio(), edits=[0] * 20, words=[0] * 20)
    score = finished.scores["ratio"]
    assert (score.value, score.low, score.reason) == (None, None, "undefined for these samples")
    assert (score.samples, score.replicates) == (20, 0)
    assert finished.replicates == {}


def test_no_samples_have_no_value(scored):
    score = scored(Share(), x=[None] * 3).scores["share"]
    assert (score.value, score.samples, score.reason, score.unmeasured) == (None, 0, "nothing was measured", {"no x": 3})


def test_numbers_beyond_exact_addition_have_no_value_and_a_scale_mends_it(scored):
    class Scaled(Ratio):
        """The same with a scale."""

        scale = 2.0**20

    columns = {"edits": [3e9] * 20, "words": [1e9] * 20}
    assert "declare a larger scale" in scored(Ratio(), **columns).scores["ratio"].reason
    mended = scored(Scaled(), **columns)
    assert mended.scores["ratio"].value == 3.0
    assert len(mended.replicates["ratio"]) == 1000


def test_numbers_too_small_to_be_added_have_no_value_and_a_scale_mends_it(scored):
    class Scaled(Ratio):
        """The same with a scale."""

        scale = 2.0**-60

    columns = {"edits": [3e-16, 1e-16] * 10, "words": [1e-16] * 20}
    score = scored(Ratio(), **columns).scores["ratio"]
    assert score.value is None
    assert score.reason == "its numbers in 'edits' are too small to be added exactly; the metric must declare a smaller scale"
    assert scored(Scaled(), **columns).scores["ratio"].value == pytest.approx(2)
    assert scored(Share(), x=[3e-16] * 20).scores["share"].value == pytest.approx(3e-16, abs=1e-15)


def test_zeros_are_not_taken_for_numbers_too_small(scored):
    assert scored(Ratio(), edits=[0] * 19 + [2e-9], words=[1] * 20).scores["ratio"].value == pytest.approx(1e-10)
    assert scored(Ratio(), edits=[0] * 20, words=[1] * 20).scores["ratio"].value == 0


@pytest.mark.parametrize("size", [1e200, 1e300])
def test_a_score_beyond_all_numbers_has_no_ends_or_no_value_and_is_json(scored, size):
    class Power(Ratio):
        """Ten to the power of the mean, 0 or more."""

        def score(self, edits, words):
            return size * 10 ** (edits / words)

    near = scored(Power(), edits=[1, 12] * 10, words=[1] * 20).scores["ratio"]
    assert near.value == pytest.approx(size * 10**6.5)
    assert (near.low is None) == (near.reason == "its ends are beyond all numbers") == (size == 1e300)
    beyond = scored(Power(), edits=[1, 400] * 10, words=[1] * 20).scores["ratio"]
    assert (beyond.value, beyond.reason) == (None, "infinite for these samples")
    for score in (near, beyond):
        json.dumps(dataclasses.asdict(score), allow_nan=False)


def test_a_value_outside_the_stated_range_has_no_interval(scored):
    score = scored(Share(), x=[1.5] * 10 + [0.9] * 10).scores["share"]
    assert (score.low, score.high) == (None, None)
    assert score.value == pytest.approx(1.2)
    assert score.reason == "the value lies outside the range that the metric states, (0, 1)"


def test_a_score_that_writes_into_its_arguments_changes_nothing(scored):
    class Writes(Ratio):
        """The same, in place."""

        def score(self, edits, words):
            edits /= words
            return edits

    columns = {"edits": EDITS, "words": WORDS}
    whole = content(scored(Ratio(), **columns))
    assert content(scored(Writes(), shards=[range(20), range(20, 60)], **columns)) == whole

    class WritesRows(AurocOneByOne):
        """The same, and spoils its columns."""

        def score(self, *, weights, x, label):
            value = super().score(weights=weights, x=x, label=label)
            x[:] = 0
            label[:] = "no"
            return value

    columns = {"x": X, "label": LABEL}
    assert content(scored(WritesRows(), **columns)) == content(scored(AurocOneByOne(), **columns))


def test_a_part_has_its_own_samples_groups_and_reasons(scored):
    class Parts(Metric):
        """Means of two columns, 0 to 1."""

        name, better, range, parts = "two", "higher", (0, 1), (".a", ".b")

        def measure(self, x, y):
            return {".a": x, ".b": y}

    finished = scored(Parts(), x=[1.0] * 10 + [0.0] * 10, y=[float("nan")] * 12 + [1.0] * 8)
    a, b = finished.scores["two.a"], finished.scores["two.b"]
    assert (a.value, a.samples, a.groups) == (0.5, 20, 20)
    assert (b.value, b.samples, b.groups) == (1.0, 8, 8)
    assert (a.unmeasured, b.unmeasured) == ({}, {"not a number": 12})
    assert a.fingerprint != b.fingerprint
    only = scored(Share(), x=[None] * 12 + [1.0] * 8).scores["share"]
    assert b.fingerprint == only.fingerprint
    assert b.low == pytest.approx(scored(Share(), x=[1.0] * 8).scores["share"].low)
    varied = [0.1, 0.9, 0.4, 0.7, 0.3, 0.8, 0.6, 0.5]
    found = scored(Parts(), x=X[:20], y=[float("nan")] * 12 + varied).scores["two.b"]
    alone = scored(Share(), x=varied).scores["share"]
    assert (found.value, found.se, found.low, found.high) == pytest.approx((alone.value, alone.se, alone.low, alone.high))


def test_bounds_say_what_lost_samples_could_change(scored):
    entry = Entry.of(Share())
    tally = Tally(entry)
    batch = Batch({"x": [1.0] * 8 + [0.0] * 8}, [f"q{row}" for row in range(16)])
    tally.add(measure(entry, batch, failures=[None] * 16, policy="worst", measured={}), *[hash_keys(batch.ids)] * 2)
    tally.errors["connection"] = 4
    score = finish(entry, tally, seed=1, clustered=False).scores["share"]
    assert score.bounds == pytest.approx([0.4, 0.6])
    assert score.errors == 4
    assert scored(Share(), x=X).scores["share"].bounds is None


def test_a_tally_pickles_and_goes_on(scored):
    entry = Chain.build([(None, Share())]).entries[0]
    tally = Tally(entry)
    for start in (0, 30):
        batch = Batch({"x": X[start : start + 30]}, [f"q{row}" for row in range(start, start + 30)])
        tally.add(measure(entry, batch, failures=[None] * 30, policy="worst", measured={}), *[hash_keys(batch.ids)] * 2)
        tally = pickle.loads(pickle.dumps(tally))
    assert content(finish(entry, tally, seed=1, clustered=False)) == content(scored(Share(), x=X))


def test_statistics_whose_shape_depends_on_the_batch_have_no_value(scored):
    class Shapeless(Metric):
        """Nothing, any number."""

        name, better = "shapeless", "higher"

        def measure(self, x):
            return {"x": np.ones((len(x), len(x)))}

        def score(self, x):
            return x.sum(-1)

    score = scored(Shapeless(), shards=[range(3), range(3, 8)], x=X[:8]).scores["shapeless"]
    assert (score.value, score.reason) == (None, "its statistics have names or shapes that depend on the samples")


def test_a_score_that_cannot_take_totals_costs_the_value_alone(scored):
    class Branching(Ratio):
        """A score with a branch, 0 or more."""

        def measure(self, edits, words):
            return Rows({"edits": edits, "words": words})

        def score(self, edits, words):
            return edits / words if np.ndim(edits) == 1 and len(edits) < 60 else 1 / 0

    score = scored(Branching(), shards=[range(30), range(30, 60)], edits=EDITS, words=WORDS).scores["ratio"]
    assert score.value is None
    assert "metric 'ratio'" in score.reason
    assert "raised ZeroDivisionError in score" in score.reason


def test_a_ratio_that_does_not_vary_is_told_by_the_groups_that_bear_on_it():
    recall = load_metric("recall")
    columns = {"probabilities": [0.9] * 6 + [0.1] * 294, "target": [1] * 6 + [0] * 294}
    few = recall.evaluate(**columns).scores["recall"]
    alone = recall.evaluate(probabilities=[0.9] * 6, target=[1] * 6).scores["recall"]
    assert (few.value, few.low, few.groups) == (1.0, alone.low, 300)
    assert few.low < 0.6
    one = recall.evaluate(probabilities=[0.9] + [0.1] * 50, target=[1] + [0] * 50).scores["recall"]
    assert (one.value, one.low, one.reason) == (1.0, None, "fewer than 5 groups")
