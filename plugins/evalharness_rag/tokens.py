"""Splits text into the tokens that answers and passages are compared by."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f])"
_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)*)(?:(?:st|nd|rd|th)\b)?"
    r"|(?P<sign>[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])"  # scripts without spaces: every sign is a token
    rf"|(?P<word>(?:(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]){_LETTER})+)"
)
_CITED = r"(?:passage|context|source|document|excerpt)s?"
_BASIS = r"(?:passage|context|source|document|excerpt|text|article|paragraph|reference|information)s?"
# What says where an answer comes from claims nothing: "[2]", "(Passage 1)", "Based on the given passages".
_CITATION = re.compile(
    r"\[\d+(?:\s*[,;-]\s*\d+)*\]"
    rf"|\b{_CITED}\s+\d+(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:{_CITED}\s+)?\d+)*\b"
    r"|\b(?:(?:based\s+(?:\w+\s+)?|relying\s+)(?:up)?on|according\s+to)\s+(?:the|these|this|all)\s+(?:\w+\s+){0,2}?"
    rf"{_BASIS}(?:\s+(?:provided|given))?\b",
    re.IGNORECASE,
)
_OPENING = tuple(':;"“‘«(*•')
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS)}
_STOP_WORDS = """
a about above after again against ain all also am an and any are aren as at be because been before being below between
both but by can cannot could couldn d did didn do does doesn doing don down during each either else ever every few for
from further had hadn has hasn have haven having he her here hers herself him himself his how however i if in into is
isn it its itself just ll m may me might more most much must mustn my myself needn neither no nor not now o of off on
once only or other our ours ourselves out over own per rather re s same shall shan she should shouldn since so some
such t than that the their theirs them themselves then there therefore these they this those though through thus to too
under until up upon us ve very via was wasn we were weren what when where whether which while who whom whose why will
with within without won would wouldn yet you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


@dataclass(frozen=True, slots=True)
class Token:
    """A content word or number: its characters in the text, its stem, and whether it is a number or written as a name."""

    start: int
    end: int
    stem: str
    number: bool = False
    name: bool = False


def content_tokens(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Return the tokens of one sentence `text[start:end]` that are not stop words; positions are those of `text`.

    Words are NFKC, case folded and reduced to Porter stems; zero to twelve become digits, numbers lose thousands
    separators and trailing zeros of a fraction. A name begins with a capital that the place does not ask for, or is
    written in capitals throughout. What names the passages as a source is left out. Stop words and stems are English;
    Chinese and Japanese signs are single tokens.

    >>> [token.stem for token in content_tokens("The three mills ground 1,200.50 tons in 日本.")]
    ['3', 'mill', 'ground', '1200.5', 'ton', '日', '本']
    >>> [token.name for token in content_tokens("Millers like NASA and Smith.")]
    [False, False, True, True]
    >>> [token.stem for token in content_tokens("Based on the given passages, salt was mined [2], says Passage 1.")]
    ['salt', 'mine', 'sai']
    """
    end = len(text) if end is None else end
    cited = [match.span() for match in _CITATION.finditer(text, start, end)]
    tokens: list[Token] = []
    first = True
    for match in _TOKEN.finditer(text, start, end):
        left, right = match.span()
        stem, number, named = _read(match["number"] or match[0])
        if stem and not (cited and any(low <= left < high for low, high in cited)):
            capital_due = first or text[max(start, left - 3) : left].rstrip().endswith(_OPENING)
            tokens.append(Token(left, right, stem, number, named == 2 or (named == 1 and not capital_due)))
        first = False
    return tokens


@functools.lru_cache(maxsize=65536)
def _read(written: str) -> tuple[str, bool, int]:
    """Return the stem ("" for a stop word), whether it is a number, and its capitals: 0 none, 1 the first letter, 2 all."""
    written = unicodedata.normalize("NFKC", written)
    word = written.casefold()
    if written[:1].isdigit():
        return _canonical_number(written), True, 0
    if word in _DIGITS:
        return _DIGITS[word], word != "one", 0  # "one" is mostly a pronoun
    capitals = 2 if len(written) > 1 and written.isupper() else int(written[:1].isupper())
    return "" if word in STOP_WORDS else _stemmer()(word), False, capitals


def _canonical_number(written: str) -> str:
    """Return one form for all ways to write a number.

    >>> _canonical_number("1,200.50"), _canonical_number("1.2.30"), _canonical_number("٣٤")
    ('1200.5', '1.2.30', '34')
    """
    digits = "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in written)
    plain = _THOUSANDS.sub("", digits)
    return plain.rstrip("0").rstrip(".") if plain.count(".") == 1 and "," not in plain else plain


@functools.cache
def _stemmer() -> Callable[[str], str]:
    import Stemmer

    return Stemmer.Stemmer("porter").stemWord
