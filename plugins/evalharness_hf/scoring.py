"""Log-likelihoods of given tokens, each token that rows begin with alike run once: the entry of `Choose` and `Likelihood`.

`python -m benchmarks.choices` holds it against lm-evaluation-harness 0.4.13, SmolLM2-135M on two cores, four choices a
question: 39.8 times as fast with five examples before each of 200 questions, 4.3 times with none, 6.9 times for 25 questions
on five passages of 600 tokens. Nine tenths of what is left are the network's matrix products and attention.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalharness_hf import plain, prefix, support
from evalharness_hf.packed import continued_logprobs, tree_logprobs
from evalharness_hf.plain import LOGITS_AT_ONCE
from evalharness_hf.scored import Scored
from evalharness_hf.tree import groups, packs, tree_of

NODES = 768  # in one forward pass: attention costs the square of it, and fewer use the processor less well


@dataclass(frozen=True)
class Found:
    """The natural-log likelihoods of a row's scored tokens, and how many tokens ran for it that had not run before."""

    logprobs: list[float]
    run: int


def token_logprobs(model: Any, rows: Sequence[Scored], budget: int) -> list[list[float]]:
    """Return the natural-log likelihood of each scored token of each row, from a log-softmax in float32."""
    return [found.logprobs for found in scored(model, rows, budget)]


def scored(model: Any, rows: Sequence[Scored], budget: int) -> list[Found]:
    """Return what is found for each row, a function of the set of rows and the budget.

    Rows that share tokens run in trees where the model's attention takes a mask, else in batches that continue the prefix
    that they share; all others in plain batches, of at most `budget` padded tokens.
    """
    at_once = LOGITS_AT_ONCE // model.config.get_text_config().vocab_size
    most = max(1, min(NODES, budget, at_once))
    found: dict[int, Found] = {}
    rest: list[int] = []
    for pack in packs(rows, most, prefix.BLOCK):
        members = [rows[number] for number in pack.rows]
        if pack.shares and pack.nodes <= most and support.takes_tree(model, pack.prefix + pack.nodes):
            found.update(zip(pack.rows, _in_tree(model, members, pack.prefix), strict=True))
        else:
            rest += pack.rows
    found.update(zip(rest, _in_batches(model, [rows[number] for number in rest], budget, at_once), strict=True))
    return [found[number] for number in range(len(rows))]


def _in_tree(model: Any, rows: Sequence[Scored], shared: int) -> list[Found]:
    head, tree = prefix.of(model, rows[0].ids[:shared]), tree_of(rows, shared)
    values = tree_logprobs(model, tree, [row.ids[row.start :] for row in rows], head.cache, head.length)
    return list(map(Found, values, _with_first(head.run, tree.added)))


def _in_batches(model: Any, rows: Sequence[Scored], budget: int, at_once: int) -> list[Found]:
    found: dict[int, Found] = {}
    alone: list[int] = []
    for group in groups(rows, budget, at_once, prefix.BLOCK):
        members = [rows[number] for number in group.rows]
        if group.prefix and support.reuses(model, max(len(row.ids) for row in members)):
            head = prefix.of(model, members[0].ids[: group.prefix], len(members))
            values = continued_logprobs(model, members, head.cache, head.length)
            run = _with_first(head.run, [len(row.ids) - 1 - head.length for row in members])
            found.update(zip(group.rows, map(Found, values, run), strict=True))
        else:
            alone += group.rows
    limit = support.steady(model) or sys.maxsize
    for part in ([n for n in alone if len(rows[n].ids) <= limit], [n for n in alone if len(rows[n].ids) > limit]):
        apart = plain.token_logprobs(model, [rows[number] for number in part], budget)
        found.update((number, Found(values, len(rows[number].ids) - 1)) for number, values in zip(part, apart, strict=True))
    return [found[number] for number in range(len(rows))]


def _with_first(more: int, counts: Sequence[int]) -> list[int]:
    return [counts[0] + more, *counts[1:]]
