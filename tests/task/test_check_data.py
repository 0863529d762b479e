"""What one pass over the data finds."""

# ruff: noqa: E501  (messages stand here as users read them)

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evalharness.task import check_data, load_task


@pytest.fixture
def findings(write: Callable[..., str], task_text: str) -> Callable[..., list[str]]:
    """Check the quiz against these items, with some values replaced."""

    def findings(items: list[Any], *overrides: str, **options: str) -> list[str]:
        lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items]
        write("".join(f"{line}\n" for line in lines), "quiz.jsonl")
        return [str(finding) for finding in check_data(load_task(write(task_text), overrides=overrides, **options))]  # type: ignore[arg-type]

    return findings


def item(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "question": f"What is number {number}?", "answers": [f"answer{number}"], **changes}


def test_sound_data_has_no_findings(findings: Callable[..., list[str]]) -> None:
    assert findings([item(1), item(2, answers=[])]) == []


def test_broken_items_are_errors_with_their_lines_and_lose_nothing(findings: Callable[..., list[str]]) -> None:
    items = [item(1), '{"id": "q2", "question": ', item(3, answers=None), item(1), {"id": "q5", "question": "?"}, item(6)]
    assert findings(items) == [
        "error: quiz.jsonl:2: broken JSON: Expecting value in column 26",
        "error: quiz.jsonl:3: 'references' must be a string or a list of strings, not null; an unanswerable sample has []",
        "error: quiz.jsonl:4: the id 'q1' stands already at quiz.jsonl:1; ids must differ",
        "error: quiz.jsonl:5: the column 'answers' (for the field 'references') is missing. The item has: id, question",
    ]


def test_many_broken_items_are_cut_short(findings: Callable[..., list[str]]) -> None:
    found = findings([item(1), *["{"] * 30])
    assert len(found) == 21
    assert found[-1] == "error: quiz.jsonl:22: 10 more broken items"


@pytest.mark.parametrize("items", [[], ["", "  "]])
def test_an_empty_file_is_an_error(items: list[Any], findings: Callable[..., list[str]]) -> None:
    assert findings(items) == [
        "error: task.yaml:3:3: quiz.jsonl holds no sample. Name other data, or write one in: "
        '{"id": "q1", "question": "...", "answers": ["..."]}'
    ]


def test_a_missing_file_is_an_error(findings: Callable[..., list[str]]) -> None:
    assert findings([item(1)], "dataset.path=quizz.jsonl") == [
        "error: task.yaml:3:3: no file or folder is called 'quizz.jsonl'. Did you mean 'quiz.jsonl'?"
    ]


def test_a_missing_corpus_is_an_error_of_the_retriever_and_the_samples_are_checked_all_the_same(
    findings: Callable[..., list[str]],
) -> None:
    items = [item(1, relevant=["p9"]), item(1), item(3, question="")]
    settings = ["system.retriever={shelf: {corpus: corpus.txt}}", "system.prompt='{{ contexts }} {{ input }}'"]
    assert findings(items, *settings) == [
        "error: quiz.jsonl:2: the id 'q1' stands already at quiz.jsonl:1; ids must differ",
        "error: --set system.retriever: corpus.txt: there is no such corpus file",
        "warning: task.yaml:4:19: the input is empty (1 of 2 samples: q3)",
    ]


def test_a_missing_file_of_responses_is_an_error_of_the_responses(findings: Callable[..., list[str]]) -> None:
    unreadable = "out.jsonl: cannot read this file of recorded responses: No such file or directory"
    warning = "warning: task.yaml:4:19: the input is empty (1 of 2 samples: q2)"
    items = [item(1), item(2, question="")]
    assert findings(items, responses="out.jsonl") == [f"error: --responses: {unreadable}", warning]
    assert findings(items, "system.model={recorded: {path: out.jsonl}}") == [f"error: --set system.model: {unreadable}", warning]


def test_a_missing_pool_is_an_error_of_the_examples(findings: Callable[..., list[str]]) -> None:
    (found,) = findings([item(1)], "fewshot={samples: 1, path: pool.jsonl}")
    assert found.startswith("error: --set fewshot: no file or folder is called 'pool.jsonl'.")


def test_an_empty_input_is_a_warning(findings: Callable[..., list[str]]) -> None:
    assert findings([item(1), item(2, question=" \n")]) == ["warning: task.yaml:4:19: the input is empty (1 of 2 samples: q2)"]


def test_fields_that_something_reads_and_the_data_lacks_are_errors(findings: Callable[..., list[str]]) -> None:
    items = [item(number, level="easy") if number == 1 else item(number) for number in range(1, 10)]
    assert findings(items, "system.prompt='{{ input }} {{ level }}'", "metrics=[matching, found]", "group=null") == [
        "error: task.yaml:3:3: the field 'relevant' is missing, which metric 'found' reads (9 of 9 samples: q1, q2, q3, q4, q5, ...)",
        "error: task.yaml:3:3: the field 'level' is missing, which a template reads (8 of 9 samples: q2, q3, q4, q5, q6, ...)",
        "warning: task.yaml:3:3: the field 'contexts' is missing, which metric 'found' reads (9 of 9 samples: q1, q2, q3, q4, q5, ...)",
    ]


