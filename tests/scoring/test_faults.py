"""What plugins do wrong: one message each, the rows at fault and no others, never a crash and never a 0."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from evalharness import Batch, Metric, Passage, Rows, WeightsError
from evalharness.scoring import Entry, Tally, finish, hash_keys, measure


class Good(Metric):
    """Length in characters, 0 or more."""

    name, better, range = "good", "higher", (0, None)

    def measure(self, response):
        return {"length": [len(text) for text in response]}


def run(plugin, **columns):
    count = len(next(iter(columns.values())))
    table = Batch(columns, [f"q{row}" for row in range(count)])
    return measure(Entry.of(plugin), table, failures=[None] * count, policy="worst", measured={})


def score_of(plugin, found):
    tally = Tally(Entry.of(plugin))
    tally.add(found, *[hash_keys([f"q{row}" for row in range(len(found.statuses))])] * 2)
    (score,) = finish(tally.entry, tally, seed=1, clustered=False).scores.values()
    return score


RESPONSES = ["a", "bb", "boom", "cccc", "boom", "d"]
ROWS_AT_FAULT = [None, None, "error: plugin", None, "error: plugin", None]


class Raises(Good):
    """Length, 0 or more."""

    def measure(self, response):
        if "boom" in response:
            raise KeyError("boom")
        return super().measure(response)


class SkipsRows(Good):
    """Length, 0 or more."""

    def measure(self, response):
        return {"length": [len(text) for text in response if text != "boom"]}


class NotNumbers(Good):
    """Length, 0 or more."""

    def measure(self, response):
        return {"length": ["many" if text == "boom" else len(text) for text in response]}


class Ragged(Good):
    """Length, 0 or more."""

    def measure(self, response):
        return {"length": [[1, 2] if text == "boom" else [1] for text in response]}

    def score(self, length):
        return length.sum(-1)


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Raises(), "raised KeyError: 'boom'"),
        (SkipsRows(), "returned 0 rows of 'length' for 1 samples"),
        (NotNumbers(), "returned 'length' that is no column of numbers or of arrays of one shape"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_only_the_rows_at_fault_are_lost(plugin, message):
    found = run(plugin, response=RESPONSES)
    assert found.statuses == ROWS_AT_FAULT
    assert len(found.notes) == 1
    assert found.notes[0].startswith(f"metric 'good' ({__name__}.{type(plugin).__qualname__}) ")
    assert found.notes[0].endswith(message)
    score = score_of(plugin, found)
    assert (score.value, score.samples, score.errors) == (8 / 4, 4, 2)


def test_rows_at_fault_are_the_same_for_any_batches():
    statuses = [status for text in RESPONSES for status in run(Raises(), response=[text]).statuses]
    assert statuses == run(Raises(), response=RESPONSES).statuses


def test_statistics_whose_shape_depends_on_the_sample_are_no_statistics():
    found = run(Ragged(), response=RESPONSES)
    assert found.statuses == ["error: plugin"] * 6
    assert found.notes[-1].endswith("returned statistics whose names or shapes depend on the samples")
    assert score_of(Ragged(), found).value is None


def test_where_every_row_fails_there_is_no_value_and_the_reason_says_why():
    found = run(Raises(), response=["boom"] * 5)
    assert found.statuses == ["error: plugin"] * 5
    score = score_of(Raises(), found)
    assert (score.value, score.low, score.samples, score.errors) == (None, None, 0, 5)
    assert score.reason == f"nothing was measured: metric 'good' ({__name__}.Raises) raised KeyError: 'boom'"


@pytest.mark.parametrize("error", [WeightsError("no weights"), ImportError("no torch")])
def test_what_is_no_fault_of_a_row_is_tried_once(error):
    calls = []

    class Heavy(Good):
        """Length, 0 or more."""

        def measure(self, response):
            calls.append(len(response))
            raise error

    found = run(Heavy(), response=RESPONSES)
    assert calls == [6]
    assert found.statuses == ["error: plugin"] * 6
    assert str(error) in found.notes[0]


class Sorts(Good):
    """Share, 0 or more."""

    def measure(self, references):
        for texts in references:
            texts.sort()
        return {"x": [1.0] * len(references)}


class Appends(Good):
    """Share, 0 or more."""

    def measure(self, references):
        references.append(["more"])
        return {"x": [1.0] * (len(references) - 1)}


class Edits(Good):
    """Share, 0 or more."""

    def measure(self, references):
        for number, texts in enumerate(references):
            if len(texts) > 1:
                references[number] = texts[:1]
        return {"x": [1.0] * len(references)}


@pytest.mark.parametrize("plugin", [Sorts(), Appends(), Edits()], ids=lambda plugin: type(plugin).__name__)
def test_a_changed_input_is_told_and_put_back(plugin):
    references = [["a"], ["b", "a"], ["c"], ["a", "b"]]
    before = copy.deepcopy(references)
    rows = list(references)
    found = run(plugin, references=references)
    assert references == before
    assert all(row is old for row, old in zip(references, rows, strict=True))
    changed = {Sorts: [1], Appends: [0, 1, 2, 3], Edits: [1, 3]}[type(plugin)]
    assert [row for row, status in enumerate(found.statuses) if status == "error: plugin"] == changed
    assert found.notes[0].endswith("changed its input 'references', which it must leave as it is")


def test_a_change_deep_within_is_seen_and_put_back():
    class Deep(Good):
        """Share, 0 or more."""

        def measure(self, relevant):
            relevant[1]["b"]["grades"].append(3)
            del relevant[0]["a"]
            return {"x": [1.0] * len(relevant)}

    relevant = [{"a": 1, "b": 2}, {"b": {"grades": [1, 2]}}]
    found = run(Deep(), relevant=relevant)
    assert relevant == [{"a": 1, "b": 2}, {"b": {"grades": [1, 2]}}]
    assert "error: plugin" in found.statuses


def test_passages_and_numbers_that_are_only_read_raise_no_alarm():
    class Reader(Good):
        """Passages, 0 or more."""

        def measure(self, contexts, scores):
            return {"x": [len(found) + scores[row] * 0 for row, found in enumerate(contexts)]}

    found = run(Reader(), contexts=[[Passage("p", "text", 0.5)], []], scores=[1.0, float("nan")])
    assert found.notes == ()
    assert found.statuses == [None, "not a number"]


def faulty(**body):
    return type("Faulty", (Metric,), {"name": "faulty", "better": "higher", "__doc__": "Nothing.", **body})()


ONE = {"measure": lambda self, response: {"x": [1.0] * len(response), "y": [1.0] * len(response)}, "reads": ("response",)}


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (faulty(reads=("response",), measure=lambda self, response: [1.0]), "returned [1.0] from measure; it must return"),
        (faulty(reads=("response",), measure=lambda self, response: {}), "returned {} from measure; it must return"),
        (faulty(reads=("response",), measure=lambda self, response: {"x": 1.0}), "returned one float as 'x'"),
        (faulty(reads=("response",), measure=lambda self, response: {"x": "abc"}), "returned one str as 'x'"),
        (faulty(reads=("response",), measure=lambda self, response: {"x": {"a": 1.0}}), "returned one dict as 'x'"),
        (faulty(reads=("response",), measure=lambda self, response: {"x": np.array(1.0)}), "returned one ndarray as 'x'"),
        (faulty(reads=("response",), measure=lambda self, response: {"x": (1 for _ in response)}), "returned one generator as"),
        (faulty(reads=("response",), measure=lambda self, response: {7: [1.0] * len(response)}), "returned a statistic named 7"),
        (faulty(reads=("response",), measure=lambda self, response: Rows([1.0])), "from measure; it must return a mapping"),
        (
            faulty(reads=("response",), measure=lambda self, response: Rows({"x": [1.0] * len(response)}, ["why"])),
            "returned one list as unmeasured; it must be a mapping of row to reason",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: Rows({"x": [1.0] * len(response)}, {"first": "why"})),
            "named row first as unmeasured; there are 3 rows",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: Rows({"x": [1.0] * len(response)}, {9: "why"})),
            "named row 9 as unmeasured; there are 3 rows",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: Rows({"x": [1.0] * len(response)}, evidence=["why"])),
            "returned one list as evidence; it must be a mapping of row to a list of mappings",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: Rows({"x": [1.0] * len(response)}, evidence={3: []})),
            "named row 3 as evidence; there are 3 rows",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: {"x": np.ones((len(response), 5000))}),
            "returned 5000 numbers a sample in 'x'; at most 4096 are allowed",
        ),
        (
            faulty(reads=("response",), measure=lambda self, response: {"x": np.ones((len(response), 2))}),
            "returned arrays in 'x'; a metric without score of its own returns one number a sample",
        ),
        (faulty(**ONE), "returned the columns x, y from measure; expected: one column"),
        (faulty(**ONE, parts=(".a", ".b")), "returned the columns x, y from measure; expected: .a, .b"),
        (faulty(**ONE, parts=(".a", ".b"), score=lambda self, x, y: {".a": x}), "returned .a from score; its parts are .a, .b"),
        (faulty(**ONE, parts=(".a", ".b"), score=lambda self, x, y: x), "from score; its parts are .a, .b"),
        (faulty(**ONE, score=lambda self, x, y: x.sum()), "returned shape () from score for statistics with leading axes (3,)"),
        (faulty(**ONE, score=lambda self, x, y: "high"), "returned 'high' from score; it must return numbers"),
        (faulty(**ONE, score=lambda self, x, y: x if x > 0 else y), "raised ValueError in score, which must broadcast"),
        (faulty(**ONE, score=lambda self, x: x), "raised TypeError in score"),
    ],
)
def test_a_broken_contract_is_named_and_costs_the_value_alone(plugin, message):
    found = run(plugin, response=["a", "b", "c"])
    assert found.statuses == ["error: plugin"] * 3
    assert len(found.notes) == 1
    assert message in found.notes[0]
    assert found.notes[0].startswith("metric 'faulty' (")
    tally = Tally(Entry.of(plugin))
    tally.add(found, *[hash_keys(["q0", "q1", "q2"])] * 2)
    for score in finish(tally.entry, tally, seed=1, clustered=False).scores.values():
        assert (score.value, score.low, score.errors) == (None, None, 3)
        assert message in score.reason


class Quoting(Metric):
    """Quotes the response as evidence, badly where it is told to, 0 to 1."""

    name, better, range = "quoting", "higher", (0, 1)

    def measure(self, response):
        bad = {"nan": [{"score": float("nan")}], "text": "why", "object": [{"note": object()}], "surrogate": [{"note": "\ud800"}]}
        evidence = {row: bad.get(text, [{"start": 0, "end": len(text)}]) for row, text in enumerate(response)}
        return Rows({"x": [1.0] * len(response)}, {0: "first"} if response[0] == "first" else {}, evidence)


def test_evidence_stays_with_its_row_measured_or_not():
    found = run(Quoting(), response=["first", None, "abc"])
    assert found.statuses == ["first", "no response", None]
    assert found.evidence == {0: [{"start": 0, "end": 5}], 2: [{"start": 0, "end": 3}]}


@pytest.mark.parametrize("bad", ["nan", "text", "object", "surrogate"])
def test_evidence_that_is_not_plain_costs_its_own_row_and_no_other(bad):
    found = run(Quoting(), response=["a", "bc", None, bad, "def"])
    assert found.statuses == [None, None, "no response", "error: plugin", None]
    assert found.evidence == {0: [{"start": 0, "end": 1}], 1: [{"start": 0, "end": 2}], 4: [{"start": 0, "end": 3}]}
    assert len(found.notes) == 1
    assert "evidence" in found.notes[0]


class Huge:
    """An array of a library that refuses in its own way."""

    def __len__(self):
        return 3

    def __getitem__(self, row):
        return self

    def __array__(self, *_, **__):
        raise RuntimeError("on another device")


def test_an_array_that_cannot_be_read_is_no_column_of_numbers():
    found = run(faulty(reads=("response",), measure=lambda self, response: {"x": Huge()}), response=["a", "b", "c"])
    assert found.statuses == ["error: plugin"] * 3
    plugin = faulty(reads=("response",), measure=lambda self, response: {"x": [10**400] + [1] * (len(response) - 1)})
    assert "no column of numbers" in run(plugin, response=["a", "b"]).notes[0]
    scored = faulty(**ONE, score=lambda self, x, y: Huge())
    assert "from score; it must return numbers" in run(scored, response=["a", "b", "c"]).notes[0]


def test_none_is_no_number_and_leaves_its_row_unmeasured():
    found = run(faulty(reads=("x",), measure=lambda self, x: {"x": [None if v == 2 else v for v in x]}), x=[1, 2, 3])
    assert found.statuses == [None, "not a number", None]


class TextRows(Metric):
    """Different texts, 0 or more."""

    name, better, range, pool, replicates = "text_rows", "higher", (0, None), "rows", 60

    def measure(self, text):
        return {"text": text}

    def score(self, *, weights, text):
        return float(len({word for word, weight in zip(text, weights, strict=True) if weight}))


class TextOrNone(TextRows):
    """Different texts of more than one letter, 0 or more."""

    def measure(self, text):
        return {"text": [word if len(word) > 1 else None for word in text]}


class TextOrNumber(TextRows):
    """Different words and numbers, 0 or more."""

    def measure(self, text):
        return {"text": [float(word) if word.isdigit() else word for word in text]}


def test_a_row_without_a_text_is_unmeasured_in_any_batch():
    texts = ["aa", "b", "cc", "d", "e", "aa"]
    whole = run(TextOrNone(), text=texts)
    assert whole.statuses == [None, "not a number", None, "not a number", "not a number", None]
    assert whole.statistics["text"].tolist() == ["aa", None, "cc", None, None, "aa"]
    assert [status for text in texts for status in run(TextOrNone(), text=[text]).statuses] == whole.statuses
    assert score_of(TextOrNone(), whole).value == 2


def test_text_and_numbers_are_no_column():
    found = run(TextOrNumber(), text=["aa", "7", "cc"])
    assert found.statuses == ["error: plugin"] * 3
    assert found.notes[-1].endswith("returned statistics whose names or shapes depend on the samples")
    tally = Tally(Entry.of(TextOrNumber()))
    for row, text in enumerate(["aa", "7"]):
        tally.add(run(TextOrNumber(), text=[text]), *[hash_keys([f"q{row}"])] * 2)
    (score,) = finish(tally.entry, tally, seed=1, clustered=False).scores.values()
    assert score.reason == "its statistics have names or shapes that depend on the samples"


def test_a_batch_that_does_not_fit_those_before_comes_back_as_errors():
    class Shapeless(Good):
        """Nothing, any number."""

        def measure(self, response):
            return Rows({"x": np.ones((len(response), len(response)))}, {0: "first"})

        def score(self, x):
            return x.sum(-1)

    tally = Tally(Entry.of(Shapeless()))
    first, second = run(Shapeless(), response=["a"] * 3), run(Shapeless(), response=["a"] * 4)
    assert tally.add(first, *[hash_keys(["p0", "p1", "p2"])] * 2) is first
    came = tally.add(second, *[hash_keys(["q0", "q1", "q2", "q3"])] * 2)
    assert came.statuses == ["first", *["error: plugin"] * 3]
    assert (came.kept.any(), came.statistics) == (False, {})
    assert all(np.isnan(values).all() for values in came.values.values())
    (score,) = finish(tally.entry, tally, seed=1, clustered=False).scores.values()
    assert (score.value, score.samples, score.errors, score.unmeasured) == (None, 2, 3, {"first": 2})
    assert score.reason == "its statistics have names or shapes that depend on the samples"


def test_a_plugin_that_exits_fails_alone():
    class Exits(Good):
        """Length, 0 or more."""

        def measure(self, response):
            raise SystemExit("goodbye")

    assert run(Exits(), response=["a"]).notes[0].endswith("raised SystemExit: goodbye")


def test_a_keyboard_interrupt_is_no_fault():
    class Interrupted(Good):
        """Length, 0 or more."""

        def measure(self, response):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), response=["a"])
