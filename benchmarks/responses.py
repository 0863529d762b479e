"""Made-up tasks with recorded responses: as many samples as a benchmark asks for, the same ones each time."""

from __future__ import annotations

import json
import random
from pathlib import Path

WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "kiln", "ledge", "marsh")
TASK = """name: recorded
version: 1
description: Recorded responses, to time the harness alone.
dataset:
  path: documents.jsonl
  fields: {{id: id, input: question, references: answers}}
output_type: generate
system:
  name: recorded
  prompt: "{{{{ input }}}}"
  model: echo
metrics: [{metrics}]
"""


def write_task(folder: Path, samples: int, metrics: str) -> tuple[Path, Path]:
    """Write a task with that many documents and a recorded response to each; return the task file and the responses file.

    Half of the answers are the response `lol`, so that a score of 0.5 shows that every sample was scored.
    """
    draw = random.Random(20)
    task, responses = folder / "task.yaml", folder / "responses.jsonl"
    task.write_text(TASK.format(metrics=metrics), encoding="utf-8")
    with open(folder / "documents.jsonl", "w", encoding="utf-8") as documents, open(responses, "w", encoding="utf-8") as recorded:
        for number in range(samples):
            question = f"What lies {' '.join(draw.choices(WORDS, k=12))}?"
            answer = "lol" if number % 2 else " ".join(draw.choices(WORDS, k=3))
            documents.write(json.dumps({"id": f"q{number}", "question": question, "answers": [answer]}) + "\n")
            recorded.write(json.dumps({"id": f"q{number}", "response": "lol"}) + "\n")
    return task, responses
