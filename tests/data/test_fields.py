"""Raw values become fields of one type each, or a fault that says what is allowed."""

# ruff: noqa: E501  (messages stand here as users read them)

from __future__ import annotations

from typing import Any

import pytest

from evalharness import Passage
from evalharness.data.fields import Unfit, map_fields, text_group, text_id


def test_mapped_columns_change_their_name_and_others_stay() -> None:
    item = {"q": "Who?", "topic": "x", "level": 3}
    assert map_fields(item, {"input": "q"}) == {"input": "Who?", "topic": "x", "level": 3}
    assert item == {"q": "Who?", "topic": "x", "level": 3}


def test_two_columns_can_change_places() -> None:
    assert map_fields({"input": "a", "response": "b"}, {"input": "response", "response": "input"}) == {
        "input": "b",
        "response": "a",
    }


def test_one_column_can_serve_two_fields() -> None:
    assert map_fields({"text": "a"}, {"input": "text", "references": "text"}) == {"input": "a", "references": ["a"]}


def test_a_column_can_be_a_path_into_an_object() -> None:
    item = {"question": "?", "answers": {"text": ["a", "b"], "start": [1, 2]}}
    assert map_fields(item, {"input": "question", "references": "answers.text"}) == {"input": "?", "references": ["a", "b"]}
    assert map_fields({"a.b": "flat", "a": {"b": "deep"}}, {"input": "a.b"})["input"] == "flat"


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        ({"references": "one"}, {"references": ["one"]}),
        ({"references": ["one", ""]}, {"references": ["one", ""]}),
        ({"references": []}, {"references": []}),
        ({"choices": ["a", "b"], "target": 1}, {"choices": ["a", "b"], "target": 1}),
        ({"choices": ["a", "b"], "target": "b"}, {"choices": ["a", "b"], "target": 1}),
        ({"choices": ["1", "0"], "target": "0"}, {"choices": ["1", "0"], "target": 1}),
        ({"choices": ["a", "b"], "target": ["b", 0]}, {"choices": ["a", "b"], "target": [1, 0]}),
        ({"target": "positive"}, {"target": "positive"}),
        ({"relevant": {"p1": 2, "p2": 0.5}}, {"relevant": {"p1": 2, "p2": 0.5}}),
        ({"relevant": ["p1", 7]}, {"relevant": {"p1": 1, "7": 1}}),
        ({"relevant": {}}, {"relevant": {}}),
        ({"contexts": ["one", "two"]}, {"contexts": [Passage("1", "one"), Passage("2", "two")]}),
        ({"contexts": [{"id": 7, "text": "x", "score": 0.5}]}, {"contexts": [Passage("7", "x", 0.5)]}),
        ({"contexts": [{"id": "a", "text": "x", "title": "t"}]}, {"contexts": [Passage("a", "x")]}),
        ({"contexts": []}, {"contexts": []}),
        ({"input": "e\u0301 👩‍👩‍👧 שלום"}, {"input": "e\u0301 👩‍👩‍👧 שלום"}),
        ({"anything": None, "else": {"x": [1]}}, {"anything": None, "else": {"x": [1]}}),
    ],
)
def test_each_field_has_one_type(item: dict[str, Any], fields: dict[str, Any]) -> None:
    assert map_fields(item, {}) == fields


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"input": None}, "'input' must be a string, not null"),
        ({"input": ["a"]}, "'input' must be a string, not ['a']"),
        ({"response": 7}, "'response' must be a string, not 7"),
        ({"response": {"text": "x" * 100}}, "'response' must be a string, not {'text': '" + "x" * 47 + "..."),
        ({"references": None}, "'references' must be a string or a list of strings, not null; an unanswerable sample has []"),
        ({"references": ["a", None]}, "'references' must be a string or a list of strings, not ['a', None]"),
        ({"choices": []}, "'choices' must be a list of strings, not []"),
        ({"choices": "ab"}, "'choices' must be a list of strings, not 'ab'"),
        ({"choices": ["a", "b"], "target": 2}, "'target' must be an index from 0 to 1 or the exact text of a choice, not 2"),
        ({"choices": ["a", "b"], "target": -1}, "'target' must be an index from 0 to 1 or the exact text of a choice, not -1"),
        ({"choices": ["a", "b"], "target": "c"}, "'target' must be an index from 0 to 1 or the exact text of a choice, not 'c'"),
        ({"choices": ["a", "b"], "target": True}, "'target' must be an index from 0 to 1 or the exact text of a choice, not true"),
        ({"choices": ["a", "b"], "target": []}, "a list in 'target' must name at least one choice and none twice, not []"),
        ({"choices": ["a", "b"], "target": [0, "a"]}, "a list in 'target' must name at least one choice and none twice, not [0, 'a']"),
        ({"choices": ["a", "b"], "target": [0, 2]}, "'target' must be an index from 0 to 1 or the exact text of a choice, not 2"),
        ({"choices": ["a", "b"], "target": None}, "'target' must be an index from 0 to 1 or the exact text of a choice, not null"),
        ({"relevant": "p1"}, "'relevant' must be a mapping of passage id to grade, or a list of passage ids, not 'p1'"),
        ({"relevant": {"p1": "high"}}, "'relevant' must be a mapping of passage id to grade, or a list of passage ids, not {'p1': 'high'}"),
        ({"relevant": {"p1": True}}, "'relevant' must be a mapping of passage id to grade, or a list of passage ids, not {'p1': True}"),
        ({"relevant": [""]}, "an id in 'relevant' must be a string that is not empty, or a whole number, not ''"),
        ({"contexts": "one"}, "'contexts' must be a list of passages, not 'one'"),
        ({"contexts": [{"id": "a"}]}, "passage 1 of 'contexts' must be a string or an object with id, text and, if wanted, score"),
        ({"contexts": ["x", {"text": "y"}]}, "the id of passage 2 in 'contexts' must be a string that is not empty, or a whole number, not null"),
        ({"contexts": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]},
         "'contexts' holds the passage 'a' twice; a ranking names each passage once"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_said_with_what_is_allowed(item: dict[str, Any], message: str) -> None:
    with pytest.raises(Unfit) as caught:
        map_fields(item, {})
    assert str(caught.value) == message


def test_a_missing_column_is_said_with_the_nearest_one() -> None:
    with pytest.raises(Unfit) as caught:
        map_fields({"question": "?", "answer": "x"}, {"input": "questoin"})
    assert str(caught.value) == (
        "the column 'questoin' (for the field 'input') is missing. Did you mean 'question'? The item has: question, answer"
    )
    with pytest.raises(Unfit, match=r"the column 'answers\.txt' \(for the field 'references'\) is missing"):
        map_fields({"answers": {"text": []}}, {"references": "answers.txt"})


@pytest.mark.parametrize(("value", "text"), [("q1", "q1"), (7, "7"), (" ", " "), ("日", "日")])
def test_ids_are_text(value: Any, text: str) -> None:
    assert text_id(value) == text


@pytest.mark.parametrize("value", ["", None, True, 1.5, ["a"]])
def test_other_values_are_no_ids(value: Any) -> None:
    with pytest.raises(Unfit, match="the id must be a string that is not empty, or a whole number, not "):
        text_id(value)


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (7, "7"), (None, None), ({"b": 1, "a": [None]}, '{"a":[null],"b":1}'), (True, "true")]
)
def test_groups_are_canonical_text(value: Any, text: str | None) -> None:
    assert text_group(value) == text
