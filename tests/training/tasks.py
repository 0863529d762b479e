"""Small training tasks: byte-level models that are trained in a moment, and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZES = "hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 2"
DENSE = f"{{config: {{type: llama, {SIZES}, max_position_embeddings: 64}}}}"
MIXTURE = f"{{config: {{type: mixtral, {SIZES}, num_local_experts: 4, num_experts_per_tok: 2, max_position_embeddings: 64}}}}"

SUMS = f"""\
name: sums
kind: training
dataset: {{train: train.jsonl, test: test.jsonl, fields: {{id: id, input: question, references: answers}}}}
prompt: "{{{{ input }}}}"
generate: {{max_tokens: 4}}
model: {DENSE}
arms:
  completion: {{supervised: {{mask: prompt}}}}
  full: {{supervised: {{mask: none}}}}
seeds: [0, 1]
trainer: {{steps: 4, batch_size: 4, max_length: 48, learning_rate: 0.01}}
metrics: [perplexity, token_f1]
"""
TEXTS = f"""\
name: texts
kind: training
dataset: {{train: texts.jsonl, test: texts.jsonl, fields: {{id: id, text: text}}}}
prompt: "{{{{ text }}}}"
output_type: likelihood
model: {MIXTURE}
arms:
  none: supervised
  balanced: {{combine: {{of: [supervised, moe_switch], weights: [1, 0.01]}}}}
trainer: {{steps: 3, batch_size: 4, max_length: 32, learning_rate: 0.01}}
metrics: [bits_per_byte]
"""
PAIRS = f"""\
name: pairs
kind: training
dataset: {{train: pairs.jsonl, test: pairs.jsonl, fields: {{id: id, input: question}}}}
prompt: "{{{{ input }}}}"
generate: {{max_tokens: 4}}
model: {DENSE}
arms: {{dpo: dpo, kto: kto, simpo: simpo}}
trainer: {{steps: 2, batch_size: 4, max_length: 48, learning_rate: 0.01}}
metrics: [response_length]
"""
TABLE = """\
name: table
kind: training
dataset: sklearn:diabetes
model: linear
arms: {mse: mse, mae: mae}
seeds: [0, 1]
trainer: {steps: 20, learning_rate: 0.05}
metrics: [mae, rmse]
"""


def write_data(folder: Path) -> None:
    """Write the data that the tasks name."""
    questions = [{"id": f"q{n:02}", "question": f"{n} plus {n}? ", "answers": [str(2 * n)]} for n in range(30)]
    pairs = [{"id": f"p{n}", "question": f"Say {n}: ", "chosen": f"yes {n}", "rejected": "no"} for n in range(8)]
    texts = [{"id": f"t{n}", "text": "the cat sat on the mat. " * (n + 1)} for n in range(8)]
    for name, rows in {"train": questions[:20], "test": questions[20:], "pairs": pairs, "texts": texts}.items():
        write_rows(folder / f"{name}.jsonl", rows)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
