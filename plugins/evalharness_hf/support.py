"""What the attention of a model can take, found by trying it once: a few tokens run in each way must give the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from evalharness_hf import prefix
from evalharness_hf.cascade import Cascade, attending
from evalharness_hf.continuation import Row
from evalharness_hf.memory import ran_out
from evalharness_hf.network import inputs_device
from evalharness_hf.packed import tree_logits
from evalharness_hf.padded import Batch
from evalharness_hf.scored import Scored
from evalharness_hf.sharing import Branch
from evalharness_hf.tree import tree_of

# How far apart log-probabilities may be that are the same but for rounding. Of SmolLM2 they are at most 6e-5, 0.07 and 0.5
# apart in these numbers; where the mask of a tree is not heeded, 9.7.
CLOSE = {"torch.float32": 1e-3, "torch.float16": 0.5, "torch.bfloat16": 2.0}
WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "keep_window_size")
LONGEST = 200  # characters of what a model says for itself
_REFUSED: WeakKeyDictionary[Any, dict[Callable[[Any], float], str]] = WeakKeyDictionary()
_REMARKS: WeakKeyDictionary[Any, dict[str, None]] = WeakKeyDictionary()


def reuses(model: Any, size: int) -> bool:
    """Whether rows of up to `size` tokens may be continued from keys and values that `prefix.of` keeps."""
    limit = steady(model)
    return not _refusal(model, _reuse_difference) and (limit is None or size <= limit)


def takes_tree(model: Any, size: int) -> bool:
    """Whether a tree and the prefix before it, `size` tokens together, run as they should; where not, `remarks` says why."""
    why, which = _refusal(model, _tree_difference), ""
    if not why and (limits := _limits(model, size)):
        limit, reason = min(limits)
        why, which = f"{reason} {limit} tokens", f" that make trees of more than {limit} tokens"
    if why:
        way = "kept prefixes" if reuses(model, size) else "plain batches"
        more = f"; continuing kept prefixes: {refused}" if (refused := _refusal(model, _reuse_difference)) else ""
        remark = f"sequences{which} were scored with {way} in place of prefix trees, which takes longer: {why}{more}"
        _REMARKS.setdefault(model, {})[remark] = None
    return not why


def takes_cascade(model: Any, size: int) -> bool:
    """Whether a prompt that comes to `size` tokens is continued as it should in passes without padding.

    Where not, `remarks` says why.
    """
    why, which = _refusal(model, _cascade_difference), ""
    if not why and (limits := _limits(model, size)):
        limit, reason = min(limits)
        why, which = f"{reason} {limit} tokens", f" that come to more than {limit} tokens"
    if why:
        remark = f"prompts{which} were continued without running once what they begin with alike, which takes longer: {why}"
        _REMARKS.setdefault(model, {})[remark] = None
    return not why


def takes_padding(model: Any) -> bool:
    """Whether prompts of any length are continued as they should in one batch, padded at the left, with what it keeps of them.

    Where not, `remarks` says why.
    """
    why = _refusal(model, _padding_difference)
    if why:
        remark = f"prompts were continued one by one, each as a whole again for every token, which takes much longer: {why}"
        _REMARKS.setdefault(model, {})[remark] = None
    return not why


def _limits(model: Any, size: int) -> list[tuple[int, str]]:
    """Return the lengths below `size` from which on a model treats tokens otherwise, and how."""
    reaches = {"attention reaches back": _window(model), "positions are scaled otherwise beyond": steady(model)}
    return [(limit, why) for why, limit in reaches.items() if limit is not None and limit < size]


def remarks(model: Any) -> list[str]:
    """Return in which other way than the fastest a model answered what it was asked, and why; nothing where it did not."""
    return list(_REMARKS.get(model, ()))


def _window(model: Any) -> int | None:
    """Return the reach of attention that sees no further back, None where it sees all."""
    config = model.config.get_text_config()
    sizes = (getattr(config, name, None) for name in WINDOWS)
    return min((size for size in sizes if isinstance(size, int) and size > 0), default=None)  # some write 0 for none


def steady(model: Any) -> int | None:
    """Return up to which length a token's rotary position is the same in every sequence, None where it always is."""
    config = model.config.get_text_config()
    scaling = getattr(config, "rope_parameters", None) or {}
    kinds = [each for each in scaling.values() if isinstance(each, dict)] or [scaling]
    lengths = [
        each.get("original_max_position_embeddings") or config.max_position_embeddings
        for each in kinds
        if each.get("rope_type") in ("dynamic", "longrope")
    ]
    return min(lengths, default=None)


