"""Splits text into sentences."""

from __future__ import annotations

import re

_END = re.compile(r"[\n\r\u2028\u2029]+|[。！？]+[\"'”’」』）]*|[.!?…؟۔।]+[\"'”’)\]*]*\s+")
_ABBREVIATED = re.compile(r"(?:^|[^\w])(?:[^\W\d_]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|Gen|Col|Capt|Lt|Rev|Hon|vs|approx|ca|cf|Fig|No)\.\s*$")
_LINE_ENDS = "\n\r\u2028\u2029"


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each sentence, without the white space around it.

    A sentence ends at a line end, at a full stop of Chinese or Japanese, and at `.`, `!` or `?` where white space and
    then no small letter follows, unless an initial or a common abbreviation stands before the full stop.

    >>> text = "Dr. J. Smith paid 3.50 dollars. He left!\\n- Why? (Nobody knows.) 知らない。本当"
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Dr. J. Smith paid 3.50 dollars.', 'He left!', '- Why?', '(Nobody knows.)', '知らない。', '本当']
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, start, match):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    return [(first, last) for first, last in (_trimmed(text, *span) for span in spans) if first < last]


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    if match[0][0] in "。！？" or any(sign in _LINE_ENDS for sign in match[0]):
        return True
    follows = text[match.end() : match.end() + 1]
    return not follows.islower() and not _ABBREVIATED.search(text, max(start, match.start() - 8), match.end())


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
