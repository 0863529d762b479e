"""From texts and rows to batches: which tokens count, padding, packing, pairs and tables.

A batch is a mapping of tensors under the names of `evalharness.contract`, and `samples`: for each row the ids of the
samples in it, which messages name. `labels` and `token_weight` stand under the tokens; the first token of a document is
never predicted, so it never counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from evalharness.errors import DataError

IGNORED = -100
Mask = Literal["prompt", "none", "turns"]
SIDES = ("chosen", "rejected", "kl_chosen", "kl_rejected")
AS_MUCH_ATTENTION = 4096  # tokens of a row from which on attention takes more than all else, in small models


class Turn(NamedTuple):
    """What one side of a conversation says; `weight` is how much the tokens count of an answer that the model learns."""

    role: str
    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Example:
    """One document as tokens: `weights[t]` says how much token t counts, 0 where it is masked.

    - `cut`: how many tokens did not fit.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    sample: str
    cut: int = 0


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, the better one first.

    - `kl_chosen`, `kl_rejected`: the prompt with the answers to another one, see `mismatched`.
    - `references`: log-probabilities under the reference model by side, where they are known.
    """

    chosen: Example
    rejected: Example
    kl_chosen: Example | None = None
    kl_rejected: Example | None = None
    references: tuple[tuple[str, float], ...] = ()

    @property
    def sides(self) -> dict[str, Example]:
        """The examples by the name of their side."""
        named = {side: getattr(self, side) for side in SIDES}
        return {side: example for side, example in named.items() if example is not None}


@dataclass(frozen=True)
class Row:
    """One row of a table: a number a feature, and a class (int) or a number (float) to predict."""

    features: tuple[float, ...]
    target: float
    sample: str
    weight: float | None = None


def encode(turns: Sequence[Turn], tokens: Any, mask: Mask, max_length: int, sample: str, *, others: float = 0.0) -> Example:
    """Return a conversation as tokens of a transformers tokenizer.

    - `mask`: "prompt" lets the answer of the last turn count, "turns" every answer of the assistant, "none" every token.
      An answer that counts does so by the weight of its turn.
    - `others`: how much tokens count that are masked.

    With a chat template, an answer counts up to the marks that end its turn; without one, the texts stand side by side
    and the token that ends a text follows each answer. Prompt and answer are put into tokens apart, as in generation.
    What is beyond `max_length` is cut and counted. Raises DataError where nothing that counts is left.
    """
    ids: list[int] = []
    learnt: list[float] = []
    weights: list[float] = []
    for text, weight in _pieces(turns, tokens, mask, sample):
        piece = _tokens_of(text, tokens, first=not ids, ends=weight is not None)
        ids += piece
        counts = float(mask == "none") if weight is None else weight
        learnt += [counts] * len(piece)
        weights += [(counts or others) if weight is None else weight] * len(piece)
    learnt[:1], weights[:1] = [0.0] * len(ids[:1]), [0.0] * len(ids[:1])
    if not any(learnt[:max_length]):
        beyond = len(ids) > max_length and any(learnt)
        too_long = f"only {max_length} of its {len(ids)} tokens fit; raise max_length"
        why = too_long if beyond else "its answer is empty, or weighs 0"
        raise DataError(f"sample '{sample}' has no token that counts (mask: {mask}): {why}")
    return Example(tuple(ids[:max_length]), tuple(weights[:max_length]), sample, max(0, len(ids) - max_length))


def _pieces(turns: Sequence[Turn], tokens: Any, mask: Mask, sample: str) -> Iterator[tuple[str, float | None]]:
    """Yield the texts that a conversation is made of, and the weight of each that is an answer that counts."""
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    each = mask == "turns" or (mask == "none" and any(turn.weight != 1 for turn in turns))
    if not answers or answers[-1] != len(turns) - 1:
        raise DataError(f"sample '{sample}' does not end in a turn of the assistant, so there is nothing to learn from")
    before = ""
    for place in answers if each else answers[-1:]:
        prompt, whole = _rendered(turns[:place], tokens, answer=True), _rendered(turns[: place + 1], tokens, answer=False)
        if not (prompt.startswith(before) and whole.startswith(prompt)):
            raise DataError(
                f"sample '{sample}': the chat template writes a turn otherwise once more turns follow, so that no token of it "
                f"can be told to be an answer (mask: {mask})"
            )
        yield prompt[len(before) :], None
        yield whole[len(prompt) :], turns[place].weight
        before = whole


def _rendered(turns: Sequence[Turn], tokens: Any, *, answer: bool) -> str:
    """Return the turns as the model sees them; with `answer`, up to where its answer begins."""
    if not turns:
        return ""
    if tokens.chat_template is None:
        return "".join(turn.text for turn in turns)
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    text: str = tokens.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)
    return text if answer else text.rstrip()  # what follows the end of a turn is of the next turn


def _tokens_of(text: str, tokens: Any, *, first: bool, ends: bool) -> list[int]:
    plain = tokens.chat_template is None
    ids: list[int] = tokens(text, add_special_tokens=plain and first)["input_ids"] if text else []
    if plain and ids and ids[-1] == tokens.eos_token_id:
        ids = ids[:-1]
    return [*ids, tokens.eos_token_id] if plain and ends and tokens.eos_token_id is not None else ids


@dataclass(frozen=True)
class TokenCollator:
    """Makes batches of examples: one a row, padded at the right with `pad`, or several a row with `packing`.

    Packed rows are about equally long, and as many as let the least be computed. Positions start anew with each document, by
    which the models of the transformers library (checked with 5.23, attention `sdpa` and `eager`) keep its attention to
    itself; `document_ids` number the documents of a row. What fills a row is one more document of which nothing counts.

    >>> a, b = Example((1, 2, 3, 4), (0, 0, 1, 1), "a"), Example((5, 6), (0, 1), "b")
    >>> batch = TokenCollator(pad=0)([a, b])
    >>> batch["labels"].tolist(), batch["samples"]
    ([[-100, -100, 3, 4], [-100, 6, -100, -100]], (('a',), ('b',)))
    >>> packed = TokenCollator(pad=0, packing=True)([a, b, b])
    >>> packed["input_ids"].tolist(), packed["position_ids"].tolist()
    ([[1, 2, 3, 4], [5, 6, 5, 6]], [[0, 1, 2, 3], [0, 1, 0, 1]])
    """

    pad: int
    packing: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return the batch of these examples."""
        import torch

        rows = _packed(examples) if self.packing else [[example] for example in examples]
        width = max(sum(len(example.ids) for example in row) for row in rows)

        def filled(of: Callable[[Example, int], Sequence[float]], fill: Callable[[int, int], Sequence[float]]) -> list[Any]:
            lines = []
            for row in rows:
                line = [value for place, example in enumerate(row) for value in of(example, place)]
                lines.append([*line, *fill(width - len(line), len(row))])
            return lines

        batch: dict[str, Any] = {
            "input_ids": torch.tensor(filled(lambda one, _: one.ids, lambda free, _: [self.pad] * free)),
            "attention_mask": torch.tensor(filled(lambda one, _: [1] * len(one.ids), lambda free, _: [0] * free)),
            "labels": torch.tensor(filled(lambda one, _: _labels(one), lambda free, _: [IGNORED] * free)),
            "token_weight": torch.tensor(
                filled(lambda one, _: (0.0, *one.weights[1:]), lambda free, _: [0.0] * free), dtype=torch.float32
            ),
        }
        if self.packing:
            batch["position_ids"] = torch.tensor(filled(lambda one, _: range(len(one.ids)), lambda free, _: range(free)))
            batch["document_ids"] = torch.tensor(
                filled(lambda one, place: [place] * len(one.ids), lambda free, documents: [documents] * free)
            )
        return {**batch, "samples": tuple(tuple(example.sample for example in row) for row in rows)}


