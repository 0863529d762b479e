"""Transforms that keep the answer of a response and leave out the rest."""

from __future__ import annotations

import functools
import json
import re
import string
from collections.abc import Iterator
from typing import Literal, NoReturn

import evalharness as eh

Otherwise = Literal["empty", "keep"]


class Extraction(eh.Transform):
    """Base of transforms that keep what they find; a relative defines `find`.

    `otherwise` says what is left where nothing is found: "empty", an answer that is not there, or "keep" the whole text.
    """

    otherwise: Otherwise = "empty"

    def apply(self, text: str) -> str:
        found = self.find(text)
        if found is None:
            return text if self.otherwise == "keep" else ""
        return found

    def find(self, text: str) -> str | None:
        """Return what is to be kept, None where it is not there."""
        raise NotImplementedError(f"{type(self).__name__} does not define find")


class Extract(Extraction):
    """Keeps what a regular expression matches in a response.

    `which`: the "last" match, the "first", or "all", one a line. `group`: the number or the name of what is kept of a match;
    by default the first group of the pattern, without groups the whole match. A match in which the group takes no part is
    passed over. Case counts, `.` ends at a line break, `^` is the start of the text; `(?i)`, `(?s)` and `(?m)` at the start of
    the pattern change that. Where nothing matches, `otherwise`: "empty" leaves an empty text, for an answer that is not there,
    and "keep" the whole text.

    >>> Extract(pattern=r"#### (.*)").apply("3 x 4 = 12\\n#### 12")
    '12'
    """

    name, example = "extract", {"pattern": "(?i)answer: *(.+)"}

    pattern: str
    which: Literal["last", "first", "all"] = "last"
    group: int | str | None = None

    def __post_init__(self) -> None:
        try:
            pattern = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"'{self.pattern}' in 'pattern' is no regular expression: {_placed(error)}") from None
        if self.group is not None and self.group not in {*range(pattern.groups + 1), *pattern.groupindex}:
            has = ", ".join(map(str, [*range(pattern.groups + 1), *pattern.groupindex]))
            raise ValueError(f"the pattern has no group '{self.group}'; it has: {has}")

    def find(self, text: str) -> str | None:
        pattern = re.compile(self.pattern)
        group = min(pattern.groups, 1) if self.group is None else self.group
        found = [kept for match in pattern.finditer(text) if (kept := match[group]) is not None]
        if not found:
            return None
        return "\n".join(found) if self.which == "all" else found[0 if self.which == "first" else -1]


def _placed(error: re.error) -> str:
    """Return the message with the place where the pattern breaks, counted from 1."""
    return error.msg if error.pos is None else f"{error.msg}, at character {error.pos + 1}"


class ExtractJson(Extraction):
    """Keeps a JSON object or array of a response, as one line with sorted keys and without spaces.

    It may stand in prose or between code fences; `which`: the "first" or the "last" one, outermost values only, though where
    brackets make no JSON, what stands in them may. A text that is JSON as a whole is kept whatever it is, a number or a
    string as well. Numbers that JSON does not know (NaN) make no JSON. Where there is none, `otherwise`: "empty" leaves an
    empty text, for an answer that is not there, and "keep" the whole text.

    >>> ExtractJson().apply('Here it is: {"b": 1, "a": [true]} as asked.')
    '{"a":[true],"b":1}'
    """

    name = "extract_json"

    which: Literal["first", "last"] = "first"

    def find(self, text: str) -> str | None:
        values = list(_json_values(text.strip()))
        return values[0 if self.which == "first" else -1] if values else None


def _json_values(text: str) -> Iterator[str]:
    """Yield the whole text if it is JSON, otherwise the objects and arrays in it."""
    try:
        whole = _json_at(text, 0)
        if whole is not None and whole[1] == len(text):
            yield whole[0]
            return
        place = _OPENING.search(text)
        while place is not None:
            found = _json_at(text, place.start())
            if found is not None:
                yield found[0]
            place = _OPENING.search(text, place.end() if found is None else found[1])
    except RecursionError:  # nested beyond what the library reads; to try each of its brackets would take for ever
        return


def _json_at(text: str, start: int) -> tuple[str, int] | None:
    """Return the JSON value that begins there, as canonical text, and where it ends; None where there is none."""
    try:
        value, end = _DECODER.raw_decode(text, start)
        return eh.canonical(value).encode("utf-8", "replace").decode(), end  # half a surrogate pair is no text
    except ValueError:
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_OPENING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder(parse_constant=_refuse)


class ExtractChoice(Extraction):
    """Keeps the letter of the choice that a response names, as a capital.

    Looked for in this order: the last "answer is X", "answer: X", "option X" or "choice X" (with brackets, asterisks or
    `\\boxed{}` around the letter or without); a letter at the start of the text that stands alone or before `.`, `)`, `:`;
    the last letter in brackets, asterisks or `\\boxed{}`; the last capital that stands alone, but not "A" and "I", which are
    words. `letters` are those that count. Where there is none, `otherwise`: "empty" leaves an empty text, for an answer that
    is not there, and "keep" the whole text.

    >>> [ExtractChoice().apply(text) for text in ("The answer is (B).", "b) Paris", "I think **C**", "A cat")]
    ['B', 'B', 'C', '']
    """

    name = "extract_choice"

    letters: str = string.ascii_uppercase

    def __post_init__(self) -> None:
        if not self.letters or not set(self.letters) <= set(string.ascii_uppercase):
            raise ValueError(f"letters must be capitals from A to Z, such as 'ABCD', not '{self.letters}'")

    def find(self, text: str) -> str | None:
        for pattern in _choice_patterns(self.letters):
            found = [match[match.lastindex or 0] for match in pattern.finditer(text)]
            if found:
                return found[-1].upper()
        return None


_IN_WORD = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # Chinese, Japanese and Korean set a letter beside others


@functools.lru_cache
def _choice_patterns(letters: str) -> tuple[re.Pattern[str], ...]:
    """Return where the letter may stand, the surest place first; the letter is the last group that takes part."""
    any_case = f"[{letters}{letters.lower()}]"
    no_word_after = rf"(?!\s+{_IN_WORD})"
    boxed = r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*\(?"
    ends = rf"(?!{_IN_WORD}|['’]|\.\w)"
    named = rf"(?i:\b(?:answer|option|choice)\b(?:\s+(?:is|would be|should be))?)(?:[\s:=*_(\[\"'`$]|{boxed})*"
    after_name = "|".join(f"I{no_word_after}" if letter == "I" else letter for letter in letters)
    by_itself = "|".join(f"{letter}{no_word_after}" if letter in "AI" else letter for letter in letters)
    return tuple(
        map(
            re.compile,
            (
                rf"{named}(?:({after_name}){ends}|({any_case})(?=[)\]}}*.]|\s*$){ends})",
                rf"\A[\s*_(\[\"'`]*({any_case})(?:[*_\"'`]*[.):\]](?=[\s*_]|$)|[*_\"'`]+(?=\s|$)|[^\S\n]*(?:\n|$))",
                rf"\(({any_case})\)|\[({any_case})\]|\*\*({any_case})[.):]?\*\*|{boxed}({any_case})\)?\s*\}}",
                rf"(?<!{_IN_WORD})(?<!['’.])({by_itself}){ends}",
            ),
        )
    )
