"""Cuts texts into the words that overlap is counted in, line by line, and reduces words to their stems."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from typing import Any

Words = list[str]

_ASCII = bytes(code if chr(code).isalnum() or code == ord("\n") else ord(" ") for code in range(128)).ljust(256, b" ")
_ALONE = ("CJK ", "HIRAGANA ", "KATAKANA", "IDEOGRAPHIC ", "BOPOMOFO ")
_ZERO_WIDTH_SPACE = 0x200B


def ascii_lines(text: str) -> list[Words]:
    """Return the runs of a-z and 0-9 in lower case, those of each line that has any.

    >>> ascii_lines("Café-au-lait,\\n\\n2 cups")
    [['caf', 'au', 'lait'], ['2', 'cups']]
    """
    return _split(text.lower().encode("ascii", "replace").translate(_ASCII).decode())


def unicode_lines(text: str) -> list[Words]:
    """Return the runs of letters, digits and combining marks of any script in lower case, those of each line that has any.

    Chinese and Japanese characters are words by themselves; a run of another script that is written without spaces, such
    as Thai, stays one word. Texts are compared in compatibility form (NFKC), so that
    composed and decomposed letters, and wide and narrow ones, are the same; joiners and soft hyphens are left out.

    >>> unicode_lines("Cafe\\u0301 in 東京タワー!\\n2 Tassen")
    [['café', 'in', '東', '京', 'タ', 'ワ', 'ー'], ['2', 'tassen']]
    """
    return _split(unicodedata.normalize("NFKC", text).lower().translate(_LETTERS))


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the Porter stem of a word in lower case, with the extensions of NLTK.

    >>> stem("generously"), stem("skies")
    ('gener', 'sky')
    """
    return _porter()(word)


def stems(words: Words) -> Words:
    """Return words with those of more than three letters reduced to their stem, as the original ROUGE does.

    >>> stems(["the", "ties", "were", "broken"])
    ['the', 'tie', 'were', 'broken']
    """
    return [reduced for word in words if (reduced := stem(word) if len(word) > 3 else word)]


@functools.cache
def _porter() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer

    porter: Any = PorterStemmer()
    return porter.stem


def _split(text: str) -> list[Words]:
    return [words for line in text.split("\n") if (words := line.split())]


class _Letters(dict[int, str]):
    """What becomes of each character; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] in "LNM":
            kept = f" {char} " if unicodedata.name(char, "").startswith(_ALONE) else char
        else:
            kept = "" if category == "Cf" else " "
        self[code] = kept
        return kept


_LETTERS = _Letters({ord("\n"): "\n", _ZERO_WIDTH_SPACE: " "})
