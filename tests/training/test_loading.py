"""Reading training tasks: everything is found at once, and what is written reads back."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness.contract import Spec
from evalharness.errors import FaultsFound
from evalharness.task import TrainingTask, is_training_file, load_task, load_training, task_yaml
from tests.training.tasks import SUMS, TABLE, TEXTS, write_data


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)


def written(text: str, name: str = "task.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def read(text: str) -> TrainingTask:
    task = load_task(written(text))
    assert isinstance(task, TrainingTask)
    return task


def faults(text: str) -> list[str]:
    with pytest.raises(FaultsFound) as caught:
        load_training(written(text))
    return [str(fault) for fault in caught.value.faults]


def test_arms_seeds_and_trainer_are_read() -> None:
    task = read(SUMS)
    assert [arm.name for arm in task.arms] == ["completion", "full"]
    assert task.arms[1].loss == Spec("supervised", {"mask": "none"})
    assert (task.seeds, task.repeats, task.trainer.steps, task.trainer.schedule) == ((0, 1), 2, 4, "constant")
    assert task.system.name == "completion"
    assert is_training_file("task.yaml")


def test_an_arm_may_have_rules_and_a_network_and_trainer_of_its_own() -> None:
    arm = "full: {loss: supervised, rules: [neftune], model: linear, trainer: {steps: 9}}"
    task = read(SUMS.replace("full: {supervised: {mask: none}}", arm))
    own = task.arms[1]
    assert (own.rules, own.network, own.trainer.steps, own.trainer.batch_size) == ((Spec("neftune"),), Spec("linear"), 9, 4)
    assert task.trainer.steps == 4


def test_every_fault_is_told_at_its_place() -> None:
    changes = {
        "generate:": "generator:", "mask: prompt": "mask: promt", "full: {sup": "full: {sop", "seeds: [0, 1]": "seeds: [0, 0]",
        "steps: 4": "stepz: 4", "token_f1": "token_f2",
    }  # fmt: skip
    text = SUMS
    for old, new in changes.items():
        text = text.replace(old, new)
    found = faults(text)
    lines = {int(fault.split(":")[1]) for fault in found}
    assert lines == {number for number, line in enumerate(text.splitlines(), 1) if any(new in line for new in changes.values())}
    for nearest in ("generate", "prompt", "supervised", "steps", "token_f1"):
        assert any(f"Did you mean '{nearest}'?" in fault for fault in found), nearest


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("train: train.jsonl, ", "", "needs 'dataset' with a training and a test part"),
        ("model:", "modell:", "a training task has no key 'modell'. Did you mean 'model'?"),
        ("arms:", "armz:", "a training task needs 'arms'"),
        ("steps: 4", "steps: 0", "'steps' must be at least 1, not 0"),
        ("trainer: {steps: 4", "plant: {outliers: {share: 0.1}}\ntrainer: {steps: 4", "'plant' puts faults into tables"),
        ("generate:", "output_type: predict\ngenerate:", "'config' is a network over text, which does not 'predict'"),
        ("hidden_size: 16", "hidden_sizes: 16", "network 'config' has no option 'hidden_sizes'. Did you mean 'hidden_size'?"),
    ],
)
def test_what_does_not_fit_is_told(old: str, new: str, told: str) -> None:
    assert told in "\n".join(faults(SUMS.replace(old, new)))


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        ("{outliers: {share: 2}}", "'share' must be between 0 and 1, not 2"),
        ("{outliers: {shares: 0.1}}", "has no key 'shares'. Did you mean 'share'?"),
        ("{outliers: {share: 0.1, sides: left}}", "one of 'one', 'both'"),
        ("{outliers: {share: 0.1, size: [5]}}", "'size' must be the least and the largest shift"),
        ("{positives: {share: 1}}", "'share' must be between 0 and 1, not 1"),
    ],
)
def test_planted_faults_are_checked(plant: str, told: str) -> None:
    assert told in "\n".join(faults(f"{TABLE}plant: {plant}\n"))


def test_what_one_arm_and_seed_wrote_reads_back_equal() -> None:
    for text in (SUMS, TEXTS, f"{TABLE}plant: {{outliers: {{share: 0.1}}}}\n"):
        whole = read(text)
        alone = whole.of(whole.arms[-1].name, whole.seeds[:1])
        again = load_task(written(task_yaml(alone), "alone.yaml"))
        assert again == alone
        assert again.system.plain() == alone.system.plain()
        assert again.digest() == alone.digest() == whole.digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [("seeds: [0, 1]", "seeds: [3]"), ("steps: 4", "steps: 5"), ("hidden_size: 16", "hidden_size: 8"), ("full", "all")],
)
def test_what_makes_the_systems_is_not_in_the_digest(old: str, new: str) -> None:
    assert read(SUMS.replace(old, new)).digest() == read(SUMS).digest()


@pytest.mark.parametrize(
    ("old", "new"), [("token_f1", "exact_match"), ("train: train", "train: pairs"), ("name: sums", "name: sum")]
)
def test_what_systems_are_compared_by_is_in_the_digest(old: str, new: str) -> None:
    assert read(SUMS.replace(old, new)).digest() != read(SUMS).digest()


def test_the_system_names_its_arm_and_holds_what_made_it() -> None:
    system = read(SUMS).of("full", (1,)).system
    assert system.name == "full"
    assert set(system.plain()) == {"name", "prompt", "model", "loss", "trainer", "seed", "generate"}
    assert (system.plain()["loss"], system.plain()["seed"]) == ({"supervised": {"mask": "none"}}, 1)


def test_metrics_of_texts_are_followed_by_the_same_before_training() -> None:
    names = [(entry.name or entry.spec.name) for entry in read(SUMS).metrics]
    assert names == ["perplexity", "perplexity.before", "token_f1", "token_f1.before"]
    assert read(SUMS).metrics[0].spec == Spec("perplexity", {"of": "references", "given": "prompt"})
    assert read(TEXTS).metrics[0].spec == Spec("bits_per_byte", {"of": "text"})
    assert [entry.spec.name for entry in read(TABLE).metrics] == ["mae", "rmse"]


def test_a_table_has_a_training_and_a_test_part() -> None:
    task = read(TABLE)
    assert task.output_type == "predict"
    assert task.train.source == Spec("part", {"of": Spec("table", {"source": "sklearn:diabetes"}), "part": "train"})
    assert task.dataset.source.options["part"] == "test"
    again = read(TABLE.replace("sklearn:diabetes", "{source: {table: {source: 'sklearn:diabetes'}}}"))
    assert again.digest() == task.digest()
    halved = read(TABLE.replace("sklearn:diabetes", "{source: {part: {of: {table: {source: 'sklearn:diabetes'}}, share: 0.5}}}"))
    assert [part.source.options["share"] for part in (halved.train, halved.dataset)] == [0.5, 0.5]


def test_every_combination_of_what_varies_is_a_task_of_its_own() -> None:
    sources, networks = "['sklearn:diabetes', 'mlxtend:boston']", "[linear, {mlp: {width: 4}}]"
    vary = f"vary: {{dataset: {sources}, plant.outliers.share: [0, 0.1], model: {networks}}}\n"
    tasks = load_training(written(TABLE + vary))
    assert len(tasks) == 8
    assert (tasks[0].name, tasks[-1].name) == ("table.diabetes.0.linear", "table.boston.0.1.mlp")
    assert len({task.digest() for task in tasks}) == 8
    assert (tasks[-1].study, tasks[-1].labels) == ("table", ("boston", "0.1", "mlp"))
    assert tasks[-1].plant.outliers is not None
    assert (tasks[-1].plant.outliers.share, tasks[-1].network) == (0.1, Spec("mlp", {"width": 4}))
    with pytest.raises(FaultsFound, match=r"'vary' makes 8 tasks of this file \(table\.diabetes\.0\.linear"):
        load_task("task.yaml")


def test_what_cannot_vary_is_told() -> None:
    assert "vary: 'model' must be a list" in "\n".join(faults(f"{TABLE}vary: {{model: linear}}\n"))
    assert "nothing can be set at 'name.first'" in "\n".join(faults(f"{TABLE}vary: {{name.first: [a]}}\n"))


def test_a_key_of_vary_that_a_task_has_not_is_told_at_its_place() -> None:
    (told,) = faults(f"{TABLE}vary: {{plants.outliers.share: [0, 0.1]}}\n")
    assert told == f"task.yaml:{TABLE.count(chr(10)) + 1}:8: vary: a training task has no key 'plants'. Did you mean 'plant'?"


@pytest.mark.parametrize("vary", ["linear", "{model: linear}", "{model: []}", "{modell: [linear]}"])
def test_a_fault_of_vary_hides_no_other(vary: str) -> None:
    told = faults(f"{TABLE.replace('rmse', 'rmze')}vary: {vary}\n")
    assert sum("vary" in fault for fault in told) == 1
    assert sum("'rmze'" in fault for fault in told) == 1


def test_no_system_can_be_given_to_a_training_task() -> None:
    with pytest.raises(FaultsFound, match="makes its systems, its arms"):
        load_task(written(SUMS), model="echo")


def test_a_training_task_that_does_not_say_so_is_told_what_to_add() -> None:
    text = TABLE.replace("kind: training\n", "")
    with pytest.raises(FaultsFound) as caught:
        load_task(written(text))
    place = f"task.yaml:{text[: text.index('arms:')].count(chr(10)) + 1}:1"
    assert [str(fault) for fault in caught.value.faults] == [
        f"{place}: 'arms' is a key of training tasks; if this is one, add the line 'kind: training'"
    ]
