"""The tasks that come with the project: each loads, agrees with its data, and holds as much as it promises."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalharness import load_dataset
from evalharness.task import check_data, check_task, load_task
from evalharness.task.training_loading import load_training

TASKS = Path(__file__).parents[2] / "tasks"
RAG_QA = TASKS / "rag_qa.yaml"
TRAINING_FILES = sorted(path for path in TASKS.glob("*.yaml") if "\nkind: training\n" in path.read_text(encoding="utf-8"))
TASK_FILES = sorted(set(TASKS.glob("*.yaml")) - set(TRAINING_FILES))
SYSTEM_FILES = sorted((TASKS / "systems").glob("*.yaml"))


def lines(*parts: str) -> list[dict[str, Any]]:
    """Return the items of a data file."""
    with TASKS.joinpath("data", *parts).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def words(text: str) -> int:
    return len(text.split())


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", TASK_FILES, ids=name_of)
def test_a_task_has_no_faults_in_itself_nor_against_its_data(path):
    task = load_task(path)
    assert [*check_task(task), *check_data(task)] == []
    assert task.name == path.stem
    assert task.description.endswith(".")


@pytest.mark.parametrize("path", TRAINING_FILES, ids=name_of)
def test_a_training_task_loads_in_all_of_its_variants(path):
    tasks = load_training(path)
    assert {task.study for task in tasks} == {path.stem}
    assert all(len(task.seeds) >= 3 and task.description.endswith(".") for task in tasks)


def test_the_rarest_class_of_the_imbalanced_study_is_measured_by_five_samples_or_more():
    for task in load_training(TASKS / "loss_robustness_imbalanced.yaml"):
        if task.labels[-1] == "0.01":
            targets = [item.fields["target"] for item in load_dataset(task.dataset.source).items()]
            assert sum(targets) >= 5, task.name
            assert sum(targets) / len(targets) == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("path", [path for path in SYSTEM_FILES if path.stem != "closed_book"], ids=name_of)
def test_a_system_with_a_retriever_fits_the_rag_task(path):
    task = load_task(RAG_QA, system=path)
    assert [*check_task(task), *check_data(task)] == []
    assert task.metrics == load_task(RAG_QA).metrics


def test_the_closed_book_control_lacks_nothing_but_contexts():
    task = load_task(RAG_QA, system=TASKS / "systems" / "closed_book.yaml")
    assert all("'contexts'" in finding.message for finding in [*check_task(task), *check_data(task)])


def test_the_systems_differ_in_name_and_content():
    systems = [load_task(RAG_QA, system=path).system for path in SYSTEM_FILES]
    assert len(systems) >= 5
    assert len({system.name for system in systems}) == len({system.digest() for system in systems}) == len(systems)


def test_the_default_system_of_rag_qa_is_the_dense_one():
    default, dense = load_task(RAG_QA).system, load_task(RAG_QA, system=TASKS / "systems" / "dense.yaml").system
    assert default.name == dense.name
    assert default.prompt == dense.prompt
    assert default.model == dense.model
    assert default.generate == dense.generate


def test_the_generating_systems_differ_in_retrieval_alone():
    generating = [load_task(RAG_QA, system=TASKS / "systems" / f"{name}.yaml").system for name in ("bm25", "dense", "hybrid")]
    assert len({(system.prompt, system.model, system.generate) for system in generating}) == 1
    assert len({system.retriever for system in generating}) == 3
    closed_book = load_task(RAG_QA, system=TASKS / "systems" / "closed_book.yaml").system
    assert closed_book.retriever is None
    assert closed_book.model == generating[0].model


def test_the_rag_corpus_has_short_passages_with_ids_of_their_own():
    corpus = lines("rag_qa", "corpus.jsonl")
    assert len({passage["id"] for passage in corpus}) == len(corpus) >= 60
    assert all(60 <= words(passage["text"]) <= 120 for passage in corpus)


def test_the_rag_questions_cover_many_topics_and_every_kind():
    questions = lines("rag_qa", "questions.jsonl")
    kinds = Counter(question["kind"] for question in questions)
    assert len({question["id"] for question in questions}) == len(questions) >= 100
    assert len({question["topic"] for question in questions}) >= 30
    assert kinds["unanswerable"] >= 15
    assert kinds.keys() == {"single", "two_passage", "numeric", "date", "yes_no", "paraphrase", "distractor", "unanswerable"}


def test_a_rag_question_has_answers_and_graded_passages_exactly_if_it_is_answerable():
    ids = {passage["id"] for passage in lines("rag_qa", "corpus.jsonl")}
    for question in lines("rag_qa", "questions.jsonl"):
        if question["kind"] == "unanswerable":
            assert question["answers"] == []
            assert question["gold"] == {}
        else:
            assert 1 <= len(question["answers"]) <= 3
            assert question["gold"].keys() <= ids
            assert max(question["gold"].values()) == 2


def test_the_perplexity_documents_are_many_short_and_varied():
    documents = lines("perplexity", "documents.jsonl")
    lengths = [words(document["text"]) for document in documents]
    assert len({document["id"] for document in documents}) == len(documents) >= 30
    assert len({document["genre"] for document in documents}) == len(documents)
    assert all(150 <= length <= 220 for length in lengths)
    assert sum(lengths) >= 5_000


def test_the_multiple_choice_items_favour_no_place_and_quote_the_rag_corpus():
    passages = {passage["id"]: passage["text"] for passage in lines("rag_qa", "corpus.jsonl")}
    items = lines("multiple_choice", "items.jsonl")
    places = Counter(item["answer"] for item in items)
    assert len({item["id"] for item in items}) == len(items) >= 100
    assert places.keys() == {0, 1, 2, 3}
    assert max(places.values()) - min(places.values()) <= 1
    assert all(len(set(item["choices"])) == 4 for item in items)
    assert all(item["context"] == passages[item["passage"]] for item in items)


@pytest.mark.parametrize(("folder", "file"), [("rag_qa", "questions.jsonl"), ("multiple_choice", "items.jsonl")])
def test_no_topic_is_too_small_to_be_a_group(folder, file):
    assert min(Counter(item["topic"] for item in lines(folder, file)).values()) >= 3
