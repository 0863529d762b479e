"""Training tasks on the command line: what a person sees, and which options are for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.errors import UsageError
from tests.training.tasks import SUMS, TABLE, write_data


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    write_data(tmp_path)
    Path("tasks").mkdir()
    Path("tasks/sums.yaml").write_text(SUMS, encoding="utf-8")
    Path("tasks/table.yaml").write_text(TABLE, encoding="utf-8")
    Path("sums.yaml").write_text(SUMS, encoding="utf-8")
    Path("table.yaml").write_text(TABLE, encoding="utf-8")
    Path("plain.yaml").write_text(
        "name: plain\ndataset: {path: test.jsonl, fields: {id: id, input: question, references: answers}}\n"
        'system: {name: echo, prompt: "{{ input }}", model: echo}\nmetrics: [token_f1]\n'
    )


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False)


def refused(*words: str) -> str:
    result = run("run", *words)
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def test_the_arms_stand_in_a_table_and_the_next_command_is_named() -> None:
    result = run("run", "table.yaml")
    assert result.return_value == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "table · 2 arms · 2 seeds · 102 samples"
    assert lines[2].split() == ["mae", "↓", "value", "95%", "interval"]
    assert [line.split()[0] for line in lines[4:6]] == ["mse", "mae"]
    assert lines[-1] == "Is one better? evalharness compare runs/table/mse runs/table/mae"
    assert run("compare", "runs/table/mse", "runs/table/mae").return_value == 0


def test_quick_says_that_it_shows_nothing_and_shows_what_was_before() -> None:
    result = run("run", "sums.yaml", "--quick", "--arm", "full")
    assert result.return_value == 0, result.output
    assert "before training" in result.stdout
    assert "These numbers show nothing about the arms." in result.stdout
    assert Path("runs/sums-quick/full/seed0").is_dir()
    assert not Path("runs/sums").exists()


def test_records_are_given_as_json_by_arm() -> None:
    result = run("run", "table.yaml", "--arm", "mae", "--seed", "1", "--out", "here", "--json")
    records = json.loads(result.stdout)
    assert list(records) == ["mae"]
    assert records["mae"]["system"]["spec"]["loss"] == "mae"
    assert Path("here/mae/seed1/record.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--limit", "3"), "--limit: not for a training task"),
        (("--model", "echo", "--strict"), "--model, --strict: not for a training task"),
        (("--until", "token_f1 ±0.1"), "--until: not for a training task"),
        (("--fail-under", "token_f1=1"), "--fail-under: not for a training task"),
        (("--show-prompt",), "--show-prompt: not for a training task"),
        (("--arm", "ful"), "no arm is called 'ful'. Did you mean 'full'?"),
        (("--seed", "9"), "the task has no seed 9; it has 0, 1."),
    ],
)
def test_options_that_are_not_for_training_tasks_are_told(words: tuple[str, ...], told: str) -> None:
    assert refused("sums.yaml", *words).startswith(told)
    assert not Path("runs").exists()


def test_options_of_training_tasks_are_refused_elsewhere() -> None:
    assert refused("plain.yaml", "--arm", "full", "--quick").startswith("--arm, --quick: choose what a training task")
    assert refused("plain.yaml", "--jobs", "2").startswith("--jobs: ")


def test_a_training_task_is_checked() -> None:
    result = run("check", "sums.yaml", "--data")
    assert (result.return_value, result.stdout) == (0, "sums.yaml: no errors, no warnings (the file and its data)\n")
    assert run("check", "table.yaml", "--data").return_value == 0
    wrong = SUMS.replace("{supervised: {mask: none}}", "moe_switch").replace("test: test", "test: train")
    Path("wrong.yaml").write_text(wrong, encoding="utf-8")
    result = run("check", "wrong.yaml", "--data")
    assert result.return_value == 2
    assert "error: wrong.yaml:9:3: arm 'full': loss 'moe_switch' needs the tensor 'router_logits'" in result.stdout
    assert "warning: wrong.yaml:3:18: 20 samples of the test part stand in the training part too" in result.stdout
    assert "not for a training task" in run("check", "sums.yaml", "--model", "echo").stdout


def test_every_variant_is_checked_and_each_fault_told_once() -> None:
    Path("varied.yaml").write_text(f"{TABLE}vary: {{plant.outliers.share: [0, 0.1], model: [linear, {{mlp: {{widht: 3}}}}]}}\n")
    result = run("check", "varied.yaml")
    assert result.return_value == 2
    assert result.stdout.count("Did you mean 'width'?") == 1


def test_training_tasks_are_listed() -> None:
    rows = json.loads(run("list", "tasks", "--json").stdout)
    assert [(row["name"], row["file"]) for row in rows] == [("sums", "tasks/sums.yaml"), ("table", "tasks/table.yaml")]


def test_from_python_a_training_task_gives_a_record_an_arm() -> None:
    records = eh.run("table.yaml", seeds=[0])
    assert list(records) == ["mse", "mae"]
    with pytest.raises(UsageError, match="makes its own systems"):
        eh.run("table.yaml", system="plain.yaml")


def test_check_finds_faults_that_cannot_be_planted_in_the_data() -> None:
    text = TABLE.replace("sklearn:diabetes", "sklearn:breast_cancer")
    Path("planted.yaml").write_text(f"{text}plant: {{outliers: {{share: 0.1}}}}\n", encoding="utf-8")
    result = run("check", "planted.yaml", "--data")
    assert result.return_value == 2
    assert "planted.yaml:9:8: plant.outliers is for tables whose 'target' is a number" in result.output
