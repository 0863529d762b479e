from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh

MILL = eh.Passage("mill", "The mill stands by the river. Its wheel was carved from oak in 1840!")
LAKE = eh.Passage("lake", "Lake Orrin freezes in winter.\nThe river Tarn feeds the lake.")


def answer(question: str, *contexts: eh.Passage) -> eh.Response:
    ((_, response),) = eh.load_model("extractive").answer([eh.Answer(input=question, contexts=contexts)])
    return response


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What were the wheels carved from?", "Its wheel was carved from oak in 1840!"),
        ("Which river feeds Lake Orrin?", "The river Tarn feeds the lake."),
        ("When does it freeze?", "Lake Orrin freezes in winter."),
    ],
)
def test_the_sentence_that_shares_most_rare_words_is_the_answer(question: str, text: str) -> None:
    assert answer(question, MILL, LAKE).text == text


def test_an_input_that_shares_nothing_gets_the_first_sentence() -> None:
    for question in ("", "Who?", "zebra", "🙂"):
        assert answer(question, LAKE, MILL).text == "Lake Orrin freezes in winter."


def test_equals_go_to_the_earlier_passage() -> None:
    assert answer("river", MILL, LAKE).text == "The mill stands by the river."
    assert answer("river", LAKE, MILL).text == "The river Tarn feeds the lake."


@pytest.mark.parametrize("contexts", [(), (eh.Passage("e", " \n"),)])
def test_no_passage_is_the_systems_own_failure(contexts: tuple[eh.Passage, ...]) -> None:
    response = answer("river", *contexts)
    assert response.text == ""
    assert response.error is not None
    assert response.error.kind == "empty"
    assert not response.error.infrastructure


@given(st.text(), st.lists(st.text(), max_size=3))
def test_the_answer_stands_in_a_passage(question: str, texts: list[str]) -> None:
    response = answer(question, *(eh.Passage(str(n), text) for n, text in enumerate(texts)))
    assert response.error or any(response.text in text for text in texts if response.text)


def test_other_kinds_fail_by_name_and_it_pickles_unstored() -> None:
    model = eh.load_model("extractive")
    ((_, response),) = model.answer([eh.Generate(prompt="x")])
    assert response.error == eh.Failure("not supported", "model 'extractive' does not answer generate requests")
    assert pickle.loads(pickle.dumps(model)) == model
    assert not model.stored
