"""Runs within limits: they stop cleanly, go on where they were, and say what they cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.errors import UsageError
from evalharness.registry import Registry
from evalharness.results import read_record
from tests.running.conftest import QUESTIONS
from tests.running.paid import JUDGED, PAID, Bought, register
from tests.running.test_run import content

Write = Callable[..., Path]
TOKENS_IN, PRICE_IN, PRICE_OUT = 5, 10e-6, 100e-6  # of a question: "What is 3 plus 3?"
COST = 40 * (TOKENS_IN * PRICE_IN + PRICE_OUT)


@pytest.fixture(autouse=True)
def paid(plugins: Registry) -> None:
    register(plugins)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments])


def test_a_run_that_stopped_at_its_limit_and_was_run_again_ends_in_the_same_bytes(task: Write) -> None:
    path = task(JUDGED)
    whole = eh.run(path, out="whole", store="other.sqlite")
    Bought.asked.clear()
    costs = []
    for _ in range(9):
        record = eh.run(path, out="out", max_cost=0.01)
        costs.append(record.usage["cost"])
        if not record.errors:
            break
    assert content(Path("out")) == content(Path("whole"))
    assert len(costs) > 1
    assert max(costs) <= 0.01
    assert sum(costs) == pytest.approx(whole.usage["cost"])
    assert max(Counter(Bought.asked).values()) == 1


def test_what_a_limit_does_not_allow_is_excluded_counted_and_told(task: Write) -> None:
    path = task(PAID)
    done = run(str(path), "--max-requests", "12", "--out", "out")
    assert done.exit_code == 3
    words = " ".join(done.stdout.split())
    assert "all scores: 28 lost to errors and excluded" in words
    assert (
        "error, budget: not asked: the limit --max-requests 12 was reached after 12 requests; "
        "run the same command again to go on (28 times; first: q" in words
    )
    assert "12 requests, 0 from the store" in words
    assert len(Bought.asked) == 12
    record = json.loads(Path("out/record.json").read_text())
    assert record["usage"]["limits"] == {"requests": 12}
    assert record["scores"]["exact_match"]["samples"] == 12
    again = run(str(path), "--max-requests", "28", "--out", "out")
    assert (again.exit_code, len(Bought.asked)) == (0, 40)
    assert "28 requests, 12 from the store" in again.stdout


def test_limits_hold_over_all_models_of_a_run(task: Write) -> None:
    record = eh.run(task(JUDGED), max_requests=50)
    asked = Counter(line.split(":")[0] for line in Bought.asked)
    assert asked == {"sum-1": 40, "judge-1.5": 10}
    assert (record.usage["requests"], record.errors) == (50, 30)
    (trouble,) = record.troubles
    assert (trouble["kind"], trouble["count"]) == ("budget", 30)
    assert record.scores["verdict"].errors == 30


def test_a_stop_at_tokens_and_at_the_cost_says_what_was_spent(task: Write) -> None:
    tokens = eh.run(task(PAID), max_tokens=170, store="tokens.sqlite")
    assert 0 < tokens.usage["input_tokens"] + tokens.usage["output_tokens"] <= 170
    assert "the limit --max-tokens 170 was reached after " in tokens.troubles[0]["message"]
    cost = eh.run(task(PAID), max_cost=0.005, store="cost.sqlite")
    assert 0 < cost.usage["cost"] <= 0.005
    assert "the limit --max-cost 0.005 was reached after " in cost.troubles[0]["message"]
    assert " US dollars; run the same command again to go on" in cost.troubles[0]["message"]


def test_stored_answers_take_nothing_of_a_limit(task: Write) -> None:
    path = task(PAID)
    eh.run(path)
    again = eh.run(path, max_requests=1, max_tokens=1, max_cost=1e-9)
    assert (again.errors, again.usage["requests"], again.usage["cost"]) == (0, 0, 0.0)


def test_the_record_says_what_the_run_and_what_all_its_responses_cost(task: Write) -> None:
    path = task(JUDGED)
    first = eh.run(path, limit=10).usage
    usage = eh.run(path).usage
    judged = 40 * (5 * 20e-6 + 200e-6)
    assert first["costs"] == {"sum-1": pytest.approx(COST / 4), "judge-1.5": pytest.approx(judged / 4)}
    assert usage["responses"]["costs"] == {"sum-1": pytest.approx(COST), "judge-1.5": pytest.approx(judged)}
    assert usage["cost"] == pytest.approx((COST + judged) * 3 / 4)
    assert usage["responses"]["cost"] == pytest.approx(COST + judged)
    table = " ".join(run(str(path)).stdout.split())
    assert "cost: 0.00 US dollars in this run, 0.018 for all its responses" in table


def test_what_metrics_ask_of_recorded_responses_is_limited_and_priced(task: Write) -> None:
    path = task(JUDGED)
    Path("out.jsonl").write_text("".join(json.dumps({"id": row["id"], "response": row["id"]}) + "\n" for row in QUESTIONS))
    record = eh.run(path, responses="out.jsonl", max_cost=0.008)
    assert 0 < record.usage["cost"] <= 0.008
    assert record.errors > 0
    whole = eh.run(path, responses="out.jsonl").usage["responses"]
    assert whole["costs"] == {"judge-1.5": pytest.approx(40 * (5 * 20e-6 + 200e-6))}


def test_without_a_price_the_cost_is_not_known_and_never_nothing(task: Write) -> None:
    plain = eh.run(task(PAID.replace("  prices:\n    sum-1: {input: 10, output: 100}\n", "  prices:\n"), QUESTIONS), limit=3)
    assert (plain.usage["cost"], plain.usage["costs"]) == (None, {"sum-1": None})
    without = PAID[: PAID.index("  prices:")] + PAID[PAID.index("metrics:") :]
    none = eh.run(task(without), limit=3)
    assert (none.usage["cost"], none.usage["costs"], none.usage["responses"]["cost"]) == (None, {}, None)
    assert read_record(Path(none.provenance["folder"])).usage["cost"] is None
    told = run(str(task(PAID.replace("sum-1: {", "sum-2: {"))), "--limit", "3").stdout
    assert "cost: not known without prices of sum-1" in told
    assert "cost:" not in run(str(task(without)), "--limit", "3").stdout


def test_prices_change_neither_the_folder_nor_a_byte_that_is_compared(task: Write) -> None:
    eh.run(task(PAID))
    eh.run(task(PAID.replace("input: 10", "input: 11")))
    (folder,) = Path("runs/sums").iterdir()
    assert folder.name.startswith("bought-")


@pytest.mark.parametrize("limit", [("--max-requests", "0"), ("--max-tokens", "-3"), ("--max-cost", "0"), ("--max-cost", "nan")])
def test_no_limits_are_refused_before_anything_is_asked(task: Write, limit: tuple[str, str]) -> None:
    done = run(str(task(PAID)), *limit)
    assert done.exit_code == 2
    assert limit[0] in done.output
    assert not Bought.asked


def test_a_limit_on_the_cost_without_a_price_names_the_model_and_the_lines_to_write(task: Write) -> None:
    path = task(JUDGED.replace("    judge-1.5: {input: 20, output: 200}\n", ""))
    with pytest.raises(UsageError, match=r"^--max-cost needs a price of the model 'judge-1.5'") as told:
        eh.run(path, max_cost=1)
    assert not Bought.asked
    assert not Path("runs").exists()
    lines = str(told.value).partition("\n\n")[2].splitlines()
    assert lines[0] == "system:"
    path.write_text(JUDGED.replace("    judge-1.5: {input: 20, output: 200}", lines[2]))
    assert eh.run(path, max_cost=1, limit=2).errors == 0


def test_a_training_task_takes_no_limits(task: Write) -> None:
    path = task("kind: training\nname: x\n")
    done = run(str(path), "--max-cost", "1")
    assert (done.exit_code, "--max-cost: not for a training task" in done.output) == (2, True)


def test_a_run_that_may_stop_early_ends_at_its_limit_too(task: Write) -> None:
    rows = [{**QUESTIONS[0], "id": f"s{number}", "question": f"{number} plus 0?"} for number in range(120)]
    path = task(PAID, rows)
    record = eh.run(path, out="out", until="exact_match ±0.001", max_requests=45)
    assert (record.usage["requests"], record.errors) == (45, 19)
    assert record.stopping is not None
    told = {name: record.stopping[name] for name in ("reached", "samples", "of_samples", "looks", "requests_saved")}
    assert told == {"reached": False, "samples": 64, "of_samples": 120, "looks": 2, "requests_saved": 0}
    assert run("--rescore", "out").exit_code == 0
    again = eh.run(path, out="out", until="exact_match ±0.001")
    assert (again.usage["requests"], again.usage["from_store"], again.errors) == (75, 45, 0)
