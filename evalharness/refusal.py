"""Recognises a response that declines to answer; a fixed list of English patterns, no model.

A text is a refusal when its first sentence says that no answer is given (`I don't know`, `unable to answer`, `cannot be
determined`) or that the source holds none (`the passages do not mention ...`, `there is no information ...`), and neither
the rest of that sentence nor the next one turns to an answer (`I don't know, but ...`, `However, ...`). Apologies, echoed
questions and lead-ins (`Based on the passages:`) are passed over. Later sentences do not count: they may only bound what
has been answered. Other languages are not recognised.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.contract import Batch

_SOURCE = (
    r"(?:context|passages?|text|documents?|information|sources?|articles?|corpus|excerpts?|content|paragraphs?|materials?"
    r"|references?|search results?|snippets?|data)"
)
_TELL = (
    r"(?:answer|mention|provide|contain|say|state|specify|include|give|address|tell|indicate|discuss|cover|describe|have"
    r"|explain|reveal|note|list|offer|show|disclose)"
)
_TOLD = (
    r"(?:answered|mentioned|provided|contained|stated|specified|included|given|addressed|indicated|discussed|covered"
    r"|described|explained|revealed|found|available|listed|disclosed|known|present)"
)
_NOT = r"(?:does not|do not|doesn't|don't|did not|didn't)"
_IS_NOT = r"(?:is not|are not|isn't|aren't|was not|were not|wasn't|weren't|is never|are never|is nowhere)"
_CANNOT = r"(?:can ?not|can't|could not|couldn't|am unable to|'m unable to|am not able to|'m not able to|was unable to|won't)"
_ADVERB = r"(?:\w+ly )?"

_OF_THE_ANSWER = (
    r"^(?:i am |i'm |it is )?(?:unable|not able) to (?:answer|determine|find|say|tell|provide)\b",
    rf"(?:^|, |therefore,? |so,? |thus,? )(?:it is |i am |i'm )?unable to answer\b.*\b(?:question|{_SOURCE})\b",
    rf"\b(?:i|we) {_ADVERB}{_NOT} {_ADVERB}(?:know|have (?:\w+ ){{0,3}}(?:information|answer))\b",
    r"\b(?:i|we)(?: am| are|'m|'re) not (?:sure|certain)\b",
    rf"\b(?:i|we) ?{_CANNOT} {_ADVERB}(?:answer|determine|say|tell|help|assist|comply|fulfil|fulfill|find|provide|confirm)\b",
    r"\b(?:question|this|it|that) (?:can ?not|can't) be (?:answered|determined)\b",
    r"^(?:there is |i have )?no answer(?: (?:is )?(?:given|available|provided|found|possible|in|to this|to the)\b.*)?$",
    r"^(?:(?:the question|the answer|this|it) is )?(?:unanswerable|unknown|n/?a|not (?:answerable|available|applicable|known))$",
    r"^(?:(?:there is |there's )?(?:not enough|insufficient)|there isn't (?:any|enough)) (?:information|context|data|evidence)\b",
    r"\bno (?:way|means) (?:to know|of knowing|to tell|of telling)\b",
)
_OF_THE_SOURCE = (
    rf"\b{_SOURCE}(?: \w+){{0,3}}? {_NOT} {_ADVERB}{_TELL}\b",
    rf"\b(?:none of|neither of|nothing in|nowhere in) (?:\w+ ){{0,2}}{_SOURCE}\b",
    rf"\b{_IS_NOT} {_ADVERB}{_TOLD}\b.*\b{_SOURCE}\b",
    rf"\bnot {_ADVERB}{_TOLD}\b(?: \w+){{0,3}}? {_SOURCE}\b",
    rf"\b{_SOURCE}\b.*\bcan(?: ?not|'t) be (?:answered|determined|inferred|found)\b",
    rf"\bcan(?: ?not|'t) be (?:answered|determined|inferred|found)\b(?:.*\b{_SOURCE}\b|$)",
    rf"\b{_SOURCE}\b.*\b(?:lacks?|makes? no|gives? no|offers? no|contains? no|provides? no|has no|have no|says? nothing)\b",
    r"\b(?:there is|there's|there are|there was|contains?|provides?|gives?|found|find|has|have) "
    rf"(?:no|not any|not enough|insufficient) (?:\w+ ){{0,2}}(?:mention|information|indication|details?|evidence|{_SOURCE})\b",
    r"^no (?:\w+ )?(?:information|mention|details?|data)(?: (?:is|are|was|about|on|of|regarding|in|given|available)\b.*)?$",
    rf"^not (?:\w+ )?{_TOLD}$",
)
_LEAD_IN = r"[:?]$|^(?:i am |i'm )?(?:very |so |really )?(?:sorry|apologies|i apologi[sz]e|my apologies|unfortunately)\b[^,:]*$"
_YET = r"\b(?:but|however|nevertheless|nonetheless|that said|although|though)\b"
_BOUNDARY = r"(?<=[.!?:])\s+|\s*\n\s*"
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4\uff07", "'"))


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    # Compiled at the first use: importing evalharness stays light.
    return tuple(map(re.compile, (_BOUNDARY, _LEAD_IN, "|".join(_OF_THE_ANSWER + _OF_THE_SOURCE), _YET)))


def is_refusal(text: str) -> bool:
    """Return whether the text declines to answer; works on a whole response and on a single sentence.

    >>> is_refusal("I’m sorry, but the passages do not mention the price.")
    True
    >>> is_refusal("The bridge opened in 1931. The passages do not mention its architect.")
    False
    """
    boundary, lead_in, declines, yet = _patterns()
    sentences = [part.strip(" .!*\"'\t") for part in boundary.split(text.translate(_APOSTROPHES).lower())]
    said = [part for part in sentences if part and not lead_in.search(part)]
    found = declines.search(said[0]) if said else None
    if found is None:
        return False
    return not (yet.search(said[0], found.end()) or (len(said) > 1 and yet.match(said[1])))


def refusals(response: Sequence[str], batch: Batch) -> list[bool]:
    """Return which responses of a batch decline to answer: by the mark of a transform where there is one.

    >>> from evalharness.contract import Batch
    >>> refusals(["I don't know.", "Weiß nicht."], Batch({"refused": [None, True]}))
    [True, True]
    """
    marks = batch.columns.get("refused") or [None] * len(response)
    return [is_refusal(text) if mark is None else bool(mark) for text, mark in zip(response, marks, strict=True)]


__all__ = ["is_refusal", "refusals"]
