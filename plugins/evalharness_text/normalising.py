"""What texts are reduced to before they are compared: rules of known evaluations by name, or a list of steps.

One option `normalise` serves all metrics that compare texts or words. In a task file it is a name, or what is done step by
step, in the order given:

    normalise: [nfkc, lowercase, {remove: "[$€]"}, punctuation, whitespace]

Named: "squad" (lower case, without ASCII punctuation and English articles, white space as one space), "triviaqa" (the same,
but a space in place of each mark, typographic quotes among them), "numeric" (every number in one form, so that 1,000.0 is
1000; the rest as in "squad"), "words" (words by Unicode in lower case, Chinese and Japanese characters one by one, without
punctuation), "none" (as it is). Words are what white space divides after that.

Steps: `lowercase`; `strip` (white space at the ends); `whitespace` (runs of it as one space, none at the ends); `punctuation`
(deletes ASCII's and Unicode's); `articles` (English a, an, the); `accents` (letters without their marks); `nfkc` (Unicode's
compatibility form: wide and narrow, composed and decomposed characters are the same); `numbers` (each number in one form);
`words` as above; `{remove: PATTERN}` (what a regular expression matches).
"""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from evalharness_text.numbers import in_one_form
from evalharness_text.squad import squad_words, without_articles
from evalharness_text.words import unicode_lines

Words = list[str]
Step = Literal["lowercase", "strip", "whitespace", "punctuation", "articles", "accents", "nfkc", "numbers", "words"]
_TRIVIAQA = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))


@dataclass(frozen=True)
class Remove:
    """A step that deletes whatever a regular expression matches."""

    remove: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.remove)
        except re.error as error:
            raise ValueError(f"'{self.remove}' is no regular expression: {error}") from None

    def __call__(self, text: str) -> str:
        return re.sub(self.remove, "", text)


Normalise = Literal["squad", "triviaqa", "numeric", "words", "none"] | tuple[Step | Remove, ...]


def normal_words(normalise: Normalise) -> Callable[[str], Words]:
    """Return the function from a text to its words in normal form.

    >>> normal_words("triviaqa")("The Rolling-Stones")
    ['rolling', 'stones']
    >>> normal_words(("accents", "lowercase"))("Crème brûlée")
    ['creme', 'brulee']
    """
    if isinstance(normalise, str):
        return _NAMED[normalise]
    steps = normal_text(normalise)
    return lambda text: steps(text).split()


def normal_text(normalise: Normalise) -> Callable[[str], str]:
    """Return the function from a text to its normal form.

    >>> normal_text("numeric")("$1,000.0, roughly")
    '1000 roughly'
    """
    if normalise == "none":
        return str
    if isinstance(normalise, str):
        words = _NAMED[normalise]
        return lambda text: " ".join(words(text))
    steps = [step if isinstance(step, Remove) else _STEPS[step] for step in normalise]
    return lambda text: functools.reduce(lambda kept, step: step(kept), steps, text)


def keeps_white_space(normalise: Normalise) -> bool:
    """Return whether texts of the same words may still differ in the white space between them."""
    return normalise == "none" or not isinstance(normalise, str)


def unicode_words(text: str) -> Words:
    """Return the words of a text by Unicode, in lower case and without punctuation.

    Chinese and Japanese characters are words by themselves; Korean words are what spaces divide.

    >>> unicode_words("It's 東京, 서울은")
    ['it', 's', '東', '京', '서울은']
    """
    return list(chain.from_iterable(unicode_lines(text)))


def _triviaqa_words(text: str) -> Words:
    return without_articles(text.lower().translate(_TRIVIAQA)).split()


def _numeric_words(text: str) -> Words:
    return list(chain.from_iterable([part] if number else squad_words(part) for part, number in in_one_form(text)))


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(char for char in letters if unicodedata.category(char) != "Mn"))


class _Marks(dict[int, str]):
    """What stays of each character where punctuation goes; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = "" if char in string.punctuation or unicodedata.category(char)[0] == "P" else char
        return self[code]


_MARKS = _Marks()
_NAMED: dict[str, Callable[[str], Words]] = {
    "squad": squad_words,
    "triviaqa": _triviaqa_words,
    "numeric": _numeric_words,
    "words": unicode_words,
    "none": str.split,
}
_STEPS: dict[Step, Callable[[str], str]] = {
    "lowercase": str.lower,
    "strip": str.strip,
    "whitespace": lambda text: " ".join(text.split()),
    "punctuation": lambda text: text.translate(_MARKS),
    "articles": without_articles,
    "accents": _without_accents,
    "nfkc": functools.partial(unicodedata.normalize, "NFKC"),
    "numbers": lambda text: "".join(part for part, _ in in_one_form(text)),
    "words": lambda text: " ".join(unicode_words(text)),
}