def test_prompts_are_checked_where_only_a_metric_misses_a_field(findings: Callable[..., list[str]]) -> None:
    assert findings([item(1, question="Is it answer1?", relevant=["p1"])], "metrics=[found]") == [
        "warning: task.yaml:3:3: the field 'contexts' is missing, which metric 'found' reads (1 of 1 samples: q1)",
        "warning: task.yaml:7:11: the answer stands in the prompt, contexts left aside (1 of 1 samples: q1)",
    ]


def test_a_prompt_that_does_not_fit_a_sample_is_an_error(findings: Callable[..., list[str]]) -> None:
    found = findings([item(1, extra="x"), item(2, extra=["y"])], "system.prompt='{{ input }} {{ extra + \"!\" }}'")
    assert found == [
        "error: --set system.prompt: the template does not fit this sample: TypeError: "
        'can only concatenate list (not "str") to list (1 of 2 samples: q2)'
    ]


def test_a_template_that_runs_away_is_one_error(findings: Callable[..., list[str]]) -> None:
    text = "system.prompt='{% for i in range(10**9) %}{% endfor %}'"
    found = findings([item(1)], text.replace("10**9", "1000000000"))
    assert found == [
        "error: task.yaml:3:3: --set system.prompt: the template computes too much: loops over more than 100,000 numbers"
    ]


def test_answers_that_stand_in_the_prompt_are_counted(findings: Callable[..., list[str]]) -> None:
    items = [
        item(1, question="Is it answer1?"),
        item(2, question="Is it Answer2, or not?"),
        item(3, question="Is it answer33?"),
        item(4),
    ]
    assert findings(items) == [
        "warning: task.yaml:7:11: the answer stands in the prompt, contexts left aside (2 of 4 samples: q1, q2)"
    ]


def test_answers_that_the_template_itself_offers_are_no_leak(findings: Callable[..., list[str]]) -> None:
    items = [item(1, answers=["I don't know"]), item(2, answers=["yes"])]
    assert findings(items, "system.prompt='Say yes or no, or \"I don''t know\". {{ input }}'") == []


def test_an_example_without_a_reference_is_an_error_at_the_answer_template(findings: Callable[..., list[str]]) -> None:
    found = findings([item(1), item(2, answers=[])], "fewshot={samples: 1, answer: '{{ references[0] }}'}")
    assert found == [
        "error: --set fewshot: the template does not fit this sample: list object has no element 0. "
        "Its fields: contexts, id, input, references. (1 of 2 samples: q1)"
    ]


def test_contexts_hold_answers_by_design(findings: Callable[..., list[str]], write: Callable[..., str]) -> None:
    prompt = "system.prompt='{{ contexts[0].text }} {{ input }}'"
    assert findings([item(1, contexts=["answer1 is here"])], prompt) == []
    write("p1 p2 p3", "corpus.txt")
    assert findings([item(1)], prompt, "system.retriever={shelf: {corpus: corpus.txt}}") == []


def test_contexts_that_should_stand_in_the_data_are_looked_for(findings: Callable[..., list[str]]) -> None:
    settings = ["system.retriever=in_data", "system.prompt='{{ contexts[0].text }} {{ input }}'"]
    assert findings([item(1, contexts=["answer1"]), item(2)], *settings) == [
        "error: task.yaml:3:3: the field 'contexts' is missing, which a template reads (1 of 2 samples: q2)"
    ]
    assert findings([item(1, contexts=["answer1"]), item(2, contexts=["answer2"])], *settings) == []


def test_relevant_passages_that_the_corpus_lacks_are_errors(
    findings: Callable[..., list[str]], write: Callable[..., str]
) -> None:
    write("p1 p2 p3", "corpus.txt")
    items = [item(1, relevant={"p1": 2}), item(2, relevant=["p2", "p9"]), item(3, relevant={"p9": 1}), item(4, relevant={})]
    found = findings(items, "system.retriever={shelf: {corpus: corpus.txt}}", "metrics=[matching, found]")
    assert found == ["error: task.yaml:3:3: the relevant passage 'p9' is not in the corpus (2 of 4 samples: q2, q3)"]


def test_recorded_responses_that_cannot_be_used_are_errors(findings: Callable[..., list[str]], write: Callable[..., str]) -> None:
    write('{"id": "q1", "response": "x"}\n{"id": "q2", "response": 7}\n', "out.jsonl")
    assert findings([item(1), item(2), item(3)], responses="out.jsonl") == [
        "error: --responses: out.jsonl:2: the field 'response' must be a string, not a number (1 of 3 samples: q2)",
        "error: --responses: out.jsonl holds no response for this sample (1 of 3 samples: q3)",
    ]


def test_a_response_in_the_data_that_is_no_string_is_an_error(findings: Callable[..., list[str]]) -> None:
    assert findings([item(1), item(2, response=["x"])]) == ["error: quiz.jsonl:2: 'response' must be a string, not ['x']"]


def test_too_few_examples_are_an_error(findings: Callable[..., list[str]]) -> None:
    found = findings([item(1), item(2)], "fewshot.samples=2")
    assert found == [
        "error: task.yaml:7:11: fewshot.samples is 2, but the pool holds only 1 other samples than 'q1' (1 of 2 samples: q1)",
        "error: task.yaml:7:11: fewshot.samples is 2, but the pool holds only 1 other samples than 'q2' (1 of 2 samples: q2)",
    ]
