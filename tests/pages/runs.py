"""Runs for the tests of pages: designed responses over designed passages, and texts that try to break out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import evalharness as eh

HOSTILE = {
    "script": "<script>window.broken = 1</script>",
    "image": '"><img src=x onerror="window.broken = 1">',
    "end": "</script></textarea><!-- --><script>window.broken = 1</script>",
    "right to left": "\u202eevil\u202c",
    "long": "a" * 10_000,
    "path": "../../etc/passwd\\..\\x",
    "template": "{{ 7 * 7 }} ${7 * 7} {% raw %}",
}
MILL = "The old mill 🙂 was built in 1840. Its wheel drove two stones."
LAKE = "Lake Orrin freezes every winter. Fishermen cut holes into the ice."
SAYS = ("🙂 The old mill was built in 1840. Purple elephants like jazz.", "Fishermen cut holes into the ice.", "I do not know.")
TASK = """\
name: mills
version: 1
dataset: {{path: questions.jsonl, fields: {{input: question, references: answers}}}}
group: topic
output_type: generate
system:
  name: echo
  prompt: |
    {{% for passage in contexts %}}[{{{{ loop.index }}}}] {{{{ passage.text }}}}
    {{% endfor %}}Question: {{{{ input }}}}
    {{{{ say }}}}
  model: echo
metrics: [token_f1, bleu, {{retrieval_recall: {{k: [1]}}}}, faithfulness{more}]
"""
ASKING = ", {perplexity: {of: references}}"


def questions(count: int) -> list[dict[str, Any]]:
    """Return that many samples: every seventh has no reference, the first ones hold the hostile texts."""
    rows = [
        {
            "id": f"q{number:03}", "question": f"Question number {number}?", "say": SAYS[number % 3],
            "answers": [] if number % 7 == 6 else [f"the ice of {number}"], "topic": f"topic {number // 4 % 5}",
            "kind": ("mill", "lake", "none")[number % 3], "relevant": {"mill": 1},
            "contexts": [{"id": "mill", "text": MILL, "score": 2.5}, {"id": "lake", "text": LAKE, "score": -1.0}],
        }
        for number in range(count)
    ]  # fmt: skip
    for row, (name, text) in zip(rows, HOSTILE.items(), strict=False):
        row |= {"id": f"{name} {text}"[:2_000], "question": text, "kind": text[:90], "answers": [text], "say": text}
        row["contexts"] = [{"id": text[:90], "text": text, "score": 1.0}]
    return rows


def write_run(folder: Path, count: int = 60, more: str = ASKING, end: str = "", **options: Any) -> Path:
    """Run the task with `more` metrics and sections at its `end` in this folder; return the run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions(count))
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    (folder / "task.yaml").write_text(TASK.format(more=more) + end, encoding="utf-8")
    eh.run(folder / "task.yaml", out=folder / "run", store=folder / "store.sqlite", **options)
    return folder / "run"
