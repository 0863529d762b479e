"""JSON and JSON schemas, against Python's json module and jsonschema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

SCHEMA = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "age", "東京"]), inner, max_size=3),
    max_leaves=6,
)


def measured(name: str, *columns: list[Any], **options: Any) -> eh.Rows:
    rows = eh.load_metric(name, **options).measure(*columns)
    assert isinstance(rows, eh.Rows)
    return rows


@settings(max_examples=50)
@given(value=VALUES, tail=st.sampled_from(["", " \n", "}", ",", "x"]))
def test_a_text_is_json_where_the_library_reads_it(value: Any, tail: str) -> None:
    text = json.dumps(value) + tail
    try:
        json.loads(text)
        valid = 1.0
    except ValueError:
        valid = 0.0
    agree("json_validity", measured("json_validity", [text]).statistics["valid"], [valid], tolerance=0)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "no JSON: Expecting value"),
        ("NaN", "no JSON: NaN is no number"),
        ("[-Infinity]", "no JSON: -Infinity is no number"),
        ("{'a': 1}", "no JSON: Expecting property name enclosed in double quotes"),
        ("```json\n{}\n```", "no JSON: Expecting value"),
        ("[" * 100_000, "nested too deep to be read"),
    ],
)
def test_what_is_no_json_says_why(text: str, note: str) -> None:
    rows = measured("json_validity", [text, "{}"])
    assert rows.statistics["valid"] == [0.0, 1.0]
    assert rows.evidence[0][0]["note"] == note
    assert set(rows.evidence) == {0}


def test_the_place_of_a_mistake_is_shown() -> None:
    (fault,) = measured("json_validity", ['{"a" 1}']).evidence[0]
    assert (fault["start"], fault["end"]) == (5, 6)


def test_a_very_long_number_is_json() -> None:
    assert measured("json_validity", ["9" * 6000]).statistics["valid"] == [1.0]


@settings(max_examples=50)
@given(value=VALUES)
def test_a_value_fits_where_the_library_finds_no_error(value: Any) -> None:
    fits = float(not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(value)))
    rows = measured("json_schema_match", [json.dumps(value)], [SCHEMA])
    agree("json_schema_match", rows.statistics["match"], [fits], tolerance=0)


def test_each_error_is_evidence() -> None:
    response = ['{"age": -1, "x": 1}', '{"name": "a", "age": 3}', "no"]
    rows = measured("json_schema_match", response, [SCHEMA, eh.canonical(SCHEMA), SCHEMA])
    assert rows.statistics["match"] == [0.0, 1.0, 0.0]
    assert [item["note"] for item in rows.evidence[0]] == [
        "$: 'name' is a required property",
        "$: Additional properties are not allowed ('x' was unexpected)",
        "$.age: -1 is less than the minimum of 0",
    ]
    assert "no JSON" in rows.evidence[2][0]["note"]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (None, "no schema"),
        (3, "no schema"),
        ("{", "invalid schema: no JSON"),
        ("3", "invalid schema: it is no object"),
        ({"type": "strin"}, r"invalid schema: \$.type: 'strin' is not valid under any of the given schemas"),
        ({"$ref": "https://example.invalid/schema"}, "schema cannot be applied: Unresolvable: https://example.invalid/schema"),
        ({"$ref": "#"}, "schema cannot be applied: a reference leads in a circle"),
    ],
)
def test_a_schema_that_cannot_be_used_leaves_the_sample_unmeasured(schema: Any, reason: str) -> None:
    rows = measured("json_schema_match", ["{}", "{}"], [schema, True])
    assert rows.statistics["match"][1] == 1.0
    assert list(rows.unmeasured) == [0]
    assert re.match(reason, rows.unmeasured[0])


def test_a_file_holds_the_schema_of_all(tmp_path: Path) -> None:
    path = tmp_path / "person.json"
    path.write_text(json.dumps(SCHEMA), "utf-8")
    metric = eh.load_metric("json_schema_match", schema=str(path))
    assert metric.reads == ("response",)
    found = metric.evaluate(response=['{"name": "a", "age": 3}', "{}"])
    assert found.scores["json_schema_match"].value == 0.5
    before = metric.signature()
    path.write_text("{}", "utf-8")
    assert eh.load_metric("json_schema_match", schema=str(path)).signature() != before
    assert metric.signature() == before


@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), ("{", "no JSON"), ('{"type": 3}', "invalid schema")])
def test_a_file_without_a_schema_is_refused_when_the_metric_is_built(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(eh.UsageError, match=f"the schema .*{message}"):
        eh.load_metric("json_schema_match", schema=str(path))
