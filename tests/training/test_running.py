"""Training tasks from the file to the records: what stands in them, what is done once, and what an interruption costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness import running, training
from evalharness.errors import DataError, FaultsFound, UsageError
from evalharness.results import read_record
from evalharness.results.curves import read_curves
from evalharness.results.record import Record
from evalharness.systems.engine import Work
from evalharness.systems.store import Store
from evalharness.training.checkpoints import last_checkpoint
from evalharness.training.fitting import Fit, train
from evalharness.training.jobs import in_processes
from evalharness.training.running import ArmsFailed
from tests.training.tasks import DENSE, MIXTURE, PAIRS, SUMS, TABLE, TEXTS, write_data, write_rows

ONE_SEED = SUMS.replace("seeds: [0, 1]", "seeds: [0]")
WRITTEN = {"record.json", "replicates.npz", "samples.parquet", "task.yaml", "log.jsonl", "curves.parquet", "weights"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    write_data(tmp_path)


def run(text: str, **options: Any) -> dict[str, Record]:
    Path("task.yaml").write_text(text, encoding="utf-8")
    return training.run("task.yaml", **options)


def fields(folder: str) -> dict[str, dict[str, Any]]:
    table = parquet.read_table(Path(folder) / "samples.parquet", columns=["id", "fields"]).to_pylist()
    return {row["id"]: json.loads(row["fields"]) for row in table}


def contents(folder: str) -> dict[str, bytes]:
    """Return the files of a run that must be equal where the run is."""
    files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    kept = [path for path in files if path.name not in (".lock", "log.jsonl", "record.json")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def without_provenance(folder: str) -> dict[str, Any]:
    plain = read_record(folder).plain()
    return {name: part for name, part in plain.items() if name not in ("usage", "provenance")}


def test_each_seed_has_a_run_folder_and_each_arm_a_record() -> None:
    records = run(SUMS)
    assert list(records) == ["completion", "full"]
    for arm in records:
        assert {path.name for path in Path("runs/sums", arm, "seed1").iterdir()} - {".lock"} == WRITTEN
        assert records[arm].seeds is not None
        assert records[arm].seeds["seeds"] == [0, 1]
    record = read_record("runs/sums/full/seed1")
    assert set(record.scores) == {"perplexity", "perplexity.before", "token_f1", "token_f1.before"}
    assert record.scores["perplexity"].value < record.scores["perplexity.before"].value
    assert record.system["name"] == "full"
    assert record.system["spec"]["loss"] == {"supervised": {"mask": "none"}}
    assert (record.system["spec"]["seed"], record.system["spec"]["trainer"]["steps"]) == (1, 4)
    assert record.dataset["train"]["examples"] == 20
    assert len(record.system["trained"]["digest"]) == 32
    curve = parquet.read_table("runs/sums/full/seed1/curves.parquet").to_pylist()
    assert {"loss", "gradient_norm", "learning_rate"} <= {row["name"] for row in curve}
    assert max(row["step"] for row in curve) == 4


def test_what_was_trained_answers_elsewhere_as_it_did_in_the_task() -> None:
    run(ONE_SEED, arms=["full"])
    Path("plain.yaml").write_text(
        "name: sums\ndataset: {path: test.jsonl, fields: {id: id, input: question, references: answers}}\n"
        'system: {name: kept, prompt: "{{ input }}", model: {hf: {weights: runs/sums/full/seed0/weights}}, '
        "generate: {max_tokens: 4}}\nmetrics: [token_f1]\n"
    )
    eh.run("plain.yaml", out="plain")
    responses = [parquet.read_table(f"{folder}/samples.parquet")["response"] for folder in ("plain", "runs/sums/full/seed0")]
    assert responses[0] == responses[1]


def test_equal_arms_start_alike_and_see_the_data_in_one_order() -> None:
    run(ONE_SEED.replace("full: {supervised: {mask: none}}", "again: supervised"))
    first, second = (contents(f"runs/sums/{arm}/seed0") for arm in ("completion", "again"))
    first.pop("task.yaml"), second.pop("task.yaml")
    assert first == second


def test_seeds_differ() -> None:
    run(SUMS, arms=["full"])
    weights = [Path(f"runs/sums/full/seed{seed}/weights/model.safetensors").read_bytes() for seed in (0, 1)]
    assert weights[0] != weights[1]


def test_what_is_finished_is_not_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(ONE_SEED)
    monkeypatch.setattr("evalharness.training.seeds.train", None)
    assert {name: record.scores for name, record in run(ONE_SEED).items()} == {name: one.scores for name, one in first.items()}
    with pytest.raises(ArmsFailed, match="not callable"):
        run(ONE_SEED.replace("steps: 4", "steps: 5"))


def test_a_seed_that_was_trained_otherwise_does_not_stand_beside_the_others() -> None:
    run(SUMS, arms=["full"])
    with pytest.raises(UsageError, match=r"seed1 \(.* was .* and is .*\) was trained otherwise than the arm is now"):
        run(SUMS.replace("steps: 4", "steps: 5"), arms=["full"], seeds=[0])


def test_the_answers_before_training_are_asked_once_for_all_arms() -> None:
    with Store(Path("store.sqlite")) as store:
        run(ONE_SEED, arms=["completion"], store="store.sqlite")
        before = sum(holding.answers for holding in store.holdings())
        run(ONE_SEED, arms=["full"], store="store.sqlite")
        after = sum(holding.answers for holding in store.holdings())
    assert (before, after - before) == (2 * 20, 20)  # of 10 samples: an answer, and the likelihood of the reference


def stopped_at(step: int) -> Callable[[Work], None]:
    def watch(work: Work) -> None:
        if "seed" in work.name and work.done == step:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("arm", ["full", "balanced"])
def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(arm: str) -> None:
    text = {"full": ONE_SEED, "balanced": TEXTS}[arm].replace("steps: 4", "steps: 8").replace("steps: 3", "steps: 8")
    text = text.replace("steps: 8", "steps: 8, save_every: 2")
    run(text, arms=[arm], out="whole")
    with pytest.raises(KeyboardInterrupt):
        run(text, arms=[arm], out="broken", watch=stopped_at(5))
    assert {"checkpoint-2", "checkpoint-4"} <= {path.name for path in Path("broken", arm, "seed0", "checkpoints").iterdir()}
    steps: list[int] = []
    run(text, arms=[arm], out="broken", watch=lambda work: steps.append(work.done) if "seed" in work.name else None)
    assert steps == [5, 6, 7, 8]
    assert contents(f"whole/{arm}") == contents(f"broken/{arm}")
    assert without_provenance(f"whole/{arm}/seed0") == without_provenance(f"broken/{arm}/seed0")


def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_bytes() -> None:
    text = ONE_SEED.replace("steps: 4", "steps: 400, save_every: 5")
    Path("long.yaml").write_text(text, encoding="utf-8")
    code = "from evalharness import training; training.run('long.yaml', arms=['full'], out='killed')"
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None and last_checkpoint("killed/full/seed0/checkpoints") is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    run(text, arms=["full"], out="killed")
    run(text, arms=["full"], out="whole")
    assert contents("killed/full") == contents("whole/full")


def test_checkpoints_of_another_run_are_not_gone_on_from() -> None:
    text = ONE_SEED.replace("steps: 4", "steps: 4, save_every: 2")
    with pytest.raises(KeyboardInterrupt):
        run(text, arms=["full"], watch=stopped_at(3))
    run(text.replace("0.01", "0.02"), arms=["full"])
    run(text.replace("0.01", "0.02"), arms=["full"], out="whole")
    assert contents("whole/full") == contents("runs/sums/full")


@pytest.mark.parametrize("text", [ONE_SEED, TEXTS, TABLE], ids=["generate", "likelihood", "table"])
def test_records_are_scored_again_and_compared(text: str) -> None:
    folders = [str(record.provenance["folder"]) for record in run(text).values()]
    for folder in folders:
        assert running.rescore(folder).agrees
        assert running.rescore(f"{folder}/seed0").agrees
        assert running.rescore(folder, statistics_only=True).agrees
    pair = eh.compare(*folders).pairs[0]
    assert all(line.difference.value is not None for line in pair.lines)
    assert not any("measured differently" in str(line.difference.reason) for line in pair.lines)


def test_pairs_of_answers_are_trained_on_with_what_the_start_makes_of_them() -> None:
    with Store(Path("store.sqlite")) as store:
        records = run(PAIRS, store="store.sqlite")
        references = {holding.kind: holding.answers for holding in store.holdings()}["reference"]
    assert list(records) == ["dpo", "kto", "simpo"]
    assert references == 8 * 3  # for both arms: chosen, rejected, chosen of the next; all rejected answers are alike
    assert {"response_length", "response_length.before"} <= set(records["dpo"].scores)


def test_routing_is_measured_before_and_after() -> None:
    records = run(TEXTS.replace("metrics: [bits_per_byte]", "metrics: [routing_load_variation]"), arms=["none"])
    names = list(records["none"].scores)
    assert any(name.startswith("routing_load_variation.before") for name in names)
    counts = fields("runs/texts/none/seed0")["t3"]["router_counts"]
    assert (len(counts), len(counts[0])) == (2, 4)
    assert sum(counts[0]) == sum(counts[1])


def test_predictions_of_a_table_stand_among_the_fields() -> None:
    run(TABLE, arms=["mse"], seeds=[0])
    one = next(iter(fields("runs/table/mse/seed0").values()))
    assert set(one) == {"target", "prediction"}
    record = read_record("runs/table/mse/seed0")
    assert record.task["output_type"] == "predict"
    assert record.scores["rmse"].value < 1  # standardised: a constant has 1
    assert not Path("runs/table/mse/seed0/checkpoints").exists()


@pytest.mark.parametrize(
    ("source", "loss", "shape"),
    [("sklearn:breast_cancer", "binary_cross_entropy", None), ("sklearn:digits", "cross_entropy", 10)],
)
def test_classes_have_probabilities(source: str, loss: str, shape: int | None) -> None:
    metrics = "metrics: [accuracy]" if shape is None else f"metrics: [{{accuracy: {{classes: {shape}}}}}]"
    text = TABLE.replace("sklearn:diabetes", source).replace("{mse: mse, mae: mae}", f"{{one: {loss}}}")
    records = run(text.replace("metrics: [mae, rmse]", metrics), seeds=[0])
    assert records["one"].scores["accuracy"].value > 0.85
    one = next(iter(fields("runs/table/one/seed0").values()))
    assert isinstance(one["probabilities"], float if shape is None else list)
    assert isinstance(one["prediction"], int)


def test_planted_outliers_reach_the_training_part_alone() -> None:
    plant = "plant: {outliers: {share: 0.3, sides: one}}\n"
    run(TABLE, arms=["mse"], seeds=[0], out="clean")
    run(TABLE + plant, arms=["mse"], seeds=[0], out="planted")
    clean, planted = fields("clean/mse/seed0"), fields("planted/mse/seed0")
    assert {name: one["target"] for name, one in clean.items()} == {name: one["target"] for name, one in planted.items()}
    mean = [sum(one["prediction"] for one in each.values()) / len(each) for each in (clean, planted)]
    assert mean[1] > mean[0] + 0.2


def test_a_varied_task_has_a_folder_for_each_combination() -> None:
    records = run(f"{TABLE}vary: {{plant.outliers.share: [0, 0.2], model: [linear, mlp]}}\n", arms=["mse"], seeds=[1])
    assert list(records) == ["0/linear/mse", "0/mlp/mse", "0.2/linear/mse", "0.2/mlp/mse"]
    assert Path("runs/table/0.2/mlp/mse/seed1/record.json").is_file()
    assert records["0/linear/mse"].task["name"] == "table.0.linear"


def test_quick_is_small_and_apart() -> None:
    records = run(SUMS.replace("steps: 4", "steps: 400"), quick=True)
    assert Path("runs/sums-quick/full/seed0/record.json").is_file()
    assert not Path("runs/sums").exists()
    assert records["full"].dataset["limit"] == 8
    assert records["full"].system["spec"]["trainer"]["steps"] == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [({"arms": ["fall"]}, "no arm is called 'fall'. Did you mean 'full'?"), ({"seeds": [7]}, "has no seed 7; it has 0, 1")],
)
def test_unknown_arms_and_seeds_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("?", r"\?")):
        run(SUMS, **options)


@pytest.mark.parametrize(
    ("text", "loss", "told"),
    [
        (
            SUMS,
            "moe_switch",
            "loss 'moe_switch' needs the tensor 'router_logits', which only the routers of a mixture of experts give",
        ),
        (SUMS, "mse", "loss 'mse' needs the tensor 'prediction', which a network over texts such as 'config' does not give"),
        (
            TABLE,
            "supervised",
            "loss 'supervised' needs the tensor 'labels', which a network over tables such as 'linear' does not",
        ),
    ],
)
def test_a_loss_that_lacks_a_tensor_is_told_before_anything_is_trained(text: str, loss: str, told: str) -> None:
    arms = text[text.index("arms:") : text.index("trainer:")]
    with pytest.raises(FaultsFound, match=told) as caught:
        run(text.replace(arms, f"arms:\n  wrong: {loss}\n"))
    assert caught.value.faults[0].where == f"task.yaml:{text[: text.index('arms:')].count(chr(10)) + 2}:3"
    assert not Path("runs").exists()


def test_a_network_that_cannot_be_built_is_told_before_anything_is_trained() -> None:
    strange = SUMS.replace("max_position_embeddings: 64", "max_position_embeddings: 64, num_local_experts: 4")
    with pytest.raises(FaultsFound, match="the architecture 'llama' has no option 'num_local_experts'"):
        run(strange)
    assert not Path("runs").exists()


def test_a_dense_network_becomes_a_mixture_and_the_arm_runs() -> None:
    text = SUMS.replace(DENSE, MIXTURE).replace("{supervised: {mask: none}}", "{combine: {of: [supervised, moe_switch]}}")
    assert "full" in run(text, arms=["full"], seeds=[0])


def test_a_sample_without_an_answer_is_left_out_and_told() -> None:
    rows = [{"id": f"q{n}", "question": "Why? ", "answers": ["so"] if n else []} for n in range(6)]
    write_rows(Path("train.jsonl"), rows)
    run(ONE_SEED, arms=["full"])
    log = [json.loads(line) for line in Path("runs/sums/full/seed0/log.jsonl").read_text().splitlines()]
    assert [line["sample"] for line in log if line["event"] == "training sample left out"] == ["q0"]
    write_rows(Path("train.jsonl"), rows[:1])
    with pytest.raises(
        DataError, match="none of the 1 training samples can be trained on; the first: sample 'q0' has no 'references'"
    ):
        run(ONE_SEED, arms=["full"])


def test_a_broken_line_of_the_training_part_is_told_in_the_log() -> None:
    with Path("train.jsonl").open("a") as file:
        file.write("no JSON\n")
    record = run(ONE_SEED, arms=["full"])["full"]
    assert record.dataset["train"]["examples"] == 20
    log = Path("runs/sums/full/seed0/log.jsonl").read_text()
    assert '"event": "training data fault", "where": "train.jsonl:21"' in log


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_arm_that_leaves_the_numbers_is_named_and_costs_no_other(jobs: int) -> None:
    wild = "{loss: mse, trainer: {learning_rate: 1.0e+30, optimizer: sgd}}"
    with pytest.raises(ArmsFailed, match=r"arm 'wild', seed 0: .*gives no finite loss") as caught:
        run(TABLE.replace("mse: mse", f"wild: {wild}"), jobs=jobs)
    assert list(caught.value.records) == ["mae"]
    assert (Path("runs/table/mae/record.json").is_file(), Path("runs/table/wild/record.json").exists()) == (True, False)


def test_an_arm_that_fails_when_trained_anew_keeps_no_record_of_what_it_was() -> None:
    run(TABLE, arms=["mse"])
    with pytest.raises(ArmsFailed):
        run(TABLE.replace("mse: mse", "mse: {loss: mse, trainer: {learning_rate: 1.0e+30, optimizer: sgd}}"), arms=["mse"])
    assert not Path("runs/table/mse/record.json").exists()
    assert not Path("runs/table/mse/seed0/record.json").exists()


def test_a_fault_of_a_library_costs_its_arm_alone_and_stands_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: Any, data: Any, fit: Fit, watch: Any) -> Any:
        return train(module, data, fit, watch) if fit.loss.name == "mae" else 1 / 0

    monkeypatch.setattr("evalharness.training.seeds.train", broken)
    with pytest.raises(ArmsFailed, match=r"arm 'mse', seed 0: ZeroDivisionError: .* \(more in .*/log.jsonl\)") as caught:
        run(TABLE)
    assert list(caught.value.records) == ["mae"]
    assert "Traceback" in Path("runs/table/mse/seed0/log.jsonl").read_text()


def test_seeds_of_other_training_data_make_no_arm_together() -> None:
    run(ONE_SEED, arms=["full"])
    Path("train.jsonl").write_text("".join(Path("train.jsonl").read_text().splitlines(keepends=True)[1:]), encoding="utf-8")
    with pytest.raises(UsageError, match=r"seed0 \(the training data were others\) was trained otherwise"):
        run(SUMS, arms=["full"], seeds=[1])


def test_of_seeds_that_fill_different_experts_an_arm_has_the_mean() -> None:
    text = TEXTS.replace("[bits_per_byte]", "[routing_load_variation, routing_dead_share]") + "seeds: [0, 1, 2]\n"
    record = run(text, arms=["none"])["none"]
    assert record.seeds is not None
    for name, score in record.scores.items():
        assert score.value == pytest.approx(sum(record.seeds["scores"][name]) / 3)


@pytest.mark.parametrize("text", [TEXTS, TABLE], ids=["texts", "table"])
def test_metrics_have_curves_and_looking_at_them_changes_no_training(text: str) -> None:
    arm = "none" if text is TEXTS else "mse"
    steps = 3 if text is TEXTS else 20
    name = "eval.bits_per_byte" if text is TEXTS else "eval.rmse"
    every = text.replace("learning_rate", "evaluate_every: 2, learning_rate")
    record = run(every, arms=[arm], seeds=[0], out="watched")[arm]
    assert run(text, arms=[arm], seeds=[0], out="alone")[arm].scores == record.scores
    found = read_curves(Path("watched", arm, "seed0", "curves.parquet"))[name]
    before = [] if text is TABLE else [record.scores["bits_per_byte.before"].value]
    assert found.steps.tolist() == [*([0] if before else []), *range(2, steps, 2), steps]
    assert found.values[[*range(len(before)), -1]].tolist() == [*before, record.scores[name.removeprefix("eval.")].value]
    assert len(set(found.values)) == len(found.values)
    alone = read_curves(Path("alone", arm, "seed0", "curves.parquet"))
    assert name not in alone if text is TABLE else alone[name].steps.tolist() == [0, steps]
    assert not Path("watched", arm, "seed0", "snapshot").exists()


def test_a_killed_process_is_told_and_the_others_end_with_it() -> None:
    with pytest.raises(DataError, match="a process that trained arms was killed"):
        list(in_processes(os._exit, [1], 1))


def test_work_is_shared_out_to_processes() -> None:
    assert dict(in_processes(abs, [-1, 2, -3], 2)) == {0: 1, 1: 2, 2: 3}
