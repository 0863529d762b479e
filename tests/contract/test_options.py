"""Options: what types there are, how YAML values become them, and every fault at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest

from evalharness import Arguments, File, Metric, Spec
from evalharness.contract.options import WrongValue, convert_options, convert_value, describe_type, to_spec
from evalharness.contract.spec import Values
from evalharness.testing import check


class Everything(Metric):
    """Has an option of every type, 0 to 1."""

    name, better = "everything", "higher"
    text: str
    count: int = 1
    share: float = 0.5
    flag: bool = False
    maybe: int | None = None
    mode: Literal["exp", "floor", 1] = "exp"
    cuts: tuple[int, ...] = (1, 3)
    model: Spec | None = None
    path: File = dataclasses.field(default_factory=lambda: File("here"))
    inner: str = dataclasses.field(default="", metadata={"option": False})


def convert(**options: Any) -> tuple[dict[str, Any], list[str]]:
    kwargs, faults = convert_options(Everything, options, kind="metric", folder="/data")
    return kwargs, [fault.message for fault in faults]


@pytest.mark.parametrize(
    ("option", "written", "value"),
    [
        ("text", "a", "a"),
        ("share", 1, 1.0),
        ("flag", True, True),
        ("maybe", None, None),
        ("maybe", 3, 3),
        ("mode", "floor", "floor"),
        ("mode", 1, 1),
        ("cuts", [5, 10], (5, 10)),
        ("cuts", [], ()),
        ("model", "echo", Spec("echo")),
        ("model", {"hf": {"weights": "x"}}, Spec("hf", {"weights": "x"})),
        ("model", None, None),
    ],
)
def test_values_become_what_the_type_says(option: str, written: Any, value: Any) -> None:
    kwargs, faults = convert(**{"text": "a", option: written})
    assert not faults
    assert kwargs[option] == value
    assert type(kwargs[option]) is type(value)


def test_a_file_is_found_from_the_folder_and_keeps_what_was_written() -> None:
    kwargs, _ = convert(text="a", path="x/y.txt")
    assert (str(kwargs["path"]), kwargs["path"].written) == (str(Path("/data/x/y.txt")), "x/y.txt")


@pytest.mark.parametrize(
    ("option", "written", "message"),
    [
        ("text", 1, "must be a string, not 1."),
        ("count", 1.5, "must be a whole number, not 1.5."),
        ("count", True, "must be a whole number, not true."),
        ("share", "half", "must be a number, not 'half'."),
        ("share", True, "must be a number, not true."),
        ("flag", 1, "must be true or false, not 1."),
        ("flag", "yes", "must be true or false, not 'yes'."),
        ("maybe", "x", "must be a whole number or null, not 'x'."),
        ("mode", "flor", "must be one of 'exp', 'floor', 1, not 'flor'. Did you mean 'floor'?"),
        ("mode", True, "must be one of 'exp', 'floor', 1, not true."),
        ("cuts", 5, "must be a list of (a whole number), not 5."),
        ("cuts", [1, "b"], "has a wrong item 2: it must be a whole number, not 'b'."),
        ("model", 7, "must be a plugin, NAME or {NAME: {option: value}} or null, not 7."),
        ("model", {"a": 1, "b": 2}, "must be a plugin, NAME or {NAME: {option: value}} or null, not {'a': 1, 'b': 2}."),
        ("text", ["x" * 100], "must be a string, not ['" + "x" * 55 + "...."),
    ],
)
def test_a_wrong_value_says_what_is_allowed(option: str, written: Any, message: str) -> None:
    _, faults = convert(**{"text": "a", option: written})
    assert faults == [f"option '{option}' of metric 'everything' {message}"]


def test_all_faults_come_at_once_with_their_path() -> None:
    _, faults = convert_options(Everything, {"cont": 2, "cuts": [1, None], "inner": "x"}, kind="metric")
    assert [fault.path for fault in faults] == [("cont",), ("cuts", 1), ("inner",), ()]
    assert faults[0].message.startswith("metric 'everything' has no option 'cont'. Did you mean 'count'? It has: text, count,")
    assert faults[-1].message == "metric 'everything' needs the option 'text' (a string)."


def test_an_internal_field_is_no_option() -> None:
    assert "inner" not in {item.name for item in Everything.option_fields()}
    assert "inner" not in Everything(text="a", inner="x").options()


def test_types_are_described_in_words() -> None:
    assert describe_type(int | None) == "a whole number or null"
    assert describe_type(tuple[Spec, ...]) == "a list of (a plugin, NAME or {NAME: {option: value}})"
    assert describe_type(File) == "a path"


@pytest.mark.parametrize("wrong", [1, [], {}, {"a": {}, "b": {}}, {1: {}}, {1: 2}])
def test_what_is_no_spec_is_refused(wrong: Any) -> None:
    with pytest.raises(Exception, match="must be a plugin"):
        to_spec(wrong)


def test_a_spec_without_options_may_be_written_with_null() -> None:
    assert to_spec({"bm25": None}) == Spec("bm25")


class Needy(Metric):
    """Needs one option, 0 to 1."""

    name, better = "needy", "higher"
    path: File
    size: int = 1
    folder: str = dataclasses.field(default=".", metadata={"option": False})


class Needier(Metric):
    """Needs two options, 0 to 1."""

    name, better = "needier", "higher"
    left: str
    right: str


@pytest.mark.parametrize("value", ["a.txt", 7, True, ["a", "b"]])
def test_one_value_stands_for_the_one_required_option_and_survives_the_way_to_yaml_and_back(value: Any) -> None:
    spec = to_spec({"needy": value})
    assert spec.plain() == {"needy": value}
    assert to_spec(spec.plain()) == spec != Spec("needy")


def test_one_value_is_checked_like_the_option_that_it_stands_for() -> None:
    kwargs, faults = convert_options(Needy, to_spec({"needy": "a.txt"}, "/data").options, kind="metric", folder="/data")
    assert not faults
    assert Needy(**kwargs) == Needy(path=File("/data/a.txt", "a.txt"), folder="/data")
    assert Needy(**kwargs).spec() == Spec("needy", {"path": "a.txt", "size": 1})
    _, faults = convert_options(Needy, to_spec({"needy": 3}).options, kind="metric")
    assert [fault.message for fault in faults] == ["option 'path' of metric 'needy' must be a path, not 3."]


class Free(Metric):
    """Needs no option, 0 to 1."""

    name, better = "free", "higher"
    size: int = 1


class Bare(Metric):
    """Has no option, 0 to 1."""

    name, better = "bare", "higher"


@pytest.mark.parametrize(
    ("cls", "told"),
    [
        (Needier, "metric 'needier' needs more than one option, so each is named: {needier: {left: ..., right: ...}}."),
        (Free, "metric 'free' needs no option, so one that is set is named: {free: {OPTION: VALUE}}. It has: size."),
        (Bare, "metric 'bare' has no options: write bare alone."),
    ],
)
def test_one_value_that_cannot_be_named_is_told_what_to_write(cls: type[Metric], told: str) -> None:
    _, faults = convert_options(cls, to_spec({cls.name: "x"}).options, kind="metric")
    assert [fault.message for fault in faults] == [told]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A mapping among the options of a plugin."""

    size: int
    kinds: tuple[str, ...] = ("a",)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("'size' is too small")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"sizes": 1}, "has no key 'sizes'. Did you mean 'size'? It has: size, kinds."),
        ({"size": "one"}, "has a wrong 'size': it must be a whole number, not 'one'."),
        ({"kinds": ["b"]}, "needs the key 'size'."),
        ({"size": -1}, "is refused: 'size' is too small"),
        ("size", "must be a mapping with the keys size, kinds, not 'size'."),
    ],
)
def test_a_mapping_is_checked_key_by_key(value: object, told: str) -> None:
    with pytest.raises(WrongValue) as caught:
        convert_value(value, Section)
    assert caught.value.message == told


