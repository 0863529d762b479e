"""The plan of a run: what it would take, told without asking any model, and right when the run is made."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.registry import Registry
from evalharness.scoring.power import binary_detectable, binary_samples
from tests.running.conftest import QUESTIONS, TASK, Adder
from tests.running.paid import JUDGED, PAID, Bought, register

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def paid(plugins: Registry) -> None:
    register(plugins)


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["run", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def planned(path: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(str(path), "--dry-run", "--json", *arguments).stdout)
    return found


def words(path: Path, *arguments: str) -> str:
    text = run(str(path), "--dry-run", *arguments).stdout
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_a_plan_asks_nothing_and_leaves_no_run(task: Write) -> None:
    found = planned(task(PAID))
    assert not Bought.asked
    assert not Path("runs").exists()
    (model,) = found["models"]
    assert (model["model"], model["kind"], model["asked_by"]) == ("sum-1", "generate", ["the system"])
    assert (model["requests"], model["stored"], model["to_ask"]) == (40, 0, 40)
    assert not model["counted"]
    assert model["input_tokens"] == math.ceil(sum(len(row["question"]) for row in QUESTIONS) / 4)
    assert model["most_output_tokens"] == 40 * 20
    assert (model["output_tokens"], model["cost"], model["seconds"], model["known_answers"]) == (None, None, None, 0)
    assert model["most_cost"] == pytest.approx((model["most_input_tokens"] * 10 + 800 * 100) / 1e6)


def test_a_run_takes_no_more_than_its_plan_says(task: Write) -> None:
    path = task(JUDGED)
    plan = planned(path)["models"]
    usage = eh.run(path, limit=40).usage
    assert usage["costs"]["sum-1"] < plan[0]["most_cost"]
    assert usage["requests"] == 80
    again = planned(path)["models"]
    assert [(model["to_ask"], model["most_cost"], model["seconds"]) for model in again] == [(0, 0.0, 0.0)] * 2


def test_what_was_answered_before_tells_tokens_cost_and_time(task: Write) -> None:
    path = task(PAID)
    eh.run(path, limit=10)
    (model,) = planned(path)["models"]
    assert (model["to_ask"], model["known_answers"], model["output_tokens"]) == (30, 10, 30)
    assert model["cost"] == pytest.approx((model["input_tokens"] * 10 + 30 * 100) / 1e6)
    assert 0 < model["seconds"] < 60
    told = words(path)
    assert "sum-1, generate, for the system requests 40, of which 10 are stored: 30 to ask" in told
    assert (
        "tokens, estimated at four characters each written 30 tokens if they are as long as the 10 answers before; at most 600"
        in told
    )
    assert "US dollars; at most 0." in told
    assert "time under 1 s, as the 10 answers before took" in told


def test_nothing_is_made_up_before_the_first_answers(task: Write) -> None:
    told = words(task(PAID))
    assert "written at most 800 tokens; how many is not known before the first answers" in told
    assert re.search(r"cost at most 0\.1\d US dollars", told)
    assert "time not known before the first answers" in told
    without = PAID[: PAID.index("  prices:")] + PAID[PAID.index("metrics:") :]
    assert "cost not known: the system's prices do not have this model" in words(task(without))


def test_local_models_are_planned_by_tokens_and_cost_nothing(task: Write) -> None:
    path = task(TASK)
    eh.run(path, limit=15)
    Adder.asked.clear()
    (model,) = planned(path)["models"]
    assert (model["model"], model["to_ask"], model["output_tokens"], model["cost"]) == ("adder", 25, 25, None)
    assert model["seconds"] > 0
    assert not Adder.asked


def test_the_tokens_of_local_weights_are_counted_and_what_they_share_is_told(
    task: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = "Question: what is two plus two? Answer: four. " * 8
    local = PAID[: PAID.index("  prices:")] + "metrics: [exact_match]\n"
    path = task(local.replace("{bought: {product: sum-1}}", "hf").replace("{{ input }}", shots + "{{ input }}"))
    monkeypatch.delenv("EVALHARNESS_CACHE")  # where the weights are
    (model,) = planned(path, "--store", "store.sqlite")["models"]
    assert (model["model"], model["sold"], model["counted"], model["to_ask"]) == ("hf", False, True, 40)
    assert model["input_tokens"] == model["most_input_tokens"]
    assert model["input_tokens"] / 2 < model["shared_tokens"] < model["input_tokens"]
    told = words(path, "--store", "store.sqlite")
    assert (
        f"read {model['input_tokens']:,} tokens, counted by its tokenizer; up to {model['shared_tokens']:,} need not run" in told
    )
    assert "cost none" in told


def test_what_a_metric_asks_of_responses_depends_on_them(task: Write) -> None:
    path = task(JUDGED)
    found = planned(path)
    (verdict,) = found["metrics"]
    assert verdict == {"metric": "verdict", "model": "judge-1.5", "requests": 0, "stored": 0, "waiting": 40, "open": False}
    assert [model["model"] for model in found["models"]] == ["sum-1"]
    assert "verdict asks judge-1.5: how much depends on the answers, of which none is stored" in words(path)
    eh.run(task(PAID), limit=10)
    (verdict,) = planned(task(JUDGED))["metrics"]
    assert (verdict["requests"], verdict["stored"], verdict["waiting"]) == (10, 0, 30)
    told = words(path)
    assert (
        "verdict asks judge-1.5 at least 10 requests, of which 0 are stored; "
        "what it asks of the 30 others depends on their answers" in told
    )
    eh.run(path)
    (verdict,) = planned(path)["metrics"]
    assert (verdict["requests"], verdict["stored"], verdict["waiting"], verdict["open"]) == (40, 40, 0, False)
    assert "verdict asks judge-1.5 40 requests, of which 40 are stored" in words(path)


def test_later_rounds_are_told_as_far_as_the_replies_reach(task: Write) -> None:
    twice = JUDGED.replace("{product: judge-1.5}}}", "{product: judge-1.5}}, rounds: 2}")
    eh.run(task(JUDGED), limit=40)
    (verdict,) = planned(task(twice))["metrics"]
    assert (verdict["requests"], verdict["stored"], verdict["waiting"], verdict["open"]) == (80, 40, 0, True)
    assert "at least 80 requests, of which 40 are stored; whether it asks more depends on the replies" in words(task(twice))
    eh.run(task(PAID), limit=40, fresh=True)
    eh.run(task(twice))
    (verdict,) = planned(task(twice))["metrics"]
    assert (verdict["requests"], verdict["stored"], verdict["open"]) == (80, 80, False)


def test_a_metric_that_needs_no_response_is_planned_before_the_first_one(task: Write) -> None:
    path = task(PAID.replace("metrics: [exact_match]", "metrics: [exact_match, wording]"))
    found = planned(path)
    (wording,) = found["metrics"]
    assert (wording["requests"], wording["stored"], wording["waiting"], wording["open"]) == (40, 0, 0, True)
    (model,) = found["models"]
    assert (model["requests"], model["asked_by"]) == (80, ["the system", "wording"])
    assert eh.run(path).usage["requests"] == 80


def test_recorded_responses_leave_only_what_metrics_ask(task: Write) -> None:
    path = task(JUDGED)
    Path("out.jsonl").write_text("".join(json.dumps({"id": row["id"], "response": "4"}) + "\n" for row in QUESTIONS))
    found = planned(path, "--responses", "out.jsonl")
    assert [(model["model"], model["to_ask"]) for model in found["models"]] == [("judge-1.5", 1)]
    assert found["metrics"][0]["requests"] == 1
    Path("judge.jsonl").write_text("")
    recorded = JUDGED.replace("{bought: {product: judge-1.5}}", "{recorded: {path: judge.jsonl}}")
    assert planned(task(recorded))["metrics"] == []
    assert "no model would be asked" in words(task(PAID), "--responses", "out.jsonl")


def test_retrieval_is_done_since_prompts_need_it_and_stored(task: Write) -> None:
    Path("corpus.jsonl").write_text('{"id": "p", "text": "Two plus two is four."}\n')
    retrieving = PAID.replace(
        '  prompt: "{{ input }}"', '  retriever: {bm25: {corpus: corpus.jsonl}}\n  prompt: "{{ contexts[0].text }} {{ input }}"'
    )
    first, second = planned(task(retrieving)), planned(task(retrieving))
    assert (first["retrieval"], second["retrieval"]) == ({"queries": 40, "searched": 40}, {"queries": 40, "searched": 0})
    assert first["models"] == second["models"]
    assert first["models"][0]["input_tokens"] > planned(task(PAID))["models"][0]["input_tokens"]
    assert "retrieval: 40 queries, 0 of them searched now: it is local work, and stored for the run" in words(task(retrieving))


def test_limits_that_may_be_reached_are_told_and_wrong_ones_refused(task: Write) -> None:
    path = task(PAID)
    assert planned(path, "--max-cost", "0.01", "--max-requests", "40")["may_reach"] == ["--max-cost 0.01"]
    assert "the limit --max-tokens 100 may be reached" in words(path, "--max-tokens", "100")
    assert planned(path, "--max-cost", "100")["may_reach"] == []
    done = CliRunner().invoke(cli, ["run", str(task(PAID.replace("sum-1: {", "sum-2: {"))), "--dry-run", "--max-cost", "1"])
    assert (done.exit_code, "--max-cost needs a price of the model 'sum-1'" in done.output) == (2, True)
    done = CliRunner().invoke(cli, ["run", str(path), "--dry-run", "--fail-under", "exact_match=1"])
    assert (done.exit_code, "--fail-under: nothing is scored with --dry-run" in done.output) == (2, True)


def test_a_task_with_errors_is_refused_as_by_the_run(task: Write) -> None:
    path = task(PAID.replace("metrics: [exact_match]", "metrics: [choice_accuracy]"))
    plan, real = (CliRunner().invoke(cli, ["run", str(path), *more]) for more in (["--dry-run"], []))
    assert plan.exit_code == real.exit_code == 2
    assert plan.output == real.output


def test_the_smallest_difference_before_any_run_and_after_one(task: Write) -> None:
    before = {one["score"]: one for one in planned(task(TASK.replace("token_f1]", "token_f1, bleu]")))["detectable"]}
    for name in ("exact_match", "token_f1"):
        assert before[name]["seldom"] == pytest.approx(binary_detectable(0.2, 40))
        assert before[name]["worst"] == pytest.approx(binary_detectable(1.0, 8))
        assert before[name]["difference"] is None
    assert before["bleu"]["words"] == "known after a first run"
    told = words(task(TASK))
    usual = "exact_match, token_f1: 18.1 points if the systems differ on a fifth of the samples, 70.4 points at worst"
    assert usual in told
    few = planned(task(TASK), "--limit", "20")["detectable"][0]
    assert (few["seldom"], few["words"].partition(",")[0]) == (None, "none if the systems differ on a fifth of the samples")
    eh.run(task(TASK))
    after = {one["score"]: one for one in planned(task(TASK))["detectable"]}
    rows = json.loads(CliRunner().invoke(cli, ["plan", "task.yaml", "--json"]).stdout)["rows"]
    assert {name: one["difference"] for name, one in after.items()} == {row["score"]: row["detectable"] for row in rows}
    assert "(as if unpaired, one past run)" in words(task(TASK))
    fewest = planned(task(TASK), "--limit", "2")["detectable"][0]
    assert (fewest["difference"], fewest["words"]) == (None, "none, with so few samples (as if unpaired, one past run)")


def test_shares_that_are_detected_are_the_inverse_of_the_samples_needed() -> None:
    for disagreement, difference in ((0.2, 0.05), (0.2, 0.02), (0.05, 0.01)):
        needed = binary_samples(disagreement, difference)
        assert binary_detectable(disagreement, needed) == pytest.approx(difference, rel=1e-2)
        assert binary_detectable(disagreement, needed) <= difference
