"""YAML is read as plain data with places; everything that could surprise is refused, all at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import Fault, FaultsFound
from evalharness.task.strict_yaml import MAX_BYTES, read_file, read_text


def faults_of(text: str) -> list[str]:
    faults: list[Fault] = []
    with contextlib.suppress(FaultsFound):
        read_text(text, faults, file="t.yaml")
    return [str(fault) for fault in faults]


def value_of(text: str) -> Any:
    faults: list[Fault] = []
    value = read_text(text, faults, file="t.yaml").value()
    assert faults == []
    return value


def test_plain_data_is_read_with_the_place_of_every_value() -> None:
    node = read_text('a: {b: [1, "two"]}\nc: |\n  text\n', [], file="t.yaml")
    assert node.value() == {"a": {"b": [1, "two"]}, "c": "text\n"}
    assert dict(node.places())["a.b.1"] == "t.yaml:1:12"
    assert str(node.at(("a", "b")).key) == "t.yaml:1:5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("-7", -7), ("0", 0), ("1.10", 1.1), ("1e-5", 1e-5), ("2.5E3", 2500.0), (".5", 0.5), ("true", True),
        ("false", False), ("null", None), ("~", None), ("7b", "7b"), ("smollm2-135m", "smollm2-135m"), ("'no'", "no"),
        ('"1.10"', "1.10"), ("'007'", "007"), ("مرحبا", "مرحبا"), ('"\\u65e5"', "日"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_numbers_are_those_of_json_and_quotes_make_text(text: str, value: Any) -> None:
    read = value_of(f"key: {text}")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("no", 'write "no" in quotes for the text, or true or false'),
        ("Yes", 'write "Yes" in quotes for the text, or true or false'),
        ("on", 'write "on" in quotes for the text, or true or false'),
        ("TRUE", 'write "TRUE" in quotes for the text, or true or false'),
        ("010", 'write "010" in quotes for the text, or a plain decimal number'),
        ("0x1F", 'write "0x1F" in quotes for the text, or a plain decimal number'),
        ("1_000", 'write "1_000" in quotes for the text, or a plain decimal number'),
        ("12:30", 'write "12:30" in quotes for the text, or a plain decimal number'),
        (".inf", 'write ".inf" in quotes for the text, or a plain decimal number'),
        ("2024-02-29", 'write "2024-02-29" in quotes for the text'),
        ("NULL", 'write "NULL" in quotes for the text'),
    ],
)
def test_scalars_on_which_yaml_versions_disagree_are_refused(text: str, advice: str) -> None:
    assert faults_of(f"a: 1\nkey: {text}") == [f"t.yaml:2:6: '{text}' is read differently by different YAML readers: {advice}"]


def test_all_faults_come_at_once_with_their_places() -> None:
    text = "a: 1\na: 2\nb: &x [1]\nc: *x\nd: !!python/object:os.system {}\n7: seven\ne: no\n"
    assert faults_of(text) == [
        "t.yaml:2:1: the key 'a' stands already in line 1; remove one of the two",
        "t.yaml:3:4: the anchor &x is not allowed; write the value out where it is needed",
        "t.yaml:4:4: the alias *x is not allowed; write the value out",
        "t.yaml:5:4: the tag !!python/object:os.system is not allowed; a task file holds data only",
        't.yaml:6:1: a key must be a string; write "7" in quotes',
        "t.yaml:7:4: 'no' is read differently by different YAML readers: write \"no\" in quotes for the text, or true or false",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "t.yaml: the file is empty"),
        ("# only a comment\n", "t.yaml: the file is empty"),
        ("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document starts here; one file holds one document"),
        ("a: [1\nb: 2\n", "t.yaml:2:2: not valid YAML: expected ',' or ']', but got ':' (while parsing a flow sequence)"),
        ("a: 'open\n", "t.yaml:2:1: not valid YAML: found unexpected end of stream (while scanning a quoted scalar)"),
        ("a:\n\t- 1\n", "t.yaml:2:1: not valid YAML: found character '\\t' that cannot start any token"),
        ("a: b\n c: \x07\n", "t.yaml:2:5: the character '\\x07' is not allowed in YAML; write it as an escape in quotes"),
        ("? [1, 2]\n: x\n", "t.yaml:1:3: a key must be a string; lists and mappings cannot be keys"),
        ("a: !custom 1\n", "t.yaml:1:4: the tag !custom is not allowed; a task file holds data only"),
        ("<<: {a: 1}\n", "t.yaml:1:1: '<<' is read differently by different YAML readers: write \"<<\" in quotes for the text"),
        ("a: 1e999\n", "t.yaml:1:4: the number 1e999 is too large"),
        (f"a: {'9' * 5000}\n", "t.yaml:1:4: a number of more than 300 digits; write it in quotes if text is meant"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, fault: str) -> None:
    assert faults_of(text)[0].startswith(fault)


def test_anchors_that_would_explode_are_refused_without_being_expanded() -> None:
    layers = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()
    faults = faults_of("\n".join(layers))
    assert time.monotonic() - started < 2
    assert faults[0] == "t.yaml:1:5: the anchor &a0 is not allowed; write the value out where it is needed"
    assert faults[2] == "t.yaml:2:10: the alias *a0 is not allowed; write the value out"
    assert len(faults) == 101
    assert faults[-1] == "t.yaml: too many faults; the rest of the file was not read"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "a: [{", "[[a, "])
def test_deep_nesting_is_refused_quickly(opening: str) -> None:
    started = time.monotonic()
    faults = faults_of(opening * (900_000 // len(opening)))
    assert time.monotonic() - started < 5
    assert faults[-1].endswith("nested more than 32 levels deep")
    assert faults[-1].startswith("t.yaml:1:")


def test_ten_megabytes_of_nesting_are_refused_before_they_are_read(tmp_path: Path, messages: Callable[..., list[str]]) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 10_000_000)
    started = time.monotonic()
    assert messages(read_file, path, []) == [
        f"{path}: the file is larger than {MAX_BYTES:,} bytes; data belongs in the file that dataset.path names"
    ]
    assert time.monotonic() - started < 1


def test_files_that_are_missing_or_no_text_are_faults(tmp_path: Path, messages: Callable[..., list[str]]) -> None:
    missing, binary = tmp_path / "none.yaml", tmp_path / "latin.yaml"
    binary.write_bytes(b"name: x\ndescription: caf\xe9\n")
    assert messages(read_file, missing, []) == [
        f"{missing}: cannot read the file: No such file or directory; give the path of a YAML file"
    ]
    assert messages(read_file, binary, []) == [f"{binary}:2: byte 25 is not UTF-8; save the file as UTF-8"]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "mark.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_file(path, []).value() == {"name": "x"}


@given(st.text(alphabet=st.sampled_from("ab:-?{}[],&*!|>'\"%@`#\n\t 01.~<="), max_size=60))
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    faults_of(text)