def test_a_mapping_becomes_its_dataclass_also_where_there_may_be_none() -> None:
    assert convert_value({"size": 2, "kinds": ["x"]}, Section | None) == Section(size=2, kinds=("x",))
    assert convert_value(None, Section | None) is None
    with pytest.raises(WrongValue, match="has no key 'sizes'"):
        convert_value({"sizes": 2}, Section | None)


class Open(Metric):
    """Passes on what it does not know, 0 to 1."""

    name, better = "open", "higher"
    limit: int = 1
    args: Arguments = Arguments()

    def measure(self, response: list[str]) -> dict[str, list[float]]:
        return {"value": [0.5 for _ in response]}


def test_unknown_options_become_arguments_where_a_plugin_takes_them() -> None:
    kwargs, faults = convert_options(Open, {"average": "macro", "limit": 2, "args": {"limit": 3}}, kind="metric")
    assert not faults
    metric = Open(**kwargs)
    assert metric == Open(limit=2, args=Arguments({"limit": 3, "average": "macro"}))
    assert metric.signature() == 'open|limit:2|args:{"average":"macro","limit":3}'
    assert metric.spec().options == {"limit": 2, "args": {"limit": 3, "average": "macro"}}


def test_what_is_no_mapping_is_no_arguments() -> None:
    _, faults = convert_options(Open, {"args": 3, "average": "macro"}, kind="metric")
    assert [fault.path for fault in faults] == [("args",), ("average",)]
    assert "must be a mapping of name to value, not 3" in faults[0].message


def test_values_take_in_nothing_that_is_not_theirs() -> None:
    assert convert_value({"a": [1]}, Values) == Values({"a": [1]}) != Values({"a": [2]})
    assert convert_value(Values({"a": 1}), Values) == {"a": 1}
    assert repr(Values({"a": 1})) == "Values({'a': 1})"
    with pytest.raises(WrongValue, match="must be a mapping of name to value, not 3"):
        convert_value(3, Values)


def test_arguments_keep_the_contract_of_options() -> None:
    check(Open(args=Arguments({"labels": [1, 2], "weight": None})))