def _refusal(model: Any, difference: Callable[[Any], float]) -> str:
    """Return why a model cannot run in a way, "" where it can; tried once for each loaded model."""
    known = _REFUSED.setdefault(model, {})
    if difference not in known:
        try:
            off = difference(model)
        except Exception as error:  # models refuse in many ways
            if ran_out(error):
                raise
            known[difference] = _brief(error)
        else:
            same = off <= CLOSE.get(str(model.dtype), 0.0)
            known[difference] = "" if same else f"log-probabilities differed by {off:.2g}"
    return known[difference]


def _brief(error: Exception) -> str:
    """Return the first line of an error, which stands in a record; some models print themselves in theirs."""
    line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {line if len(line) <= LONGEST else line[:LONGEST] + ' …'}"


def _reuse_difference(model: Any) -> float:
    """Return how far two rows continued from a kept prefix are from the same rows run whole."""
    import torch

    head, tails = _tokens(model, 0, 6), [_tokens(model, 50, 4), _tokens(model, 90, 4)]
    with torch.inference_mode():
        cache = prefix.joined(_states(model, head), rows=2)
        continued = model(
            input_ids=torch.tensor(tails, device=inputs_device(model)), past_key_values=cache, use_cache=True
        ).logits
        return _apart(_whole(model, [head + tail for tail in tails])[:, 6:], continued)


def _tree_difference(model: Any) -> float:
    """Return how far three branches that run as a tree after a prefix are from the same rows run whole."""
    import torch

    head, stem = _tokens(model, 0, 6), _tokens(model, 30, 2)
    tails = [[*stem, *_tokens(model, 50, 2)], [*stem, *_tokens(model, 70, 2)], _tokens(model, 90, 4)]
    rows = sorted(head + tail for tail in tails)
    tree = tree_of([Scored([*row, 0], 7) for row in rows], 6)
    with torch.inference_mode():
        nodes = tree_logits(model, tree, range(len(tree.tokens)), prefix.joined(_states(model, head)), 6)
        return _apart(_whole(model, rows)[:, 6:], torch.stack([nodes[places] for places in tree.places]))


def _cascade_difference(model: Any) -> float:
    """Return how far rows on a branch, which go on while another enters, are from the same rows run whole."""
    import torch

    branch = Branch(None, 0, _tokens(model, 0, 6))
    texts = [[*branch.ids, *_tokens(model, 50, 4)], [*branch.ids, *_tokens(model, 60, 2)], _tokens(model, 70, 5)]
    rows = [Row(text[:-1], 1) for text in texts]
    for row in rows[:2]:
        row.branch, row.own = branch, row.own[branch.end :]
    memory, off = Cascade(model), 0.0
    with torch.inference_mode():
        whole = [_whole(model, [text])[0] for text in texts]
    with torch.inference_mode(), attending(model):
        for branches, entering in (([branch], rows[:2]), ([], rows[2:])):
            for row, found in zip(*memory.forward(branches, entering), strict=True):
                off = max(off, _apart(whole[rows.index(row)][row.start + len(row.own) - 1], found))
            for row, text in zip(rows, texts, strict=True):
                row.own.append(text[-1])
    return off


def _padding_difference(model: Any) -> float:
    """Return how far prompts in one batch, which one of them leaves, are from the same prompts run whole."""
    import torch

    texts = [_tokens(model, 70, 3), _tokens(model, 0, 9), _tokens(model, 50, 6)]
    batch, off = Batch(model, [text[:-1] for text in texts]), 0.0
    with torch.inference_mode():
        whole = [_whole(model, [text])[0] for text in texts]
        for text, expected, found in zip(texts, whole, batch.logits, strict=True):
            off = max(off, _apart(expected[len(text) - 2], found))
        batch.go_on([1, 2], [text[-1] for text in texts[1:]])
        return max([off, *(_apart(expected[-1], found) for expected, found in zip(whole[1:], batch.logits, strict=True))])


def _states(model: Any, head: Sequence[int]) -> list[prefix.State]:
    first = prefix.extended(model, prefix.joined([]), head[:3])
    return [first, prefix.extended(model, prefix.joined([first]), head[3:])]


def _whole(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    import torch

    return model(input_ids=torch.tensor([list(row) for row in rows], device=inputs_device(model)), use_cache=False).logits


def _apart(one: Any, other: Any) -> float:
    return float((one.float().log_softmax(-1) - other.float().log_softmax(-1)).abs().max())


def _tokens(model: Any, first: int, count: int) -> list[int]:
    vocabulary = model.config.get_text_config().vocab_size
    return [(first + number) * 7919 % vocabulary for number in range(count)]