def _labels(example: Example) -> list[int]:
    labels = [token if weight > 0 else IGNORED for token, weight in zip(example.ids, example.weights, strict=True)]
    return [IGNORED, *labels[1:]]


def _packed(examples: Sequence[Example]) -> list[list[Example]]:
    """Return rows of about equal length, as many as let the least be computed."""
    return min((_spread(examples, rows) for rows in range(1, len(examples) + 1)), key=_cost)


def _spread(examples: Sequence[Example], number: int) -> list[list[Example]]:
    """Return so many rows: each example goes into the shortest one, long ones first."""
    rows: list[list[Example]] = [[] for _ in range(number)]
    lengths = [0] * number
    for example in sorted(examples, key=lambda example: -len(example.ids)):
        place = lengths.index(min(lengths))
        rows[place].append(example)
        lengths[place] += len(example.ids)
    return rows


def _cost(rows: Sequence[Sequence[Example]]) -> float:
    """Return what rows take: the places to compute on, and the attention between them, which grows with the length."""
    width = max(sum(len(example.ids) for example in row) for row in rows)
    return len(rows) * width * (1 + width / AS_MUCH_ATTENTION)


@dataclass(frozen=True)
class PairCollator:
    """Makes batches of pairs: a block of rows for each side, all chosen ones first; `sides` names the blocks.

    Log-probabilities under the reference model, where every pair has them, come as `ref_chosen_logps` and so on.
    """

    pad: int

    def __call__(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return the batch of these pairs."""
        import torch

        sides = tuple(pairs[0].sides)
        batch = TokenCollator(self.pad)([pair.sides[side] for side in sides for pair in pairs])
        known = [dict(pair.references) for pair in pairs]
        references = {
            f"ref_{side}_logps": torch.tensor([values[side] for values in known], dtype=torch.float32)
            for side in sides
            if all(side in values for values in known)
        }
        return {**batch, **references, "sides": sides}


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs, each with the answers of the next one (of the first one for the last) under its own prompt.

    >>> one = Pair(Example((1, 2, 3), (0, 0, 1), "a"), Example((1, 2, 4), (0, 0, 1), "a"))
    >>> two = Pair(Example((5, 6), (0, 1), "b"), Example((5, 7), (0, 1), "b"))
    >>> [(pair.kl_chosen.ids, pair.kl_rejected.ids) for pair in mismatched([one, two])]
    [((1, 2, 6), (1, 2, 7)), ((5, 3), (5, 4))]
    """
    return [
        replace(pair, kl_chosen=_answered(pair.chosen, other.chosen), kl_rejected=_answered(pair.rejected, other.rejected))
        for pair, other in zip(pairs, [*pairs[1:], *pairs[:1]], strict=True)
    ]


def _answered(example: Example, other: Example) -> Example:
    """Return the prompt of one example with the answer of another."""
    prompt, answer = (next(place for place, weight in enumerate(one.weights) if weight > 0) for one in (example, other))
    ids, weights = example.ids[:prompt] + other.ids[answer:], example.weights[:prompt] + other.weights[answer:]
    return Example(ids, weights, example.sample)


@dataclass(frozen=True)
class TableCollator:
    """Makes batches of rows: `features` (rows, columns) float32, `target` (rows,) int64 for classes or float32.

    >>> batch = TableCollator()([Row((0.5, 1.0), 2, "a"), Row((1.5, 2.0), 0, "b")])
    >>> batch["target"].tolist(), batch["features"].shape
    ([2, 0], torch.Size([2, 2]))
    """

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return the batch of these rows."""
        import torch

        classes = all(isinstance(row.target, int) for row in rows)
        batch: dict[str, Any] = {
            "features": torch.tensor([row.features for row in rows], dtype=torch.float32),
            "target": torch.tensor([row.target for row in rows], dtype=torch.int64 if classes else torch.float32),
        }
        weights = [row.weight for row in rows if row.weight is not None]
        if len(weights) == len(rows):
            batch["sample_weight"] = torch.tensor(weights, dtype=torch.float32)
        return {**batch, "samples": tuple((row.sample,) for row in rows)}
