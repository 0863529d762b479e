"""Numbers in texts: where they stand, their values, and a transform that keeps one.

English notation: a point before decimals, and groups of three digits with a comma, an apostrophe or a narrow space between
them. Digits of any script, signs, exponents (1e6), fractions (3/4, 1 1/2, ½), per cent and a currency sign before the number
are understood; numbers in words are not. Digits in a word (Q3, COVID-19), in a date or a range do not make a sign or fraction.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from evalharness import Transform

_POINT, _COMMA, _SLASH, _MINUS = ".．٫", ",，٬'’\u00a0\u2009\u202f", "/⁄／", "-−－"
_SPACE, _VULGAR = r"\x20\u00a0", "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # scripts that set digits beside their characters
_NUMBER = re.compile(
    rf"""(?<![^\W{_CJK}])(?<!\d[{_POINT}])(?<![^\W\d_{_CJK}]-)
    (?P<sign>[{_MINUS}+]?)(?:[$€£¥₹][{_SPACE}]?)?
    (?: (?<![{_SLASH}]) (?:(?P<units>\d+)[{_SPACE}])? (?P<above>\d+)[{_SLASH}](?P<below>\d+) (?![\d{_SLASH}])
      | (?P<before>\d+)?[{_SPACE}]?(?P<vulgar>[{_VULGAR}])
      | (?P<digits> (?: \d{{1,3}}(?:[{_COMMA}]\d{{3}})+(?!\d) | \d+ ) (?:[{_POINT}]\d+)? | [{_POINT}]\d+ )
        (?P<exponent>[eE][-+]?\d{{1,3}}(?!\d))? )
    (?P<percent>[{_SPACE}]?(?:[%％٪]|per[{_SPACE}]?cent\b))?""",
    re.VERBOSE | re.IGNORECASE,
)
_PLAIN = str.maketrans({**dict.fromkeys(_COMMA), **dict.fromkeys(_POINT, ".")})


@dataclass(frozen=True)
class Number:
    """A number in a text: its value, whether a per cent sign follows, and where it stands."""

    value: Decimal
    percent: bool
    start: int
    end: int

    def __str__(self) -> str:
        digits = format(self.value, "f")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return ("0" if self.value == 0 else digits) + "%" * self.percent


def numbers_in(text: str) -> Iterator[Number]:
    """Yield the numbers of a text in their order.

    >>> [str(number) for number in numbers_in("From −1,000.50 to 3/4 of 20 %, see Q3")]
    ['-1000.5', '0.75', '20%']
    """
    end = 0
    for match in _NUMBER.finditer(text):
        before, end = end, match.end()
        if (match["below"] and not Decimal(match["below"])) or _goes_on(text, before, match.start()):
            continue
        value = _value(match)
        signed = value.copy_negate() if match["sign"] and match["sign"] in _MINUS else value
        yield Number(signed, match["percent"] is not None, *match.span())


def _goes_on(text: str, end: int, start: int) -> bool:
    """Return whether digits before a comma, which are in a word and so no number, go on here: the 000 of `USD1,000`."""
    return start > max(end + 1, 1) and text[start - 1] in _COMMA and text[start - 2].isdigit()


def in_one_form(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, numbers and what is between them, each with whether it is a number, in its one form.

    >>> list(in_one_form("$1,000.0 each"))
    [('', False), ('1000', True), (' each', False)]
    """
    end = 0
    for number in numbers_in(text):
        yield text[end : number.start], False
        yield str(number), True
        end = number.end
    yield text[end:], False


def _value(match: re.Match[str]) -> Decimal:
    if match["digits"]:
        return Decimal(match["digits"].translate(_PLAIN) + (match["exponent"] or ""))
    if match["vulgar"]:
        above, below = unicodedata.normalize("NFKD", match["vulgar"]).split("⁄")
        return Decimal(match["before"] or 0) + Decimal(above) / Decimal(below)
    return Decimal(match["units"] or 0) + Decimal(match["above"]) / Decimal(match["below"])


class ExtractNumber(Transform):
    """Keeps the last number of a response in plain digits: "so 1,200.50 dollars" becomes "1200.5".

    `which`: "last" or "first". Fractions become decimals, a per cent sign stays. English notation, digits of any script; see
    `number_match`, which also compares numbers without this. Where there is none, `otherwise`: "empty" leaves an empty
    text, for an answer that is not there, and "keep" the whole text.

    >>> ExtractNumber().apply("3 x 400 = **1,200.50** dollars.")
    '1200.5'
    """

    name = "extract_number"

    which: Literal["last", "first"] = "last"
    otherwise: Literal["empty", "keep"] = "empty"

    def apply(self, text: str) -> str:
        """Return the number, or what `otherwise` says."""
        numbers = list(map(str, numbers_in(text))) or [text if self.otherwise == "keep" else ""]
        return numbers[0 if self.which == "first" else -1]
