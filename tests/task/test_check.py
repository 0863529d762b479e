"""What a look at the task alone finds: things that do not fit together, and things that are there for nothing."""

# ruff: noqa: E501  (messages stand here as users read them)

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import pytest

from evalharness.task import check_task, load_task
from evalharness.task.check import missing_packages


@pytest.fixture
def findings(write: Callable[..., str], task_text: str) -> Callable[..., list[str]]:
    """Check the quiz with some values replaced."""

    def findings(*overrides: str, **options: str) -> list[str]:
        return [str(finding) for finding in check_task(load_task(write(task_text), overrides=overrides, **options))]  # type: ignore[arg-type]

    return findings


def test_a_sound_task_has_no_findings(findings: Callable[..., list[str]]) -> None:
    assert findings() == []


def test_a_metric_that_reads_what_the_output_type_does_not_make_is_an_error(findings: Callable[..., list[str]]) -> None:
    assert findings("metrics=[matching, certainty]") == [
        "error: --set metrics: metric 'certainty' reads 'logprobs', which this task with the output type 'generate' does not provide. "
        "It provides: group, id, input, references, response, responses."
    ]
    assert findings("metrics=[matching]", "output_type=likelihood") == [
        "error: --set metrics: metric 'matching' reads 'response', which this task with the output type 'likelihood' does not provide. "
        "It provides: group, id, input, logprobs, references, text."
    ]


def test_a_metric_that_reads_what_only_the_data_could_have_is_a_warning(findings: Callable[..., list[str]]) -> None:
    assert findings("metrics=[matching, found]", "dataset.fields.contexts=passages") == [
        "warning: --set metrics: metric 'found' reads 'relevant', which this task provides only if the data has a column of that name; "
        "--data looks. It provides: contexts, group, id, input, references, response, responses.",
    ]


def test_metrics_of_passages_beside_a_system_without_them_are_told_in_one_warning(findings: Callable[..., list[str]]) -> None:
    metrics = "metrics=[matching, found, {found: {k: [3]}, as: deeper}]"
    relevant = "dataset.fields.relevant=judged"
    assert findings(metrics, relevant) == [
        "warning: task.yaml:6:3: this system retrieves nothing: found, deeper will be unmeasured (no contexts), "
        "unless the data has a column 'contexts'; --data looks"
    ]
    for provided in ("dataset.fields.contexts=passages", "system.retriever={shelf: {corpus: c.txt}}"):
        assert findings(metrics, relevant, provided) == []
    assert findings(metrics, relevant, responses="out.jsonl") == []
    assert [finding.split(", which")[0] for finding in findings(metrics, relevant, "system.retriever=in_data")] == [
        "warning: --set metrics: metric 'found' reads 'contexts'"
    ] * 2


def test_a_variable_that_is_not_known_is_shown_with_the_nearest_field(findings: Callable[..., list[str]]) -> None:
    assert findings("system.prompt='{{ inptu }} {{ input }}'") == [
        "warning: --set system.prompt: a template reads 'inptu', which this task provides only if the data has a column of that name; "
        "--data looks. Did you mean 'input'?"
    ]


def test_a_prompt_that_shows_the_answer_is_warned_of(findings: Callable[..., list[str]]) -> None:
    assert findings("system.prompt='{{ input }} {{ references }}'") == [
        "warning: --set system.prompt: the prompt reads 'references': it shows the answer that is asked for"
    ]


def test_a_metric_that_asks_needs_a_model_of_its_own_beside_recorded_responses(findings: Callable[..., list[str]]) -> None:
    asking = "metrics=[matching, judged]"
    assert findings(asking) == []
    assert findings(asking, responses="out.jsonl") == [
        "error: --set metrics: metric 'judged' asks the system's model, but recorded responses have none; name one: judged: {model: NAME}"
    ]
    assert findings("metrics=[matching, {judged: {model: echo}}]", responses="out.jsonl") == []


def test_a_model_that_cannot_answer_is_an_error(findings: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    from evalharness_recorded.echo import Echo

    import evalharness as eh

    monkeypatch.setattr(Echo, "supports", (eh.Embed,))
    assert findings() == [
        "error: task.yaml:8:10: model 'echo' does not answer 'generate' requests, which the output type 'generate' needs. It answers: embed."
    ]


def test_a_model_without_a_prompt_is_shown_the_input(findings: Callable[..., list[str]]) -> None:
    assert findings("system.prompt=null") == []


def test_an_extra_that_is_not_installed_is_an_error(findings: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["torch>=2 ; extra == 'heavy'", "no-such-package[fast]>=1; extra == 'heavy'", "other; extra == 'more'", "click>=8"]
    monkeypatch.setattr(metadata, "requires", lambda name: required if name == "test" else [])
    found = findings("metrics=[matching, heavy]")
    assert found == ["error: --set metrics: metric 'heavy' needs no-such-package; install with: pip install 'test[heavy]'"]


def test_missing_packages_are_those_of_the_extra_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["no-such-a; extra == 'x'", "no-such-b", 'pytest; extra == "x"'])
    assert missing_packages("anything", "x") == ["no-such-a"]
    assert missing_packages("anything", "y") == []


@pytest.mark.parametrize(
    ("overrides", "finding"),
    [
        (["dataset.fields.level=level"], "warning: --set dataset.fields.level: nothing reads the field 'level'"),
        (["system.retriever={shelf: {corpus: c.txt}}"],
         "warning: --set system.retriever: passages are retrieved, but neither the prompt nor a metric reads 'contexts'"),
        (["delimiter=' '"], "warning: --set delimiter: 'delimiter' has no effect without choices or few-shot examples"),
        (["fewshot.answer='{{ references[0] }}'"],
         "warning: --set fewshot.answer: the answer template has no effect while fewshot.samples is 0"),
        (["repeats=3"], "warning: --set repeats: all repeats will be equal: the temperature is 0"),
        (["output_type=likelihood", "metrics=[certainty]", "system.generate.seed=1"],
         "warning: --set system.generate.seed: 'generate' has no effect on the output type 'likelihood'"),
        (["output_type=likelihood", "metrics=[certainty]", "transforms=[strip]"],
         "warning: --set transforms: 'transforms' have no effect on the output type 'likelihood'"),
    ],
)  # fmt: skip
def test_what_is_there_for_nothing_is_a_warning(overrides: list[str], finding: str, findings: Callable[..., list[str]]) -> None:
    assert finding in findings(*overrides)


def test_errors_come_before_warnings(findings: Callable[..., list[str]]) -> None:
    levels = [finding.split(":")[0] for finding in findings("metrics=[found, certainty]")]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}
