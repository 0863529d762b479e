from __future__ import annotations

import pickle

import pytest

import evalharness as eh


def answer(request: eh.Request) -> eh.Response:
    ((asked, response),) = eh.load_model("echo").answer([request])
    assert asked is request
    return response


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("first\n last words \n\n", "last words"),
        ("", ""),
        ((eh.Message("system", "be kind"), eh.Message("user", "one\nمرحبا")), "مرحبا"),
        ((), ""),
    ],
)
def test_the_last_line_of_the_prompt_comes_back(prompt: str | tuple[eh.Message, ...], text: str) -> None:
    assert answer(eh.Generate(prompt=prompt)).text == text


def test_nothing_to_echo_is_an_empty_answer() -> None:
    assert answer(eh.Generate(prompt="\n")).failure == eh.Failure("empty")


def test_choices_and_texts_are_likelier_the_shorter_they_are() -> None:
    chosen = answer(eh.Choose(prompt="?", choices=("two words", "", "🙂")))
    assert (chosen.logprobs, chosen.tokens) == ((-9.0, 0.0, -1.0), (2, 1, 1))
    assert answer(eh.Likelihood(text="a bcd")).logprobs == (-1.0, -3.0)


def test_usage_is_counted_in_words() -> None:
    response = answer(eh.Generate(prompt="one two\nthree"))
    assert (response.input_tokens, response.output_tokens, response.finish) == (3, 1, "stop")


def test_kinds_that_it_does_not_support_fail_by_name() -> None:
    assert answer(eh.Embed(text="x")).error == eh.Failure("not supported", "model 'echo' does not answer embed requests")


def test_has_one_identity_and_pickles() -> None:
    echo = eh.load_model("echo")
    assert pickle.loads(pickle.dumps(echo)) == echo
    assert echo.identity() == eh.load_model("echo").identity()
