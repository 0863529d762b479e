"""The normal form of answers that SQuAD's official evaluation compares, as a list of words."""

from __future__ import annotations

import re
import string

_ARTICLES = frozenset(("a", "an", "the"))
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]+")
_DELETED = string.punctuation.encode()
# Lower case, and every character at which str.split splits becomes a space.
_ASCII = bytes(ord(" ") if chr(code).isspace() else ord(chr(code).lower()) for code in range(128)).ljust(256, b"?")


def squad_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without ASCII punctuation and English articles.

    Punctuation is deleted, not replaced by a space; other scripts' punctuation stays, as in the official script.

    >>> squad_words("The Denver Bronco's,  an all-star team")
    ['denver', 'broncos', 'allstar', 'team']
    """
    if not text.isascii():
        return without_articles(_PUNCTUATION.sub("", text.lower())).split()
    plain = text.encode().translate(_ASCII, _DELETED).decode()
    if not plain.isprintable():  # beside a control character an article is a whole word to the expression alone
        return without_articles(plain).split()
    words = plain.split()
    return words if _ARTICLES.isdisjoint(words) else [word for word in words if word not in _ARTICLES]


def without_articles(text: str) -> str:
    """Return a text in lower case with a space in place of each English article.

    >>> without_articles("over the hill").split()
    ['over', 'hill']
    """
    return _ARTICLE.sub(" ", text)
