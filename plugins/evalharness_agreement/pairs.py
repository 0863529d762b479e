"""How often two raters of a sample say the same, without regard to chance."""

from __future__ import annotations

from typing import Any

import evalharness as eh
from evalharness_agreement.reading import FEW, LEAST, read


@eh.metric(
    better="higher",
    family="agreement",
    formula="mean over samples of agreeing pairs of ratings / pairs of ratings",
    cite="Holsti, Content analysis for the social sciences and humanities, 1969",
    reference="closed form",
)
def percent_agreement(ratings: list[Any]) -> float | eh.Unmeasured:
    """Share of pairs of raters who gave a sample the same label, averaged over samples, 0 to 1.

    `ratings` is a list a sample, None where a rater gave none; one with fewer than two is unmeasured. Numbers are labels
    like others: 1, 1.0 and "1" are one. It is 1/2 for two labels drawn by chance, so see `krippendorff_alpha`.

    >>> percent_agreement().evaluate(ratings=[["yes", "yes", "no"], [1, 1.0]]).samples["percent_agreement"]
    [0.3333333333333333, 1.0]
    """
    found = read(ratings, numeric=False)
    if isinstance(found, str):
        return eh.Unmeasured(found)
    labels = [rating for rating in found if rating is not None]
    if len(labels) < LEAST:
        return eh.Unmeasured(FEW)
    agreeing = sum(labels.count(each) - 1 for each in labels)
    return agreeing / (len(labels) * (len(labels) - 1))
