"""A training run that was killed and resumed equals one that was not, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import evalharness as eh
from evalharness import registry
from evalharness.training.checkpoints import last_checkpoint
from tests.training.models import SIZES, examples, trainer

ROOT = Path(__file__).parent.parent.parent


def started(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.work", "train", str(folder), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> None:
    _, text = process.communicate(timeout=300)
    assert process.returncode == 0, text


def kill_after(folder: Path, process: subprocess.Popen[str], step: int) -> None:
    """Kill a process, uncaught, as soon as it has a whole checkpoint of this step or a later one."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        found = last_checkpoint(folder)
        if found is not None and int(found.rpartition("-")[2]) >= step:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"


@pytest.mark.parametrize("options", [("loss=uncertainty",), ("loss=variation", "lora=yes")], ids=" ".join)
def test_a_killed_run_resumes_bit_for_bit(tmp_path: Path, options: tuple[str, ...]) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finished(started(whole, *options))
    for step in (2, 6):
        kill_after(killed, started(killed, *options), step)
    assert not (killed / "trained.pt").exists()
    finished(started(killed, *options))
    one, other = torch.load(whole / "trained.pt"), torch.load(killed / "trained.pt")
    assert one.keys() == other.keys()
    assert [name for name, value in one.items() if not torch.equal(value, other[name])] == []
    curves = [json.loads((folder / "curve.json").read_text("utf-8")) for folder in (whole, killed)]
    assert curves[0] == curves[1]
    assert {name.partition(".")[0] for name in one} & {"learned", "carried"}


def test_the_biases_that_a_rule_moves_are_resumed(tmp_path: Path) -> None:
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    routed = {"moe_intermediate_size": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1}
    attention = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
    config = DeepseekV3Config(**{**SIZES, **routed, **attention, "num_key_value_heads": 2, "first_k_dense_replace": 1})
    rule = registry.build("rule", eh.Spec("moe_bias"))
    given = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "per_device_train_batch_size": 2}

    def trained(checkpoint: str | None) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        made = trainer(tmp_path, "supervised", examples(16), DeepseekV3ForCausalLM(config), rules=(rule,), **given)
        made.train(resume_from_checkpoint=checkpoint)
        return made.model.state_dict()

    whole = trained(None)
    resumed = trained(str(tmp_path / "checkpoint-2"))
    assert any(bool(value.any()) for name, value in whole.items() if name.endswith("correction_bias"))
    assert [name for name, value in whole.items() if not torch.equal(value, resumed[name])] == []
