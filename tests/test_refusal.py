"""The refusal detector: what counts as declining to answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evalharness import is_refusal

REFUSALS = """
I don't know.
I don’t know
I do not know the answer.
I'm afraid I don't know.
I honestly don't know.
I'm not sure.
I have no information about that.
I am unable to answer the question.
I cannot determine the answer from the context.
I could not find the answer in the provided passages.
As an AI language model, I cannot answer this.
We do not have enough information.
I'm sorry, but I can't assist with that.
Sorry, I cannot answer that question.
Sorry. I cannot answer that question.
I apologize, but the documents don't contain that.
Unfortunately, the context does not say who built it.
Unable to answer based on given passages.
UNABLE TO ANSWER BASED ON GIVEN PASSAGES
The answer is not mentioned in the context.
The answer is unknown.
The answer cannot be found in the passages.
Not mentioned in the context.
Not specified.
The question cannot be answered from the given passages.
This cannot be answered.
The passage does not provide information about the price.
The context does not explicitly state when the mill was built.
The text doesn't say.
The passages give no date for the flood.
The provided passages do not contain the name of the mayor.
The height of the tower is not given in the passages.
None of the passages mention it.
Based on the provided context, there is no mention of a ferry.
There is no information about this in the context.
There is no answer in the context.
There is no answer to this question in the given context.
There is not enough information in the passages.
There isn't enough information to answer.
Not enough information to answer the question.
No information.
No information is given about the founder.
It is not stated in the text.
Unanswerable
N/A
unknown
Who built the mill? The passages do not say.
Based on the passages: Unable to answer.
""".strip().splitlines()

ANSWERS = """
1931
Paris is the capital of France.
No
Yes.
It was nobody.
I don't know, but I think it is Paris.
I don't know. However, the mill may be older.
The passage does not mention the year. However, it was 1912.
The bridge opened in 1931. The passages do not mention its architect.
It was built in 1931. I am not sure about the month.
The wizard did not know the answer.
The king was unable to answer the riddle.
He was not sure.
The treaty does not mention fishing rights.
Water cannot be compressed.
The unknown soldier
Information theory
No information technology existed then.
Mira Vell, who could not find the mill
The library does not have a roof.
Women could not tell their stories.
The river has no bridges.
There are no trains on Sundays.
Non lo so.
我不知道。
لا أعرف
""".strip().splitlines()


@pytest.mark.parametrize("text", REFUSALS)
def test_declining_to_answer_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["", "  \n ", "?", ":", "\u0301", "🙂", *ANSWERS])
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_line_breaks_and_quotes_do_not_hide_a_refusal() -> None:
    assert is_refusal("The answer to the question is:\n\n**Unable to answer based on given passages.**\n\nPassage 1 is on tea.")
    assert is_refusal('"I don\'t know."')


def test_an_answer_that_ends_in_a_disclaimer_is_no_refusal() -> None:
    assert not is_refusal("1. Rinse the glass.\n2. Dry it.\n\nUnable to answer based on given passages.")


def test_instructed_refusals_of_real_models_are_recognised(labelled_data: Callable[[str], Path]) -> None:
    lines = labelled_data("ragtruth_test_qa_data2txt/ragtruth_qa.jsonl").read_text("utf-8").splitlines()
    texts = [reply["response"] for line in lines for reply in json.loads(line)["responses"]]
    instructed = [text for text in texts if text.lower().startswith("unable to answer")]
    assert len(texts) > 800
    assert len(instructed) >= 5
    assert all(map(is_refusal, instructed))
    # Read one by one: nine more decline in words of their own; a tenth goes on to answer in its second sentence.
    assert sum(map(is_refusal, texts)) == len(instructed) + 10
