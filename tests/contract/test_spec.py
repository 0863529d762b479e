"""Canonical JSON, digests, specs, files, and the signature of a plugin."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from evalharness import File, Metric, Spec, canonical, digest


class Nested(Metric):
    """Holds another plugin and a file, 0 to 1."""

    name, better = "nested", "higher"
    model: Spec | None = None
    path: File = File("a.txt")
    cuts: tuple[float, ...] = (0.5, 1.0)
    strict: bool = True


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "é"]}, '{"a":[true,null,"é"],"b":1}'),
        ((1, 2), "[1,2]"),
        ({"z", "a"}, '["a","z"]'),
        (Point(3), '{"x":3}'),
        (Spec("hf", {"k": (1, 2)}), '{"hf":{"k":[1,2]}}'),
        (Spec("hf"), '"hf"'),
    ],
)
def test_canonical_json_is_one_text_for_one_value(value: Any, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


def test_a_digest_depends_on_content_and_not_on_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
    assert len(digest("x")) == 32
    assert digest("\ud800") != digest("?")


def test_specs_are_equal_by_name_and_options_wherever_they_were_written() -> None:
    assert Spec("a", {"k": 1}, folder="x") == Spec("a", {"k": 1}, folder="y")
    assert hash(Spec("a", {"k": 1}, folder="x")) == hash(Spec("a", {"k": 1}, folder="y"))
    assert Spec("a", {"k": 1}) != Spec("a", {"k": 2})


def test_a_file_pickles_with_what_was_written() -> None:
    again = pickle.loads(pickle.dumps(File("/data/a.txt", "a.txt")))
    assert (str(again), again.written) == ("/data/a.txt", "a.txt")


def test_the_signature_shows_every_option_as_it_was_written() -> None:
    made = Nested(model=Spec("hf", {"weights": "x"}), path=File("/data/a.txt", "a.txt"))
    assert made.signature() == 'nested|model:{"hf":{"weights":"x"}}|path:a.txt|cuts:0.5,1.0|strict:true'
    assert Nested().signature() == "nested|model:null|path:a.txt|cuts:0.5,1.0|strict:true"


def test_the_spec_of_a_plugin_builds_an_equal_one() -> None:
    made = Nested(cuts=(1.0,))
    assert made.spec().options["cuts"] == [1.0]
    assert made.spec() == Nested(cuts=(1.0,)).spec()
