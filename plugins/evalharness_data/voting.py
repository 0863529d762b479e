"""A transform over all repeats of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import evalharness as eh


class MajorityVote(eh.Transform):
    """Replaces each repeat of a sample by the text that most of them give (self-consistency).

    Put what extracts the answer before it. Of texts that are equally frequent it is the one that occurs first, which the
    order of the repeats decides; the metric `majority_vote` gives each an equal part instead.

    >>> MajorityVote().apply_repeats(["4", "5", "5"])
    ['5', '5', '5']
    """

    name = "majority_vote"

    def apply_repeats(self, texts: Sequence[str]) -> list[str]:
        return [Counter(texts).most_common(1)[0][0]] * len(texts)
