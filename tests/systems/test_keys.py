"""Keys made quickly are the keys that requests have."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh
from evalharness.systems.keys import Keys

text = st.text(st.characters())  # half characters too
number = st.integers() | st.sampled_from([0.0, -0.0, 1.0, 0.7, 1e300, 1, 0])
passages = st.lists(st.builds(eh.Passage, text, text, st.none() | st.sampled_from([0.5, 1, 0.0]))).map(tuple)
messages = st.lists(st.builds(eh.Message, st.sampled_from(["user", "assistant"]), text, st.lists(text, max_size=1).map(tuple)))
common = {"sample": text, "repeat": st.integers(0, 2)}
generate = st.builds(
    eh.Generate, prompt=text | messages.map(tuple), max_tokens=st.integers(1, 3), temperature=number, top_p=number,
    stop=st.lists(text, max_size=2).map(tuple), seed=st.integers(0, 1), json_schema=st.none() | text, **common,
)  # fmt: skip
choose = st.builds(eh.Choose, prompt=text, choices=st.lists(text).map(tuple), delimiter=st.sampled_from([" ", ""]), **common)
answer = st.builds(eh.Answer, input=text, contexts=passages, **common)
likelihood = st.builds(eh.Likelihood, text=text, **common)


class Odd(eh.Request):
    """A request of someone else, with a content of its own."""

    kind = "odd"

    def content(self) -> dict[str, Any]:
        return {"kind": "odd", "half": self.repeat // 2}


@given(text, st.lists(generate | choose | answer | likelihood | st.builds(Odd, **common)))
def test_a_key_is_the_requests_own_whatever_was_asked_before(identity: str, requests: list[eh.Request]) -> None:
    keys = Keys(identity)
    assert [keys.of(request) for request in requests] == [request.key(identity) for request in requests]


def test_a_value_that_changes_in_place_is_written_anew() -> None:
    stop: Any = ["a"]
    request = eh.Generate(prompt="x", stop=stop)
    keys = Keys("m")
    before = keys.of(request)
    stop.append("b")
    assert keys.of(request) == request.key("m") != before
