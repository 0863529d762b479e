"""Attention of rows of any length in one pass, without padding, over branches that several of them share.

The tokens of a pass stand one after the other in one packed row: first one token of each row that generates, then the branches
and prompts that enter. Everything but attention treats tokens one by one and need not know. Attention looks at the keys and
values of a branch once for all rows on it (a product of two matrices, in place of a product of vectors for each row), at a
row's own ones by itself, and adds up the two by the mass of their softmax. So a shared prefix is neither run nor copied nor
read once for each row.

A row's own keys and values have a place in a pool from the start, so that nothing is copied when they grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evalharness_hf.continuation import Row
from evalharness_hf.network import inputs_device
from evalharness_hf.sharing import Branch, path

NAME = "evalharness_cascade"
SMALLEST = 64  # tokens of a place
ADDED = ("softcap", "s_aux", "position_bias")  # what the attention of some models has, and this one not


class Unsupported(Exception):
    """The attention of a model does something that this one does not."""


class Pool:
    """Places of one size for the keys and values of rows, of which the first ones are taken."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: list[Row] = []
        self.layers: dict[int, list[Any]] = {}

    def remove(self, row: Row) -> None:
        """Free the place of a row; the last one moves there."""
        place, last = self.rows.index(row), self.rows.pop()
        if last is not row:
            self.rows[place] = last
            for kept in (each for layer in self.layers.values() for each in layer):
                kept[place, :, : len(last.own)] = kept[len(self.rows), :, : len(last.own)]

    def layer(self, number: int, keys: Any, values: Any) -> list[Any]:
        """Return the keys and values of a layer, (places, heads, size, width), with a place for each row."""
        known = self.layers.get(number)
        if known is None or len(known[0]) < len(self.rows):
            places = max(len(self.rows), len(known[0]) * 3 // 2 if known else 0)
            made = [like.new_zeros(places, len(like), self.size, like.shape[-1]) for like in (keys, values)]
            for old, new in zip(known or (), made, strict=False):
                new[: len(old)] = old
            self.layers[number] = known = made
        return known


@dataclass(frozen=True)
class Steady:
    """Rows of a pool with one token each in a pass, how many they hold, and what they do not see of their places."""

    pool: Pool
    span: slice
    lengths: Any
    width: int
    unseen: Any


@dataclass(frozen=True)
class Run:
    """Tokens of a branch or a row that run together, after those of some branches; `seen` is the mask, None for a plain one."""

    owner: Branch | Row
    span: slice
    before: list[Branch]
    seen: Any


class Pass:
    """What runs together: `ids` at `positions` of their texts; `wanted` is where the logits stand that `rows` go on from."""

    def __init__(self, memory: Cascade) -> None:
        self.memory = memory
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.rows: list[Row] = []
        self.wanted: list[int] = []
        self.steady: list[Steady] = []
        self.looks: list[tuple[Branch, Any]] = []
        self.runs: list[Run] = []

    def add_steady(self, pool: Pool) -> None:
        """Add the newest token of each row of a pool."""
        import torch

        first, device = len(self.ids), self.memory.device
        self.ids += [row.own[-1] for row in pool.rows]
        self.positions += [row.start + len(row.own) - 1 for row in pool.rows]
        self.rows += pool.rows
        self.wanted = list(range(len(self.ids)))
        lengths = torch.tensor([len(row.own) - 1 for row in pool.rows], device=device)
        width = max(len(row.own) for row in pool.rows)
        unseen = (torch.arange(width, device=device) > lengths[:, None])[:, None, None]
        self.steady.append(Steady(pool, slice(first, len(self.ids)), lengths, width, unseen))

    def add_looks(self) -> None:
        """Note which of the rows so far look at which branch."""
        import torch

        found: dict[Branch, list[int]] = {}
        for number, row in enumerate(self.rows):
            for branch in path(row.branch):
                found.setdefault(branch, []).append(number)
        self.looks = [(branch, torch.tensor(rows, device=self.memory.device)) for branch, rows in found.items()]

    def add_run(self, owner: Branch | Row, ids: Sequence[int], start: int, before: list[Branch]) -> None:
        """Add tokens that run together, of which the first stands at `start` of its text, after those of some branches."""
        import torch

        first = len(self.ids)
        self.ids.extend(ids)
        self.positions.extend(range(start, start + len(ids)))
        seen = None
        if before:
            seen = torch.ones(len(ids), start + len(ids), dtype=torch.bool, device=self.memory.device).tril(start)
        self.runs.append(Run(owner, slice(first, len(self.ids)), before, seen if seen is None else seen[None, None]))


class Cascade:
    """Keys and values of the branches and rows that a model works on."""

    def __init__(self, model: Any) -> None:
        self.model, self.device = model, inputs_device(model)
        self.branches: dict[Branch, dict[int, tuple[Any, Any]]] = {}
        self._pools: dict[int, Pool] = {}

    def put(self, branch: Branch, cache: Any) -> None:
        """Add a branch that ran before; `cache` holds it for one row."""
        self.branches[branch] = {number: (layer.keys[0], layer.values[0]) for number, layer in enumerate(cache.layers)}

    def drop(self, branches: Sequence[Branch], rows: Sequence[Row]) -> None:
        """Forget what is not needed any more."""
        for branch in branches:
            del self.branches[branch]
        for row in rows:
            self._pool(row).remove(row)
        self._pools = {size: pool for size, pool in self._pools.items() if pool.rows}

    def _pool(self, row: Row) -> Pool:
        size = max(SMALLEST, 1 << (row.most - 1).bit_length())
        size = size * 3 // 4 if size > SMALLEST and row.most <= size * 3 // 4 else size
        return self._pools.setdefault(size, Pool(size))

    def forward(self, branches: Sequence[Branch], entering: Sequence[Row]) -> tuple[list[Row], Any]:
        """Run what enters and the newest token of each row that has entered before; return all rows and their next logits."""
        import torch

        step = Pass(self)
        runs = [row for row in entering if len(row.own) > 1]
        for row in entering:
            if len(row.own) == 1:
                self._pool(row).rows.append(row)
        for _, pool in sorted(self._pools.items()):
            if pool.rows:
                step.add_steady(pool)
        step.add_looks()
        for branch in branches:
            self.branches[branch] = {}
            step.add_run(branch, branch.ids, branch.start, path(branch.parent))
        for row in runs:
            self._pool(row).rows.append(row)
            step.add_run(row, row.own, row.start, path(row.branch))
            step.rows.append(row)
            step.wanted.append(len(step.ids) - 1)
        ids, positions, wanted = (torch.tensor(each, device=self.device) for each in (step.ids, step.positions, step.wanted))
        out = self.model(
            input_ids=ids[None], position_ids=positions[None], use_cache=False, logits_to_keep=wanted, cascade=step
        )  # fmt: skip
        return step.rows, out.logits[0]

    def keep(self, run: Run, layer: int, keys: Any, values: Any) -> None:
        """Keep the keys and values of a run, (heads, tokens, width)."""
        if isinstance(run.owner, Branch):
            self.branches[run.owner][layer] = (keys, values)
            return
        pool = self._pool(run.owner)
        place = pool.rows.index(run.owner)
        for kept, new in zip(pool.layer(layer, keys, values), (keys, values), strict=True):
            kept[place, :, : new.shape[1]] = new


def attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *, scaling: float, cascade: Pass, **more: Any
) -> tuple[Any, None]:
    """Return what each token of a pass attends to, (1, tokens, heads, width): an attention function of transformers."""
    added = [name for name in ADDED if more.get(name) is not None] + ["a mask of its own"] * (attention_mask is not None)
    if added:
        raise Unsupported(f"the attention of {type(module).__name__} has {' and '.join(added)}")
    layer, query, key, value = module.layer_idx, query[0], key[0], value[0]
    out = query.new_empty(query.shape[1], len(query), value.shape[-1])
    for run in cascade.runs:
        out[run.span] = _run(module, run, cascade.memory, query[:, run.span], key[:, run.span], value[:, run.span], scaling)
    if cascade.steady:
        count = cascade.steady[-1].span.stop
        out[:count] = _steady(layer, cascade, query[:, :count], key[:, :count], value[:, :count], scaling)
    return out[None], None


