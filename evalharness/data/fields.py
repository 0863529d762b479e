"""Turns raw values into the fields that metrics and prompts rely on; says what is wrong where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evalharness.contract import Passage, canonical
from evalharness.errors import nearest, shown


class Unfit(Exception):
    """A value that a field cannot have."""


def map_fields(item: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of one item: mapped columns under the field's name, all others as they are.

    A column may be a path into an object: `answers.text`. Raises Unfit for a column that the item lacks.

    >>> map_fields({"q": "Who?", "a": {"text": ["I"]}, "topic": "x"}, {"input": "q", "references": "a.text"})
    {'topic': 'x', 'input': 'Who?', 'references': ['I']}
    """
    fields = dict(item)
    for column in columns.values():
        fields.pop(column if column in item else column.partition(".")[0], None)
    for name, column in columns.items():
        fields[name] = item[column] if column in item else _value(item, column, name)
    for name, convert in CONVERSIONS.items():
        if name in fields:
            fields[name] = convert(fields[name])
    if "target" in fields:
        fields["target"] = _target(fields["target"], fields.get("choices"))
    return fields


def _value(item: Mapping[str, Any], column: str, name: str) -> Any:
    value: Any = item
    for key in column.split("."):
        if not isinstance(value, Mapping) or key not in value:
            has = ", ".join(item) or "nothing"
            raise Unfit(f"the column '{column}' (for the field '{name}') is missing.{nearest(column, item)} The item has: {has}")
        value = value[key]
    return value


def text_id(value: Any, what: str = "the id") -> str:
    """Return an id as text: a string that is not empty, or a whole number's digits; raises Unfit for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise Unfit(f"{what} must be a string that is not empty, or a whole number, not {shown(value)}")


def text_group(value: Any) -> str | None:
    """Return a group key as text: a string as it is, anything else as canonical JSON; None for null."""
    return value if value is None or isinstance(value, str) else canonical(value)


def _text(name: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise Unfit(f"'{name}' must be a string, not {shown(value)}")
        return value

    return convert


def _are_texts(values: list[Any]) -> bool:
    # Mostly the set says it, without a generator for each of a million samples.
    return {*map(type, values)} == {str} or all(isinstance(value, str) for value in values)


def _references(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and _are_texts(value):
        return value
    hint = "; an unanswerable sample has []" if value is None else ""
    raise Unfit(f"'references' must be a string or a list of strings, not {shown(value)}{hint}")


def _choices(value: Any) -> list[str]:
    if isinstance(value, list) and value and _are_texts(value):
        return value
    raise Unfit(f"'choices' must be a list of strings, not {shown(value)}")


def _target(value: Any, choices: list[str] | None) -> Any:
    """Return the index that a target names, or the list of those of several; without choices it stays what it is."""
    if choices is None:
        return value
    if not isinstance(value, list):
        return _choice(value, choices)
    found = [_choice(item, choices) for item in value]
    if not found or len(set(found)) < len(found):
        raise Unfit(f"a list in 'target' must name at least one choice and none twice, not {shown(value)}")
    return found


def _choice(value: Any, choices: list[str]) -> int:
    if isinstance(value, str) and value in choices:
        return choices.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
        return value
    allowed = f"an index from 0 to {len(choices) - 1} or the exact text of a choice"
    raise Unfit(f"'target' must be {allowed}, not {shown(value)}")


def _relevant(value: Any) -> dict[str, float]:
    what = "an id in 'relevant'"
    if isinstance(value, list):
        return {text_id(identifier, what): 1 for identifier in value}
    if isinstance(value, Mapping) and all(type(grade) in (int, float) for grade in value.values()):
        return {text_id(identifier, what): grade for identifier, grade in value.items()}
    raise Unfit(f"'relevant' must be a mapping of passage id to grade, or a list of passage ids, not {shown(value)}")


def _contexts(value: Any) -> list[Passage]:
    if not isinstance(value, list):
        raise Unfit(f"'contexts' must be a list of passages, not {shown(value)}")
    passages = [_passage(item, number) for number, item in enumerate(value, start=1)]
    ids = [passage.id for passage in passages]
    doubled = next((identifier for identifier in ids if ids.count(identifier) > 1), None)
    if doubled is not None:
        raise Unfit(f"'contexts' holds the passage '{doubled}' twice; a ranking names each passage once")
    return passages


def _passage(value: Any, number: int) -> Passage:
    if isinstance(value, str):
        return Passage(str(number), value)
    if isinstance(value, Mapping) and isinstance(value.get("text"), str) and type(value.get("score")) in (int, float, type(None)):
        return Passage(text_id(value.get("id"), f"the id of passage {number} in 'contexts'"), value["text"], value.get("score"))
    raise Unfit(f"passage {number} of 'contexts' must be a string or an object with id, text and, if wanted, score")


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "input": _text("input"),
    "response": _text("response"),
    "references": _references,
    "choices": _choices,
    "relevant": _relevant,
    "contexts": _contexts,
}
