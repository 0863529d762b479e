"""Tasks: strict reading of YAML, templates, few-shot examples, and checks."""

from __future__ import annotations

from evalharness.task.check import Finding, check_task
from evalharness.task.check_data import check_data
from evalharness.task.fewshot import Prompter, Shots, Templates, pool_dataset, render_prompt
from evalharness.task.loading import is_training_file, load_task
from evalharness.task.prices import Price, price_lines
from evalharness.task.requests import is_prompted, request_kind
from evalharness.task.task import DatasetSpec, FewShot, GenerateOptions, MetricEntry, System, Task
from evalharness.task.template import Template
from evalharness.task.training import Arm, Plant, TrainedSystem, TrainerOptions, TrainingTask
from evalharness.task.training_loading import load_training
from evalharness.task.writing import task_yaml

__all__ = [
    "Arm", "DatasetSpec", "FewShot", "Finding", "GenerateOptions", "MetricEntry", "Plant", "Price", "Prompter", "Shots", "System",
    "Task", "Template", "Templates", "TrainedSystem", "TrainerOptions", "TrainingTask", "check_data", "check_task",
    "is_prompted", "is_training_file", "load_task", "load_training", "pool_dataset", "price_lines", "render_prompt",
    "request_kind", "task_yaml",
]  # fmt: skip