def _run(module: Any, run: Run, memory: Cascade, query: Any, key: Any, value: Any, scaling: float) -> Any:
    """Attention of tokens that run together, to those before them and among themselves."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    memory.keep(run, module.layer_idx, key, value)
    if run.before:
        known = [memory.branches[branch][module.layer_idx] for branch in run.before]
        key = torch.cat([*(keys for keys, _ in known), key], dim=1)
        value = torch.cat([*(values for _, values in known), value], dim=1)
    seen = None if run.seen is None else run.seen.to(query.device)  # layers may stand on several devices
    return sdpa_attention_forward(module, query[None], key[None], value[None], seen, scaling=scaling)[0][0]


def _steady(layer: int, step: Pass, query: Any, key: Any, value: Any, scaling: float) -> Any:
    """Attention of one token of each row, (rows, heads, width): to the row's own tokens, and to each branch on its path."""
    import torch

    heads, count, _ = key.shape
    query = (
        query.view(heads, -1, count, query.shape[-1]).permute(2, 0, 1, 3) * scaling
    )  # (rows, heads of keys, queries of each, …)
    key, value = key.transpose(0, 1), value.transpose(0, 1)
    own = [_own(layer, each, query[each.span], key[each.span], value[each.span]) for each in step.steady]
    sums, most, mass = (torch.cat(part) for part in zip(*own, strict=True))
    for branch, rows in step.looks:
        keys, values = step.memory.branches[branch][layer]
        rows = rows.to(query.device)
        asked = query[rows].transpose(0, 1)
        scores = torch.bmm(asked.reshape(heads, -1, asked.shape[-1]), keys.transpose(1, 2)).float()
        top = scores.amax(-1, keepdim=True)
        weights = scores.sub_(top).exp_()
        found = torch.bmm(weights.to(values.dtype), values).float()
        found, top, total = (
            each.view(heads, len(rows), -1, each.shape[-1]).transpose(0, 1)
            for each in (found, top, weights.sum(-1, keepdim=True))
        )
        highest = torch.maximum(most[rows], top)
        mine, theirs = (most[rows] - highest).exp_(), (top - highest).exp_()
        sums[rows] = sums[rows] * mine + found * theirs
        mass[rows] = mass[rows] * mine + total * theirs
        most[rows] = highest
    return (sums / mass).reshape(count, -1, value.shape[-1])


def _own(layer: int, rows: Steady, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """Attention of rows to what they hold themselves: weighted values, the highest score, and the mass of the weights."""
    import torch

    keys, values = rows.pool.layer(layer, key.transpose(0, 1), value.transpose(0, 1))
    places = torch.arange(len(query), device=key.device)
    for kept, new in ((keys, key), (values, value)):
        kept[places, :, rows.lengths.to(key.device)] = new
    scores = torch.matmul(query, keys[: len(query), :, : rows.width].transpose(2, 3)).float()
    scores = scores.masked_fill_(rows.unseen.to(key.device), -torch.inf)
    top = scores.amax(-1, keepdim=True)
    weights = scores.sub_(top).exp_()
    sums = torch.matmul(weights.to(value.dtype), values[: len(query), :, : rows.width]).float()
    return sums, top, weights.sum(-1, keepdim=True)


@contextmanager
def attending(model: Any) -> Iterator[None]:
    """Have a model attend as this module does; raises Unsupported where its attention is not to be replaced."""
    from transformers import AttentionInterface

    if not model.is_backend_compatible():
        raise Unsupported(f"{type(model).__name__} has an attention of its own, or none")
    AttentionInterface.register(NAME, attend)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
