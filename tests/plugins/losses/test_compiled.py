"""Losses of every family but the routed ones compile as one graph, to the same value and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evalharness_losses import distillation, preference, retriever, sequence

import evalharness as eh
from evalharness.testing.tensors import DIFFERENTIATED, default_tensors

# How many numbers torch's own CTC returns depends on the labels, which a graph cannot hold.
NOT_ONE_GRAPH = {"ctc"}
LOSSES = {loss.name: loss for family in (preference, distillation, retriever, sequence) for loss in family.LOSSES}
ONE_OF_A_FAMILY = {"huber", "cauchy", "cross_entropy", "hinge"}  # of those that are declared alike


@pytest.mark.parametrize("name", sorted(set(LOSSES) - NOT_ONE_GRAPH | ONE_OF_A_FAMILY))
def test_a_compiled_loss_is_the_same(name: str, same: Any) -> None:
    loss = eh.load_loss(name)
    tensors = {**(loss.example_tensors() or default_tensors(tuple(loss.accepts)))}
    fixed = {key: value for key, value in tensors.items() if key not in DIFFERENTIATED}
    loss(**tensors)  # once before, so that what is computed once is
    torch._dynamo.reset()
    compiled = torch.compile(loss.__call__, fullgraph=True, backend="aot_eager")
    moving = {key: value for key, value in tensors.items() if key in DIFFERENTIATED}
    same(lambda **given: compiled(**given, **fixed), lambda **given: loss(**given, **fixed), moving)
