"""The prompts of a finished run, rendered again from its task and its samples, or why they cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import Answer, Model, Passage, Sample
from evalharness.errors import EvalharnessError
from evalharness.results import Record
from evalharness.running.rescoring import stored_task
from evalharness.task import Prompter, Task, request_kind

Shown = dict[str, Any]


@dataclass(frozen=True)
class Prompts:
    """Renders the prompt of each sample: `{"text": ...}`, `{"turns": [...]}` or `{"reason": ...}`.

    Without a prompter nothing can be rendered, for the `reason`.
    """

    prompter: Prompter | None
    output_type: str = "generate"
    chat: bool = False
    retrieves: bool = False
    reason: str = ""

    @classmethod
    def of(cls, folder: Path, record: Record) -> Prompts:
        """Return what renders the prompts of a run; its plugins or few-shot data may be gone, which is a reason."""
        try:
            task = stored_task(folder, record)
            model = registry.installed().build("model", task.system.model)
            reason = unprompted(task, model)
            if reason:
                return cls(None, reason=reason)
            return cls(Prompter.of(task), task.output_type, model.chat, task.system.retriever is not None)
        except (EvalharnessError, OSError, ImportError, ValueError) as error:
            return cls(None, reason=f"The prompts cannot be rendered again: {error}")

    def of_row(self, row: Mapping[str, Any], fields: Mapping[str, Any]) -> Shown:
        """Return the prompt of a stored row."""
        if row["fields"] is None:
            return {"reason": "The texts of this record were left out."}
        if self.prompter is None:
            return {"reason": self.reason}
        contexts = None if row["contexts"] is None else [Passage(**passage) for passage in json.loads(row["contexts"])]
        if contexts is None and self.retrieves:
            return {"reason": "There was no prompt: nothing was retrieved."}
        try:
            return self._rendered(self.prompter, Sample(row["id"], fields, row["group"]), contexts)
        except EvalharnessError as error:
            return {"reason": f"The prompt cannot be rendered: {error}"}

    def _rendered(self, prompter: Prompter, sample: Sample, contexts: list[Passage] | None) -> Shown:
        if self.output_type == "likelihood":
            return {"text": prompter.render_text(sample, contexts)}
        prompt = prompter.render(sample, contexts, chat=self.chat)
        if isinstance(prompt, str):
            return {"text": prompt}
        return {"turns": [{"role": turn.role, "content": turn.content} for turn in prompt]}


def unprompted(task: Task, model: Model) -> str:
    """Return why a system is given no prompt, or an empty text."""
    if not model.stored:
        return "The responses were recorded elsewhere; this run asked no model."
    if request_kind(task, model) is Answer:
        return f"The model '{model.name}' is given no prompt, but the input and its passages as they are."
    return ""
