"""A training task on the real language model of the embedded default, with adapters."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import evalharness as eh
from evalharness import running, training
from evalharness.results import read_record
from tests.training.tasks import DENSE, SUMS, write_data, write_rows

LORA = "{hf: {weights: smollm2-135m-instruct, lora: {rank: 2, modules: [q_proj, v_proj], layers: last 2}}}"


def test_adapters_of_the_real_model_are_trained_kept_and_answer(
    causal_model: eh.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    rows = [{"id": f"q{n}", "question": f"What is {n} plus {n}?", "answers": [f"{2 * n} apples"]} for n in range(3)]
    write_rows(Path("test.jsonl"), rows)
    text = SUMS.replace(DENSE, LORA).replace("steps: 4, batch_size: 4", "steps: 2, batch_size: 2")
    Path("task.yaml").write_text(text)
    training.run("task.yaml", arms=["completion"], seeds=[1], store="store.sqlite")
    folder = Path("runs/sums/completion/seed1")
    record = read_record(folder)
    assert record.scores["perplexity"].value < record.scores["perplexity.before"].value
    asked = [eh.Choose(prompt=(eh.Message("user", row["question"]),), choices=(row["answers"][0],), delimiter="") for row in rows]
    replies = [response for _, response in causal_model.answer(asked)]
    nll = -math.fsum(reply.logprobs[0] for reply in replies if reply.logprobs)
    size = sum(reply.tokens[0] for reply in replies if reply.tokens)
    assert record.scores["perplexity.before"].value == pytest.approx(math.exp(nll / size), rel=1e-4)
    assert {path.name for path in (folder / "adapter").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    identity = eh.load_model("hf", adapter=str(folder / "adapter")).identity()
    assert record.system["identity"] == {"model": identity, "start": causal_model.identity()}
    assert running.rescore(folder).agrees
