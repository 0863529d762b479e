"""One batch and one metric: who is withheld, what counts, what is passed on."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness import Batch, Failure, Generate, Metric, Response, Rows, Unmeasured, metric
from evalharness.scoring import Entry, Tally, excluded, finish, hash_keys, measure

EMPTY, FILTERED, LOST = Failure("empty"), Failure("filtered"), Failure("connection", "reset by peer")


class Length(Metric):
    """Share of a hundred characters used, 0 to 1; not defined for no text."""

    name, better, range = "length", "higher", (0, 1)

    def measure(self, response, references):
        reasons = {row: "no reference" for row, texts in enumerate(references) if not texts}
        reasons |= {row: "no text" for row, text in enumerate(response) if not text and row not in reasons}
        return Rows({"length": [len(text) / 100 for text in response]}, reasons)


class Recall(Metric):
    """Number of passages, 0 or more."""

    name, better, range = "recall", "higher", (0, None)

    def measure(self, contexts):
        return {"count": [len(found) for found in contexts], "one": np.ones(len(contexts))}

    def score(self, count, one):
        return count / one


class Doubled(Metric):
    """Twice another score, 0 to 2."""

    name, better, range = "doubled", "higher", (0, 2)
    uses = ("length",)

    def measure(self, values):
        reasons = {row: f"length: {values['length'].statuses[row]}" for row, x in enumerate(values["length"]) if x is None}
        return Rows({"x": [0.0 if x is None else 2 * x for x in values["length"]]}, reasons)


class Judge(Metric):
    """What the judge says, 0 to 1."""

    name, better, range = "judge", "higher", (0, 1)

    def ask(self, response, answers):
        return [[Generate(prompt=text)] if not given else [] for text, given in zip(response, answers, strict=True)]

    def measure(self, response, answers):
        reasons = {row: "judge reply not understood" for row, given in enumerate(answers) if given[0].text not in ("0", "1")}
        return Rows({"x": [0.0 if row in reasons else float(given[0].text) for row, given in enumerate(answers)]}, reasons)


def batch(**columns):
    count = len(next(iter(columns.values())))
    return Batch(columns, [f"q{row}" for row in range(count)])


def run(plugin, table, *, failures=None, policy="worst", measured=None, answers=None):
    failures = failures or [None] * len(table)
    return measure(Entry.of(plugin), table, failures=failures, policy=policy, measured=measured or {}, answers=answers)


def listed(numbers):
    return [None if number != number else round(number, 6) for number in numbers.tolist()]


def test_a_row_without_a_field_is_withheld_and_named():
    seen = []

    class Looker(Length):
        """Sees rows, 0 to 1."""

        def measure(self, response, references):
            seen.append((response, references))
            return super().measure(response, references)

    found = run(Looker(), batch(response=["ab", None, "abcd", ""], references=[["x"], ["x"], None, ["x"]]))
    assert seen == [(["ab", ""], [["x"], ["x"]])]
    assert found.statuses == [None, "no response", "no references", "no text"]
    assert listed(found.values["length"]) == [0.02, None, None, None]
    assert found.kept.tolist() == [True, False, False, False]
    assert {name: column.tolist() for name, column in found.statistics.items()} == {
        "value": [0.02, 0, 0, 0],
        "value.count": [1, 0, 0, 0],
    }


def test_a_column_that_the_system_does_not_have_leaves_every_row_unmeasured():
    found = run(Recall(), batch(response=["a", "b"]))
    assert found.statuses == ["no contexts", "no contexts"]
    assert found.statistics == {}


def test_infrastructure_failures_are_errors_for_what_reads_the_response_and_for_nothing_else():
    table = batch(response=["", "b"], references=[["x"], ["x"]], contexts=[["p"], ["p", "q"]])
    assert run(Length(), table, failures=[LOST, None]).statuses == ["error: connection", None]
    assert run(Recall(), table, failures=[LOST, None]).statuses == [None, None]


def test_contexts_that_were_to_come_with_the_lost_response_are_an_error_too():
    table = batch(response=["", "b"], contexts=[None, ["p", "q"]])
    assert run(Recall(), table, failures=[LOST, None]).statuses == ["error: connection", None]
    assert run(Recall(), table, failures=[EMPTY, None]).statuses == ["no contexts", None]


def test_a_system_failure_that_can_be_measured_is_measured_as_it_is():
    class Equal(Metric):
        """Share of equal texts, 0 to 1."""

        name, better, range = "equal", "higher", (0, 1)

        def measure(self, response):
            return {"x": [float(text == "") for text in response]}

    found = run(Equal(), batch(response=["", "a"]), failures=[EMPTY, None])
    assert (found.statuses, listed(found.values["equal"])) == ([None, None], [1.0, 0.0])


def test_what_a_system_failure_leaves_unmeasured_counts_as_worst():
    table = batch(response=["", None, "abc"], references=[["x"]] * 3)
    found = run(Length(), table, failures=[EMPTY, FILTERED, None])
    assert found.statuses == ["counted as worst: empty", "counted as worst: filtered", None]
    assert listed(found.values["length"]) == [0.0, 0.0, 0.03]
    assert found.kept.all()
    assert found.statistics["value.count"].tolist() == [1, 1, 1]


def test_the_worst_of_a_metric_that_is_better_low_is_its_upper_end():
    class Error(Length):
        """Error, 0 to 1."""

        name, better = "length", "lower"

    found = run(Error(), batch(response=[None], references=[["x"]]), failures=[FILTERED])
    assert listed(found.values["length"]) == [1.0]


def test_the_policy_exclude_leaves_it_unmeasured_for_that_reason():
    table = batch(response=["", None, "abc"], references=[["x"]] * 3)
    found = run(Length(), table, failures=[EMPTY, FILTERED, None], policy="exclude")
    assert found.statuses == ["failed: empty", "failed: filtered", None]
    assert found.kept.tolist() == [False, False, True]


def test_what_the_data_lacks_is_not_counted_against_the_system():
    found = run(Length(), batch(response=["", ""], references=[[], None]), failures=[EMPTY, EMPTY])
    assert found.statuses == ["no reference", "no references"]


def test_without_a_bad_end_or_a_plain_mean_it_stays_unmeasured():
    class Words(Length):
        """Words, 0 or more, more is better."""

        range = None

    assert run(Words(), batch(response=[None], references=[["x"]]), failures=[FILTERED]).statuses == ["failed: filtered"]

    class Squared(Length):
        """Squared mean, 0 to 1."""

        def measure(self, response, references):
            return {"length": [0.5] * len(response), "one": [1.0] * len(response)}

        def score(self, length, one):
            return (length / one) ** 2

    assert run(Squared(), batch(response=[None], references=[["x"]]), failures=[FILTERED]).statuses == ["failed: filtered"]


def test_a_failure_of_the_system_is_no_matter_for_what_does_not_read_the_response():
    table = batch(response=["", "b"], contexts=[None, ["p"]])
    assert run(Recall(), table, failures=[FILTERED, FILTERED]).statuses == ["no contexts", None]


def test_answers_that_infrastructure_lost_are_errors():
    answers = [[Response(text="1")], [Response(error=LOST)], [Response(text="what?")], [Response(text="0")]]
    found = run(Judge(), batch(response=["a", "b", "c", "d"]), answers=answers)
    assert found.statuses == [None, "error: connection", "judge reply not understood", None]
    assert listed(found.values["judge"]) == [1.0, None, None, 0.0]


def test_who_asks_can_ask_beforehand_whom_the_metric_will_see():
    table = batch(response=["a", None, "c"])
    assert excluded(Entry.of(Judge()), table, failures=[LOST, None, None], parents={}) == [
        "error: connection",
        "no response",
        None,
    ]


def test_values_of_other_metrics_come_with_their_reasons_and_their_errors():
    table = batch(response=["ab", "", "abcd", "a"], references=[["x"], ["x"], ["x"], []])
    first = run(Length(), table, failures=[None, None, LOST, None])
    found = run(Doubled(), table, failures=[None, None, LOST, None], measured={"length": first})
    assert found.statuses == [None, "length: no text", "error: connection", "length: no reference"]
    assert listed(found.values["doubled"]) == [0.04, None, None, None]


def test_what_the_system_failed_to_give_one_metric_is_missing_from_those_that_build_on_it():
    table = batch(response=["ab", "", None], references=[["x"]] * 3)
    failures = [None, EMPTY, FILTERED]
    worst = run(Length(), table, failures=failures)
    found = run(Doubled(), table, failures=failures, measured={"length": worst})
    assert (found.statuses, listed(found.values["doubled"])) == ([None] * 3, [0.04, 0.0, 0.0])
    left_out = run(Length(), table, failures=failures, policy="exclude")
    found = run(Doubled(), table, failures=failures, policy="exclude", measured={"length": left_out})
    assert found.statuses == [None, "failed: empty", "failed: filtered"]


def test_a_row_without_a_value_of_its_own_stays_in_the_total():
    class Rate(Metric):
        """Edits a word, 0 or more."""

        name, better, range = "rate", "lower", (0, None)

        def measure(self, response):
            return {"edits": [1.0] * len(response), "words": [len(text.split()) for text in response]}

        def score(self, edits, words):
            return edits / words

    entry, table = Entry.of(Rate()), batch(response=["a b", "", "c d e"])
    found = run(Rate(), table)
    assert found.statuses == [None, "undefined for one sample", None]
    assert listed(found.values["rate"]) == [0.5, None, round(1 / 3, 6)]
    tally = Tally(entry)
    tally.add(found, *[hash_keys(table.ids)] * 2)
    score = finish(entry, tally, seed=1, clustered=False).scores["rate"]
    assert (score.value, score.samples, score.unmeasured) == (3 / 5, 3, {})


@pytest.mark.parametrize(
    ("value", "status"), [(float("nan"), "not a number"), (float("inf"), "infinite value"), (-float("inf"), "infinite value")]
)
def test_a_statistic_that_is_no_finite_number_is_unmeasured_and_never_a_0(value, status):
    @metric(better="higher", range=None)
    def number(x):
        """Return the number itself."""
        return x

    found = run(number(), batch(x=[1.0, value, 3.0]))
    assert found.statuses == [None, status, None]
    assert listed(found.values["number"]) == [1.0, None, 3.0]


def test_nan_takes_the_row_from_a_metric_with_a_score_and_the_part_from_a_plain_mean():
    nan = float("nan")

    class Both(Metric):
        """Two numbers, any."""

        name, better, parts = "both", "higher", (".a", ".b")

        def measure(self, x, y):
            return {".a": x, ".b": y}

    class Scored(Both):
        """Their totals, any."""

        def score(self, **sums):
            return sums

    columns = {"x": [1.0, nan, nan], "y": [1.0, 2.0, nan]}
    mean, total = run(Both(), batch(**columns)), run(Scored(), batch(**columns))
    assert mean.statuses == [None, None, "not a number"]
    assert (listed(mean.values["both.a"]), listed(mean.values["both.b"])) == ([1.0, None, None], [1.0, 2.0, None])
    assert total.statuses == [None, "not a number", "not a number"]


def test_statistics_may_be_arrays_of_one_shape():
    class Counts(Metric):
        """Share of the first of three kinds, 0 to 1."""

        name, better, range = "counts", "higher", (0, 1)

        def measure(self, kind):
            return {"table": np.eye(3)[np.array(kind)]}

        def score(self, table):
            return table[..., 0] / table.sum(-1)

    found = run(Counts(), batch(kind=[0, 1, 2, 0]))
    assert found.statistics["table"].shape == (4, 3)
    assert listed(found.values["counts"]) == [1.0, 0.0, 0.0, 1.0]


def test_text_columns_of_a_metric_over_all_rows_pass_and_have_no_value_of_their_own():
    class Distinct(Metric):
        """Share of different texts, 0 to 1."""

        name, better, range, pool = "distinct", "higher", (0, 1), "rows"

        def measure(self, response):
            return {"text": response, "length": [len(text) for text in response]}

        def score(self, *, weights, text, length):
            return len({x for x, weight in zip(text, weights, strict=True) if weight}) / weights.sum()

    found = run(Distinct(), batch(response=["a", None, "b", "a"]))
    assert found.statuses == [None, "no response", None, None]
    assert found.statistics["text"][[0, 2, 3]].tolist() == ["a", "b", "a"]
    assert found.statistics["length"].dtype == np.float64
    assert listed(found.values["distinct"]) == [None] * 4
    tally = Tally(Entry.of(Distinct()))
    tally.add(found, *[hash_keys(["q0", "q1", "q2", "q3"])] * 2)
    assert finish(tally.entry, tally, seed=1, clustered=False).scores["distinct"].value == pytest.approx(2 / 3)


def test_metrics_that_see_the_same_rows_share_what_is_computed_once():
    calls = []

    class Encoder(Metric):
        """Mean length, 0 or more."""

        name, better, range = "encoder", "higher", (0, None)

        def measure(self, response, batch):
            return {"x": batch.once("lengths", lambda: calls.append(len(response)) or [len(text) for text in response])}

    class Referenced(Encoder):
        """The same where there are references, 0 or more."""

        name, better = "referenced", "higher"

        def measure(self, response, references, batch):
            return super().measure(response, batch)

    whole = batch(response=["a", "bb", "ccc"], references=[["x"], ["x"], ["x"]])
    assert listed(run(Encoder(), whole).values["encoder"]) == [1, 2, 3]
    assert listed(run(Referenced(), whole).values["referenced"]) == [1, 2, 3]
    assert calls == [3]
    holes = batch(response=["a", "bb", "ccc"], references=[["x"], None, ["x"]])
    run(Encoder(), holes)
    assert listed(run(Referenced(), holes).values["referenced"]) == [1, None, 3]
    run(Referenced(), holes)
    assert calls == [3, 3, 2]


def test_unmeasured_of_the_decorator_form_keeps_its_reason():
    @metric(better="higher")
    def known(response):
        """Share of known words."""
        return Unmeasured("no words") if not response else 1.0

    assert run(known(), batch(response=["a", ""])).statuses == [None, "no words"]


@pytest.mark.parametrize(
    ("policy", "samples", "as_worst", "unmeasured", "value", "lost"),
    [
        ("worst", 3, 2, {"no reference": 1}, 0.02 / 3, 2),
        ("exclude", 1, 0, {"failed: empty": 1, "failed: filtered": 1, "no reference": 1}, 0.02, 4),
    ],
)
def test_every_sample_is_counted_once_in_the_score(policy, samples, as_worst, unmeasured, value, lost):
    table = batch(response=["ab", "", None, "a", "abc", "x"], references=[["x"], ["x"], ["x"], [], ["x"], ["x"]])
    failures = [None, EMPTY, FILTERED, None, LOST, Failure("timeout")]
    entry = Entry.of(Length())
    tally = Tally(entry)
    tally.add(run(Length(), table, failures=failures, policy=policy), *[hash_keys(table.ids)] * 2)
    score = finish(entry, tally, seed=1, clustered=False).scores["length"]
    assert (score.samples, score.as_worst, score.unmeasured, score.errors) == (samples, as_worst, unmeasured, 2)
    assert dict(tally.errors) == {"connection": 1, "timeout": 1}
    assert score.samples + sum(score.unmeasured.values()) + score.errors == len(table)
    assert score.value == pytest.approx(value)
    share = lost / (samples + lost)
    assert score.bounds == pytest.approx([(1 - share) * value, (1 - share) * value + share])
