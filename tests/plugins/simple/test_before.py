"""The metric before: the same metric on what was answered before training, whatever metrics of one batch share."""

from __future__ import annotations

import evalharness as eh
from evalharness.scoring import Chain, measure


def test_what_metrics_share_of_the_responses_is_not_taken_for_those_before() -> None:
    before = eh.load_metric("before", metric=eh.Spec("token_f1"))
    chain = Chain.build([("now", eh.load_metric("token_f1")), ("then", before), ("again", eh.load_metric("token_f1"))])
    columns = {"response": ["yes", "no"], "before_response": ["no", "yes"], "references": [["yes"], ["yes"]]}
    batch = eh.Batch(columns, ["a", "b"])
    found = [measure(entry, batch, failures=[None] * 2, policy="worst", measured={}) for entry in chain.entries]
    assert [next(iter(one.values.values())).tolist() for one in found] == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
