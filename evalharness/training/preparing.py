"""From the samples of the training part to what is trained on: texts as tokens, pairs of answers, rows of a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.contract import Loss, Message, Prompt, Sample
from evalharness.data import SampleReader, read_samples
from evalharness.errors import DataError, EvalharnessError
from evalharness.task import Prompter, TrainingTask
from evalharness.training.collating import (
    Example,
    Mask,
    Pair,
    PairCollator,
    Row,
    TableCollator,
    TokenCollator,
    Turn,
    encode,
    mismatched,
)
from evalharness.training.planting import planted

PAIRED = ("chosen_logps", "rejected_logps", "chosen_score", "rejected_score", "logps")
MISMATCHED = ("kl_logps", "ref_kl_logps")


@dataclass(frozen=True)
class TrainingData:
    """What an arm is trained on, and how it comes in batches.

    - `columns`, `classes`: of a table, the number of features, and of classes, 0 where the target is a number.
    - `left_out`: why samples are not trained on, by id; `cut`: how many examples are longer than `max_length`.
    """

    examples: Sequence[Any]
    collator: Callable[[Sequence[Any]], dict[str, Any]]
    columns: int = 0
    classes: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


def training_samples(task: TrainingTask, *, limit: int | None = None) -> SampleReader:
    """Return the reader of the training part; its samples form no groups."""
    return read_samples(dataclasses.replace(task, dataset=task.train, group=None), limit=limit)


def table_data(task: TrainingTask, samples: Sequence[Sample], seed: int) -> TrainingData:
    """Return the rows of a table, with the faults that the task plants; raises DataError that names a row which is none."""
    rows = [_row(sample) for sample in samples]
    columns = {len(row.features) for row in rows}
    if len(columns) > 1:
        raise DataError(f"the samples of a table must have equally many 'features'; there are {min(columns)} and {max(columns)}")
    numbers = sorted({row.target for row in rows})
    classes = all(isinstance(number, int) for number in numbers)
    if classes and len(numbers) < 2:
        raise DataError(f"every 'target' of the {len(rows):,} training samples is {numbers[0]}; there is nothing to tell apart")
    kept = planted(rows, task.plant, seed)
    return TrainingData(kept, TableCollator(), columns.pop(), int(max(numbers)) + 1 if classes else 0)


def _row(sample: Sample) -> Row:
    features, target = sample.fields.get("features"), sample.fields.get("target")
    if not isinstance(features, list) or not features or not all(type(value) in (int, float) for value in features):
        raise DataError(f"sample '{sample.id}' of the training part needs 'features', a list of numbers")
    if type(target) not in (int, float) or (isinstance(target, int) and target < 0):
        raise DataError(f"sample '{sample.id}' of the training part needs 'target', a number, or a class counted from 0")
    return Row(tuple(map(float, features)), target, sample.id)  # type: ignore[arg-type]


def text_data(task: TrainingTask, loss: Loss, tokenizer: Any, samples: Sequence[Sample]) -> TrainingData:
    """Return texts as tokens; a sample that cannot be trained on is left out and told, and DataError raised where all are."""
    reader = Texts(task, loss, tokenizer)
    examples: list[Any] = []
    left_out: dict[str, str] = {}
    for sample in samples:
        try:
            examples += reader.examples(sample)
        except EvalharnessError as error:
            left_out[sample.id] = str(error)
    if not examples:
        raise DataError(
            f"none of the {len(samples):,} training samples can be trained on; the first: {next(iter(left_out.values()))}"
        )
    cut = sum(example.cut > 0 for example in examples for example in _sides(example))
    if not reader.paired:
        collator = TokenCollator(reader.pad, task.trainer.packing)
        return TrainingData(examples, collator, left_out=left_out, cut=cut)
    if any(name in loss_reads(loss) for name in MISMATCHED):
        examples = mismatched(examples)
    return TrainingData(examples, PairCollator(reader.pad), left_out=left_out, cut=cut)


def _sides(example: Any) -> Sequence[Example]:
    return list(example.sides.values()) if isinstance(example, Pair) else [example]


def loss_reads(loss: Loss) -> Mapping[str, bool]:
    """Return the tensors that any component of a loss reads, and whether one of them must have it."""
    found: dict[str, bool] = {}
    for component in loss.components.values():
        for name, needed in component.accepts.items():
            found[name] = found.get(name, False) or needed
    return found


def _turn(given: Mapping[str, Any], where: str) -> Turn:
    """Return a turn of the data; raises DataError where its weight is no number, or stands at what is not learnt."""
    role, weight = str(given["role"]), given.get("weight", 1.0)
    if type(weight) not in (int, float) or not 0 <= weight < math.inf:
        raise DataError(f"{where} has the weight {weight!r}, which must be a number, 0 or more")
    if "weight" in given and role != "assistant":
        raise DataError(f"{where} is of '{role}', so it is not learnt and has no weight; only turns of the assistant have one")
    return Turn(role, str(given["content"]), float(weight))


class Texts:
    """Turns samples into examples for one loss and one tokenizer."""

    def __init__(self, task: TrainingTask, loss: Loss, tokenizer: Any) -> None:
        self.task, self.tokenizer = task, tokenizer
        self.prompter = Prompter.of(task)
        self.chat = tokenizer.chat_template is not None
        self.paired = any(name in loss_reads(loss) for name in PAIRED)
        masking = next((one.options() for one in loss.components.values() if hasattr(one, "mask")), {})
        self.mask: Mask = masking.get("mask", "prompt")
        self.others = float(masking.get("prompt_weight", 0.0))
        if self.paired and (self.mask != "prompt" or self.others):
            raise DataError(
                f"loss '{loss.name}' compares answers by their own tokens, so that no part of it can have labels elsewhere: "
                f"beside it, supervised takes 'mask: prompt' and no 'prompt_weight'"
            )
        self.pad = int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)

    def examples(self, sample: Sample) -> Sequence[Any]:
        """Return what is made of one sample: one example, a pair, or the windows of a text."""
        if self.paired:
            return [self._pair(sample)]
        if self.task.output_type == "likelihood":
            return list(self._windows(sample))
        return [self._encoded(self._turns(sample), sample)]

    def _encoded(self, turns: Sequence[Turn], sample: Sample) -> Example:
        return encode(turns, self.tokenizer, self.mask, self.task.trainer.max_length, sample.id, others=self.others)

    def _turns(self, sample: Sample) -> list[Turn]:
        """Return the turns that the sample holds, or its prompt and the answer to it."""
        turns = sample.fields.get("turns")
        if turns is None:
            return [*self._prompt(sample), Turn("assistant", self._answer(sample))]
        if not isinstance(turns, list) or not all(
            isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns
        ):
            raise DataError(f"sample '{sample.id}': 'turns' must be a list of objects with 'role' and 'content'")
        return [_turn(turn, f"sample '{sample.id}': 'turns'[{place}]") for place, turn in enumerate(turns)]

    def _prompt(self, sample: Sample) -> list[Turn]:
        rendered: Prompt = self.prompter.render(sample, sample.fields.get("contexts"), chat=self.chat)
        turns = [Message("user", rendered)] if isinstance(rendered, str) else rendered
        return [Turn(turn.role, turn.content) for turn in turns]

    def _answer(self, sample: Sample) -> str:
        """Return what the model is to learn to answer: the first reference, or the first choice that is right."""
        fields = sample.fields
        if self.task.output_type == "multiple_choice":
            delimiter = ("" if self.chat else " ") if self.task.delimiter is None else self.task.delimiter
            target = fields["target"]
            return delimiter + str(fields["choices"][target[0] if isinstance(target, list) else target])
        references = fields.get("references")
        if not references:
            raise DataError(f"sample '{sample.id}' has no 'references', of which the first is what the model learns to answer")
        return str(references[0])

    def _pair(self, sample: Sample) -> Pair:
        sides: dict[str, Any] = {}
        for side in ("chosen", "rejected"):
            answer = sample.fields.get(side)
            if not isinstance(answer, str) or not answer.strip():
                raise DataError(f"sample '{sample.id}' needs the field '{side}', a text: this loss compares two answers")
            sides[side] = self._encoded([*self._prompt(sample), Turn("assistant", answer)], sample)
        return Pair(**sides)

    def _windows(self, sample: Sample) -> Iterator[Example]:
        """Yield a text in windows of `max_length`; the last token of one begins the next, so that each token counts once."""
        tokens = self.tokenizer(self.prompter.render_text(sample), add_special_tokens=False)["input_ids"]
        first = self.tokenizer.eos_token_id if self.tokenizer.bos_token_id is None else self.tokenizer.bos_token_id
        ids, size = [first, *tokens], self.task.trainer.max_length
        if not tokens:
            raise DataError(f"sample '{sample.id}' has no text")
        for start in range(0, len(ids) - 1, size - 1):
            window = tuple(ids[start : start + size])
            yield Example(window, (0.0, *[1.0] * (len(window) - 1)), sample.id)
