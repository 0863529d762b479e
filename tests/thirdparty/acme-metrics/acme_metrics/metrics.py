"""A metric of the whole corpus, and one of each sample."""

from __future__ import annotations

from typing import Any

import evalharness as eh


class LetterRate(eh.Metric):
    """Occurrences of one letter per hundred characters of all responses, 0 to 100.

    Long responses weigh more than short ones, as in BLEU: the sums of a corpus are divided, not its samples averaged.
    """

    name, better, unit, range = "acme_letter_rate", "higher", "letters/100", (0, 100)
    letter: str = "e"

    def measure(self, response: list[str]) -> dict[str, Any]:
        return {"letters": [text.count(self.letter) for text in response], "characters": [len(text) for text in response]}

    def score(self, letters: Any, characters: Any) -> Any:
        return 100 * letters / characters


@eh.metric(better="higher")
def acme_brevity(response: str, references: list[str], *, slack: float = 1.5) -> float | eh.Unmeasured:
    """Share of responses at most `slack` times as long as the longest reference, 0 to 1."""
    if not references:
        return eh.Unmeasured("no reference")
    return float(len(response) <= slack * max(map(len, references)))
