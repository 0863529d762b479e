"""A transform that marks refusals."""

from __future__ import annotations

import re

import evalharness as eh


class Refusal(eh.Transform):
    """Marks responses that decline to answer, in the field `refused`; the text stays as it is.

    Metrics that treat refusals apart (`refusal_correctness`, `faithfulness`) go by the mark where there is one. A text
    counts as a refusal by `evalharness.is_refusal`, a fixed list of English phrases, or where one of `patterns`, regular
    expressions that ignore case, is found in it: other languages, or the words that a prompt asks for. Stand before
    transforms that take the phrase away.

    >>> transform = Refusal(patterns=("^keine Antwort",))
    >>> transform.mark("Keine Antwort möglich."), transform.mark("In 1931.")
    (True, False)
    """

    name = "refusal"
    marks = "refused"
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' in 'patterns' is no regular expression: {error}") from None

    def mark(self, text: str) -> bool:
        return eh.is_refusal(text) or any(re.search(pattern, text, re.IGNORECASE) for pattern in self.patterns)
