"""`metric.evaluate(...)`: columns in, scores out."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness import DataError, Generate, Metric, Passage, UsageError, metric


class Hits(Metric):
    """Share of responses among the references, 0 to 1."""

    name, better, range = "hits", "higher", (0, 1)

    def measure(self, response, references):
        return {"x": [float(text in texts) for text, texts in zip(response, references, strict=True)]}


class Found(Metric):
    """Passages found, 0 or more."""

    name, better, range = "found", "higher", (0, None)

    def measure(self, contexts):
        assert all(isinstance(passage, Passage) for found in contexts for passage in found)
        return {"x": [sum(len(passage.id + passage.text) for passage in found) for found in contexts]}


def test_scores_samples_and_statuses():
    result = Hits().evaluate(response=["a", "b", None, "d", "e", "f"], references=[["a"], ["x", "b"], ["c"], ["x"], ["e"], ["f"]])
    score = result.scores["hits"]
    assert (score.value, score.samples, score.unmeasured, score.clustered) == (0.8, 5, {"no response": 1}, False)
    assert score.low < 0.8 < score.high
    assert result.samples == {"hits": [1.0, 1.0, None, 0.0, 1.0, 1.0]}
    assert result.statuses == [None, None, "no response", None, None, None]
    assert result.notes == ()


def test_a_single_reference_stands_for_a_list_of_one():
    assert Hits().evaluate(response=["a", "b"], references=["ab", "b"]).samples["hits"] == [0.0, 1.0]


def test_contexts_may_be_texts_mappings_or_passages():
    contexts = [["text"], [{"id": "p", "text": "text", "score": 0.5}], [{"text": "text"}], [Passage("p", "text")], [], "text"]
    assert Found().evaluate(contexts=contexts).samples["found"] == [5, 5, 5, 5, 0, 5]
    assert Found().evaluate(contexts=[None, ["a"]]).statuses == ["no contexts", None]


def test_groups_cluster_the_interval():
    references = ["a"] * 12
    response = ["a", "b"] * 6
    alone = Hits().evaluate(response=response, references=references).scores["hits"]
    grouped = Hits().evaluate(response=response, references=references, group=[row // 2 for row in range(12)]).scores["hits"]
    assert (alone.groups, grouped.groups, grouped.clustered) == (12, 6, True)


def test_a_sample_without_a_group_is_its_own():
    columns = {"response": ["a", "b"] * 6, "references": ["a"] * 12}
    score = Hits().evaluate(**columns, group=["x"] * 4 + [None] * 8).scores["hits"]
    assert (score.groups, score.clustered) == (9, True)


def test_arrays_are_columns_too():
    @metric(better="lower", range=(0, None))
    def squared_error(prediction, target):
        """Squared difference, 0 or more."""
        return (prediction - target) ** 2

    groups = np.arange(10) // 2
    result = squared_error().evaluate(prediction=np.arange(10.0), target=np.zeros(10), group=groups, id=np.arange(10))
    assert result.scores["squared_error"].value == np.mean(np.arange(10.0) ** 2)
    assert result.scores["squared_error"].groups == 5


def test_text_in_any_script_is_text():
    texts = ["é", "e\u0301", "日本語", "\u05e9\u05dc\u05d5\u05dd", "👩‍👧", "\ud800", ""]
    result = Hits().evaluate(response=texts, references=texts, id=texts, group=texts)
    assert result.samples["hits"] == [1.0] * 7
    assert result.scores["hits"].groups == 7


def test_what_a_plugin_did_wrong_is_noted():
    class Fails(Hits):
        """Fails on b, 0 to 1."""

        def measure(self, response, references):
            if "b" in response:
                raise ValueError("no b, please")
            return super().measure(response, references)

    result = Fails().evaluate(response=["a", "b", "c"], references=["a", "b", "x"])
    assert result.samples["hits"] == [1.0, None, 0.0]
    assert result.statuses == [None, "error: plugin", None]
    assert [note.rpartition("raised ")[2] for note in result.notes] == ["ValueError: no b, please"]
    assert (result.scores["hits"].value, result.scores["hits"].errors) == (0.5, 1)
    assert result.scores["hits"].bounds == pytest.approx([1 / 3, 2 / 3])


def test_no_samples_at_all_are_no_crash():
    result = Hits().evaluate(response=[], references=[])
    assert (result.scores["hits"].value, result.scores["hits"].reason) == (None, "nothing was measured")
    assert result.samples == {"hits": []}


def test_given_columns_stay_as_they_are():
    references = ["a", ["b"]]
    Hits().evaluate(response=["a", "b"], references=references)
    assert references == ["a", ["b"]]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"response": ["a"]}, UsageError, "metric 'hits' reads 'references', which is not given; given: response"),
        ({}, UsageError, "metric 'hits' reads 'response', which is not given; given: nothing"),
        (
            {"response": ["a", "b"], "references": ["a"]},
            UsageError,
            "the columns have unequal lengths: response 2, references 1; each needs one value a sample",
        ),
        ({"response": "a", "references": ["a"]}, UsageError, "the column 'response' is one str; it must be a list"),
        ({"response": ["a"], "references": {"a": 1}}, UsageError, "the column 'references' is one dict; it must be a list"),
        ({"response": ["a"], "references": {"a"}}, UsageError, "the column 'references' is one set; it must be a list"),
        ({"response": (text for text in "a"), "references": ["a"]}, UsageError, "the column 'response' is one generator"),
        ({"response": ["a"], "references": ["a"], "contexts": [{"text": "b"}]}, DataError, "contexts 0 are {'text': 'b'}; they"),
        ({"response": [3], "references": ["a"]}, DataError, "response 0 is int; it must be text, or None"),
        ({"response": ["a"], "references": [["a", 3]]}, DataError, "references 0 are \\['a', 3\\]; they must be a text"),
        ({"response": ["a"], "references": ["a"], "contexts": [[3]]}, DataError, "contexts 0 hold 3; they must be texts"),
        ({"response": ["a", "b"], "references": ["a", "b"], "id": ["x", "x"]}, DataError, "two samples have one id"),
    ],
)
def test_wrong_columns_are_told(columns, error, message):
    with pytest.raises(error, match=message):
        Hits().evaluate(**columns)


def test_a_metric_that_asks_or_builds_on_others_belongs_in_a_task():
    class Asks(Hits):
        """Judged, 0 to 1."""

        def ask(self, response, references, answers):
            return [[Generate(prompt=text)] for text in response]

    class Uses(Hits):
        """Built, 0 to 1."""

        uses = ("a", "b")

    with pytest.raises(UsageError, match="metric 'hits' asks a model; run it in a task: evalharness run TASK"):
        Asks().evaluate(response=["a"], references=["a"])
    with pytest.raises(UsageError, match="metric 'hits' builds on the scores a, b; name all of them in a task"):
        Uses().evaluate(response=["a"], references=["a"])
