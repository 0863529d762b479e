"""Smaller number formats on a CPU: every kind of request is answered, close to float32, and a run says how close."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from evalharness_hf.model import HuggingFace

import evalharness as eh
from evalharness.cli.main import cli

CHOICES = (" Paris", " Rome", " a city that nobody has ever heard of", " 12")
PROMPTS = ("The capital of France is", "The capital of France is called", "Seven plus five is", "Das ist")
QUESTIONS = [eh.Choose(prompt=prompt, choices=CHOICES, delimiter="") for prompt in PROMPTS]
TEXTS = [eh.Likelihood(text=text) for text in ("Paris is the capital of France.", "12 = 7 + 5", "")]
WRITTEN = [eh.Generate(prompt=prompt, max_tokens=4) for prompt in PROMPTS]


def compare(weights: str, dtype: str, most: float, scored: list[eh.Request], written: list[eh.Request]) -> None:
    whole = dict(HuggingFace(weights=weights).answer(scored))
    small = dict(HuggingFace(weights=weights, dtype=dtype).answer([*scored, *written]))
    assert [response.error for response in small.values()] == [None] * (len(scored) + len(written))
    assert all(small[request].text for request in written)
    pairs = [pair for request in scored for pair in zip(whole[request].logprobs, small[request].logprobs, strict=True)]
    assert all(math.isfinite(found) for _, found in pairs)
    assert 0 < max(abs(full - found) for full, found in pairs) < most


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 1.0), ("float16", 0.1)])
def test_a_small_model_answers_in_each_format(absolute_model: HuggingFace, dtype: str, most: float) -> None:
    compare(absolute_model.weights, dtype, most, [*QUESTIONS, *TEXTS], WRITTEN)


def test_real_weights_answer_in_a_smaller_format(causal_model: HuggingFace) -> None:
    compare(causal_model.weights, "bfloat16", 1.0, [QUESTIONS[0], TEXTS[1]], WRITTEN[:1])


TASK = """
name: formats
version: 1
dataset: {path: data.jsonl, fields: {id: id, input: question, choices: choices, target: answer}}
output_type: multiple_choice
delimiter: ""
system: {name: tiny, prompt: "{{ input }}", model: {hf: {weights: WEIGHTS, template: none, dtype: bfloat16}}}
metrics: [choice_accuracy]
"""


def test_a_run_says_what_a_smaller_format_changed(
    absolute_model: HuggingFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path))
    rows = [{"id": f"s{n}", "question": each.prompt, "choices": CHOICES, "answer": 0} for n, each in enumerate(QUESTIONS)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("task.yaml").write_text(TASK.replace("WEIGHTS", absolute_model.weights))
    done = CliRunner().invoke(cli, ["run", "task.yaml", "--out", "out", "--compare-dtype", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["precision"]
    small, whole = (
        dict(HuggingFace(weights=absolute_model.weights, template="none", dtype=dtype).answer(QUESTIONS))
        for dtype in ("bfloat16", "float32")
    )
    pairs = [(small[each].logprobs, whole[each].logprobs) for each in QUESTIONS]
    apart = max(abs(one - other) for pair in pairs for one, other in zip(*pair, strict=True))
    assert found["logprobs"]["largest_difference"] == pytest.approx(apart, abs=1e-3)
    flipped = sum(one.index(max(one)) != other.index(max(other)) for one, other in pairs)
    assert (found["choices"]["different"], found["choices"]["compared"]) == (flipped, 4)
