"""Few-shot examples and prompts: which samples are shown, and how they are put together."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalharness.contract import Message, Passage, Prompt, Sample, Spec, canonical
from evalharness.errors import DataError
from evalharness.task.images import FIELD as IMAGES
from evalharness.task.images import data_folder, image_urls
from evalharness.task.task import DatasetSpec, FewShot, Task
from evalharness.task.template import DEFAULT_PROMPT, Template

FIRST_TARGET = "{{ choices[target if target is number else target[0]] }}"
Solved = tuple[str, str]
DEFAULT_ANSWERS = {"generate": "{{ references[0] }}", "multiple_choice": FIRST_TARGET}


class Shots:
    """The pool of solved samples, sorted by id; which are drawn depends on the sample's id alone.

    >>> pool = [Sample(name, {}) for name in "dacb"]
    >>> [shot.id for shot in Shots(FewShot(samples=2), pool).draw("a")]
    ['b', 'c']
    """

    def __init__(self, fewshot: FewShot, pool: Iterable[Sample]) -> None:
        self.fewshot = fewshot
        self.pool = sorted(pool, key=lambda sample: sample.id)
        self._positions = {sample.id: position for position, sample in enumerate(self.pool)}

    def draw(self, sample_id: str) -> tuple[Sample, ...]:
        """Return the shots for one sample, which is never its own; raises DataError where the pool is too small."""
        own = self._positions.get(sample_id, len(self.pool))
        others = len(self.pool) - (own < len(self.pool))
        count = self.fewshot.samples
        if count > others:
            raise DataError(f"fewshot.samples is {count}, but the pool holds only {others} other samples than '{sample_id}'")
        chosen: Sequence[int] = range(count)
        if self.fewshot.sampler == "seeded":
            chosen = random.Random(_seed(self.fewshot.seed, sample_id)).sample(range(others), count)
        return tuple(self.pool[index + (index >= own)] for index in chosen)


def _seed(seed: int, sample_id: str) -> int:
    content = canonical([seed, sample_id]).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def pool_dataset(task: Task) -> DatasetSpec:
    """Return the dataset of the few-shot pool: `fewshot.path`, `fewshot.split`, or the task's own."""
    own, fewshot = task.dataset, task.fewshot
    if fewshot.path is not None:
        return replace(own, source=Spec("files", {"path": fewshot.path}))
    if fewshot.split is not None:
        options = {**own.source.options, "split": fewshot.split}
        return replace(own, source=Spec(own.source.name, options, own.source.folder))
    return own


@dataclass(frozen=True)
class Templates:
    """The compiled templates of a task, what stands between their texts, and the folder of the data's images."""

    prompt: Template
    answer: Template
    separator: str
    delimiter: str | None
    folder: Path | None = None

    @classmethod
    def of(cls, task: Task) -> Templates:
        """Return the templates of a task; a system without a prompt shows the input."""
        answer = task.fewshot.answer
        if answer is None:
            answer = DEFAULT_ANSWERS.get(task.output_type, "")
        delimiter = task.delimiter
        if delimiter is None and task.output_type == "multiple_choice":
            delimiter = " "
        prompt = DEFAULT_PROMPT if task.system.prompt is None else task.system.prompt
        return cls(
            Template(prompt, task.where("system.prompt")),
            Template(answer, task.where("fewshot.answer", "fewshot")),
            task.fewshot.separator,
            delimiter,
            data_folder(task.dataset.source),
        )

    def solved(self, fields: Mapping[str, Any]) -> Solved:
        """Return a shot: the prompt of a solved sample and its answer."""
        return self.prompt.render(fields), self.answer.render(fields)


def render_prompt(templates: Templates, fields: Mapping[str, Any], shots: Sequence[Solved] = (), *, chat: bool) -> Prompt:
    """Return the prompt for the fields of one sample, with its shots before it, which `Templates.solved` made.

    As text, a shot is prompt, delimiter and answer, and shots are joined by the separator; without a delimiter one space
    stands between prompt and answer unless either has white space there. For a chat, each shot is a user's turn and the
    assistant's. Images of the sample go to its own turn; as text has no place for them, a prompt with images is a turn
    anyhow, which a model without eyes is not asked. Raises DataError where the fields do not fit the template, UsageError
    where the template is at fault.
    """
    prompt = templates.prompt.render(fields)
    images = image_urls(fields.get(IMAGES), templates.folder)
    if chat:
        turns = [turn for asked, told in shots for turn in (Message("user", asked), Message("assistant", told))]
        return (*turns, Message("user", prompt, images))
    if images:
        return (Message("user", prompt, images),)
    return templates.separator.join([*(_join(asked, told, templates.delimiter) for asked, told in shots), prompt])


def _join(prompt: str, answer: str, delimiter: str | None) -> str:
    if delimiter is None:
        delimiter = "" if prompt[-1:].isspace() or answer[:1].isspace() or not prompt else " "
    return f"{prompt}{delimiter}{answer}"


@dataclass(frozen=True)
class Prompter:
    """Renders the prompts of a task; templates are compiled, the pool is read and each shot is rendered once."""

    templates: Templates
    shots: Shots | None = None
    _solved: dict[str, Solved] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, task: Task) -> Prompter:
        """Return the prompter of a task; reads the few-shot pool where the task shows examples."""
        if not task.fewshot.samples:
            return cls(Templates.of(task))
        from evalharness.data import read_pool

        return cls(Templates.of(task), Shots(task.fewshot, read_pool(pool_dataset(task))))

    def render(self, sample: Sample, contexts: Sequence[Passage] | None = None, *, chat: bool) -> Prompt:
        """Return the prompt of a sample over these contexts.

        Shots show the contexts that stand in the data: nothing is retrieved for them.
        """
        drawn = () if self.shots is None else self.shots.draw(sample.id)
        return render_prompt(self.templates, _fields(sample, contexts), [*map(self._shown, drawn)], chat=chat)

    def _shown(self, shot: Sample) -> Solved:
        if shot.id not in self._solved:
            self._solved[shot.id] = self.templates.solved({"contexts": (), "id": shot.id, **shot.fields})
        return self._solved[shot.id]

    def render_text(self, sample: Sample, contexts: Sequence[Passage] | None = None) -> str:
        """Return the rendered prompt as one text, which the output type `likelihood` measures."""
        return self.templates.prompt.render(_fields(sample, contexts))


def _fields(sample: Sample, contexts: Sequence[Passage] | None) -> dict[str, Any]:
    found = {} if contexts is None else {"contexts": contexts}
    return {**sample.fields, "id": sample.id, **found}
