"""Turns text into the terms that lexical search matches."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Literal

Language = Literal[
    "danish", "dutch", "english", "french", "german", "italian", "norwegian", "portuguese", "russian", "spanish", "swedish",
    "turkish",
]  # fmt: skip
_WORD = re.compile(r"[^\W_]+")


def analyser(language: Language | None) -> Callable[[str], list[str]]:
    """Return the function from a text to its terms: NFKC, case folded, letters and digits.

    With a language its stop words are left out and the other words reduced to their Snowball stems.

    >>> analyser("english")("The tides of Lake Ü are rising, 1,5 m!")
    ['tide', 'lake', 'ü', 'rise', '1', '5', 'm']
    >>> analyser(None)("The tides")
    ['the', 'tides']
    """
    if language is None:
        return _words
    stem, ignored = _stemmer(language), _stop_words(language)
    return lambda text: stem([word for word in _words(text) if word not in ignored])


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@functools.cache
def _stemmer(language: str) -> Callable[[list[str]], list[str]]:
    import Stemmer

    return Stemmer.Stemmer(language).stemWords


@functools.cache
def _stop_words(language: str) -> frozenset[str]:
    from bm25s import stopwords

    return frozenset(getattr(stopwords, "STOPWORDS_EN" if language == "english" else f"STOPWORDS_{language.upper()}"))
