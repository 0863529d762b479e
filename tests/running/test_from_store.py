"""A run whose answers are all stored needs nothing that only a model needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import evalharness as eh
from tests.running.tiny import write_weights

TASK = """
name: {kind}
dataset: {{path: questions.jsonl, fields: {{id: id, input: question, references: answers}}}}
output_type: {kind}
system: {{name: small, prompt: "{{{{ input }}}}", model: {{hf: {{weights: {weights}}}}}}}
metrics: [{metric}]
"""
METRICS = {"generate": "exact_match", "multiple_choice": "choice_accuracy", "likelihood": "perplexity: {of: text}"}
HEAVY = ("torch", "transformers", "pandas", "datasets", "sentence_transformers", "sklearn")
AGAIN = f"""
import sys
import evalharness as eh
usages = [eh.run(f"{{name}}.yaml", out="again-" + name, store="store.sqlite").usage for name in {list(METRICS)}]
print(*[usage[count] for usage in usages for count in ("requests", "from_store")], *(set({HEAVY}) & set(sys.modules)))
"""


def test_generations_choices_and_likelihoods_come_from_the_store_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    weights = write_weights(tmp_path / "weights", template=True)
    assert eh.load_model("hf", weights=str(weights)).chat
    rows = [{"id": n, "question": f"{n}?", "answers": ["x"], "choices": ["yes", "no"], "target": 0} for n in range(7)]
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for kind, metric in METRICS.items():
        Path(f"{kind}.yaml").write_text(TASK.format(kind=kind, metric=metric, weights=weights), encoding="utf-8")
        first = eh.run(f"{kind}.yaml", out=kind, store="store.sqlite")
        assert (first.usage["requests"], first.errors) == (7, 0)
    again = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=False)
    # perplexity asks for itself what the system was asked
    assert again.stdout.split() == ["0", "7", "0", "7", "0", "14"], again.stderr
    for kind in METRICS:
        assert Path(kind, "samples.parquet").read_bytes() == Path(f"again-{kind}", "samples.parquet").read_bytes()
