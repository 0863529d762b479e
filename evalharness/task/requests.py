"""Which kind of request a task's system is asked, and whether it is shown a prompt."""

from __future__ import annotations

from evalharness.contract import Answer, Choose, Generate, Likelihood, Model, Request
from evalharness.task.task import Task

REQUEST_OF: dict[str, type[Request]] = {
    "generate": Generate,
    "multiple_choice": Choose,
    "likelihood": Likelihood,
    "predict": Answer,
    "retrieve": Answer,
}


def request_kind(task: Task, model: Model) -> type[Request]:
    """Return the kind of request; without a prompt, a model that can is given the input and its passages as they are."""
    if task.system.prompt is None and task.output_type == "generate" and Answer in model.supports:
        return Answer
    return REQUEST_OF[task.output_type]


def is_prompted(task: Task, model: Model) -> bool:
    """Return whether prompts are rendered; responses that exist already need none."""
    return model.stored and request_kind(task, model) is not Answer
