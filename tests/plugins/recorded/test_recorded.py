from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from evalharness_recorded import playback
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.systems.engine import Engine
from evalharness.systems.store import Store


def model(folder: Path, content: str | bytes | list[dict[str, Any]]) -> eh.Model:
    if isinstance(content, list):
        content = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in content)
    path = folder / "responses.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    playback._indexed.cache_clear()
    return eh.load_model("recorded", path=str(path))


def ask(recorded: eh.Model, *keys: str | tuple[str, int]) -> list[eh.Response]:
    pairs = [(key, 0) if isinstance(key, str) else key for key in keys]
    requests = [eh.Generate(prompt="?", sample=sample, repeat=repeat) for sample, repeat in pairs]
    answers = list(recorded.answer(requests))
    assert [request for request, _ in answers] == requests
    return [response for _, response in answers]


def complaint(response: eh.Response) -> str:
    assert response.text is None
    assert response.error is not None
    assert response.error.kind == "not recorded"
    return response.error.message


def test_responses_come_by_sample_in_any_order(tmp_path: Path) -> None:
    texts = {f"q{number}": f"answer {number} 🙂" for number in range(300)}
    keys = [*texts, *texts]
    random.Random(3).shuffle(keys)
    recorded = model(tmp_path, [{"id": key, "response": text, "other": [1]} for key, text in texts.items()])
    assert [response.text for response in ask(recorded, *keys)] == [texts[key] for key in keys]


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.text(), st.text(), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_any_id_and_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str], last: bool, ascii: bool
) -> None:
    items = [{"response": text, "id": key} if last else {"id": key, "response": text} for key, text in texts.items()]
    content = "\n\n".join(json.dumps(item, ensure_ascii=ascii) for item in items)
    recorded = model(tmp_path_factory.mktemp("any"), content)
    assert [response.text for response in ask(recorded, *texts)] == list(texts.values())


def test_repeats_are_told_apart(tmp_path: Path) -> None:
    items = [{"id": "a", "response": f"take {n}", "repeat": n} for n in (2, 0, 1)]
    recorded = model(tmp_path, [*items, {"id": "b", "response": 'only "repeat" once'}])
    responses = ask(recorded, ("a", 1), ("a", 0), ("a", 2), "b", ("b", 1))
    assert [response.text for response in responses[:4]] == ["take 1", "take 0", "take 2", 'only "repeat" once']
    assert complaint(responses[4]).endswith("holds no response for repeat 1 of this sample")


def test_whole_numbers_are_ids_and_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    recorded = model(tmp_path, '\ufeff{"id": 7, "response": "seven"}\n{"id": "8", "response": "eight"}')
    assert [response.text for response in ask(recorded, "7", "8")] == ["seven", "eight"]


def test_contexts_come_along(tmp_path: Path) -> None:
    contexts = [{"id": "p1", "text": "Salt.", "score": 2}, {"id": "p0", "text": ""}]
    (response,) = ask(model(tmp_path, [{"id": "a", "response": "x", "contexts": contexts}]), "a")
    assert response.contexts == (eh.Passage("p1", "Salt.", 2), eh.Passage("p0", ""))


def test_an_empty_response_is_the_systems_own_failure(tmp_path: Path) -> None:
    (response,) = ask(model(tmp_path, [{"id": "a", "response": " \n"}]), "a")
    assert response.text == " \n"
    assert response.failure == eh.Failure("empty")


def test_each_unusable_line_fails_its_own_sample_and_names_the_line(tmp_path: Path) -> None:
    lines = [
        b'{"id": "good", "response": "yes"}', b'{"id": "cut", "response": "ye', b'{"id": "number", "response": 3}', b"",
        b'{"id": "null", "response": null}', b'{"id": "bare"}', b'{"id": "bytes", "response": "\xff"}',
        b'{"response": "late", "id": "late" ', b'{"id": "ctx", "response": "x", "contexts": ["p"]}', b"[]", b'{"id": [1]}',
    ]  # fmt: skip
    recorded = model(tmp_path, b"\n".join(lines))
    keys = ["good", "cut", "number", "null", "bare", "bytes", "late", "ctx", "absent"]
    good, *bad = ask(recorded, *keys)
    assert good.text == "yes"
    messages = [complaint(response) for response in bad]
    path = tmp_path / "responses.jsonl"
    places = [f"{path}:{line}: " for line in (2, 3, 5, 6, 7, 8, 9)]
    assert all(message.startswith(place) for message, place in zip(messages, places, strict=False))
    assert messages[1].endswith("the field 'response' must be a string, not a number")
    assert messages[2].endswith("not null")
    assert messages[3].endswith("not missing")
    assert messages[7] == f"{path} holds no response for this sample; lines whose id cannot be read: 10, 11"


def test_ids_that_occur_twice_are_refused_with_both_lines(tmp_path: Path) -> None:
    items = [{"id": key, "response": "x"} for key in ("a", "b", "c", "a", "b")]
    recorded = model(tmp_path, [*items, {"id": "c", "response": "x", "repeat": 1}])
    for use in (recorded.identity, lambda: ask(recorded, "a")):
        with pytest.raises(eh.DataError) as caught:
            use()
        assert "the sample 'a' in lines 1, 4" in str(caught.value)
        assert "the sample 'b' in lines 2, 5" in str(caught.value)
        assert "'c'" not in str(caught.value)


def test_keys_that_share_a_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "hash", lambda key: len(key[0]), raising=False)
    recorded = model(tmp_path, [{"id": key, "response": key * 2} for key in ("a", "bb", "c", "d", "dd")] + [])
    assert [response.text for response in ask(recorded, "d", "a", "c", "dd", "bb")] == ["dd", "aa", "cc", "dddd", "bbbb"]
    assert complaint(ask(recorded, "e")[0]).endswith("holds no response for this sample")
    with pytest.raises(eh.DataError, match="'c' in lines 2, 3;"):
        model(tmp_path, [{"id": key, "response": ""} for key in ("a", "c", "c")]).identity()


def test_choices_and_likelihoods_come_from_logprobs(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"id": "a", "logprobs": [-1, -2.5], "tokens": [1, 2]},
        {"id": "b", "logprobs": [-1.0], "response": "x"},
        {"id": "c"},
    ]
    recorded = model(tmp_path, items)
    requests: list[eh.Request] = [eh.Choose(prompt="?", choices=("x", "y"), sample=key) for key in "abc"]
    requests += [eh.Likelihood(text="x", sample="a"), eh.Answer(input="x", sample="b"), eh.Embed(text="x", sample="b")]
    responses = [response for _, response in recorded.answer(requests)]
    assert (responses[0].logprobs, responses[0].tokens) == ((-1.0, -2.5), (1, 2))
    assert complaint(eh.Response(error=responses[1].error)).endswith("'logprobs' holds 1 numbers for 2 choices")
    assert complaint(responses[2]).endswith("'logprobs' must be a list of numbers, not missing")
    assert responses[3].logprobs == (-1.0, -2.5)
    assert responses[4].text == "x"
    assert complaint(responses[5]).endswith("'embedding' must be a list of numbers, not missing")


def test_a_number_too_large_for_a_float_fails_its_own_sample(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [{"id": "a", "logprobs": [-(10**400)]}, {"id": "b", "logprobs": [-1]}]
    recorded = model(tmp_path, items)
    requests = [eh.Likelihood(text="x", sample=key) for key in "ab"]
    large, good = [response for _, response in recorded.answer(requests)]
    assert complaint(large) == f"{tmp_path / 'responses.jsonl'}:1: int too large to convert to float"
    assert good.logprobs == (-1.0,)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"id": "odd", "response": "t\\ud800wo"}', r"text='t\ud800wo', which is not text that can be written as UTF-8"),
        (
            '{"id": "odd", "response": "x", "contexts": [{"id": "p", "text": "1"}, {"id": "p", "text": "2"}]}',
            "one ranking with the passage id 'p' twice",
        ),
        (
            '{"id": "odd", "response": "x", "contexts": [{"id": "p", "text": "1", "score": NaN}]}',
            "the passage 'p', whose id and text are not both text, or whose score is not a finite number",
        ),
    ],
)
def test_an_odd_response_fails_its_own_sample_in_a_run(tmp_path: Path, line: str, fault: str) -> None:
    recorded = model(tmp_path, f'{{"id": "a", "response": "fine"}}\n{line}\n')
    with Store(tmp_path / "s.sqlite") as store:
        good, odd = Engine(store).read(recorded, [eh.Generate(prompt="?", sample=key) for key in ("a", "odd")])
    assert good.text == "fine"
    assert odd.error == eh.Failure("plugin", f"model 'recorded' gave {fault}")


@pytest.mark.parametrize(("content", "message"), [("", "is empty"), ("{}\nx\n", "no line .* has an id")])
def test_files_without_a_response_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(eh.DataError, match=message):
        model(tmp_path, content).identity()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(eh.DataError, match=r"absent\.jsonl: cannot read this file of recorded responses: No such file"):
        eh.load_model("recorded", path=str(tmp_path / "absent.jsonl")).identity()


def test_identity_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = model(tmp_path, [{"id": "a", "response": "x"}])
    assert first.identity() == model(tmp_path / "other", [{"id": "a", "response": "x"}]).identity()
    before = first.identity()
    (tmp_path / "responses.jsonl").write_text('{"id": "a", "response": "changed"}\n')
    assert first.identity() != before
    assert ask(first, "a")[0].text == "changed"


def test_is_not_stored_and_pickles_while_open(tmp_path: Path) -> None:
    recorded = model(tmp_path, [{"id": "a", "response": "x"}])
    recorded.identity()
    assert not recorded.stored
    assert ask(pickle.loads(pickle.dumps(recorded)), "a")[0].text == "x"


def test_memory_does_not_grow_with_the_length_of_the_responses(tmp_path: Path) -> None:
    import tracemalloc

    recorded = model(tmp_path, [{"id": str(n), "response": "word " * 2000} for n in range(2000)])
    requests = [eh.Generate(prompt="?", sample=str(n)) for n in range(2000)]
    tracemalloc.start()
    for _ in recorded.answer(requests):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < 2000 * 10_000
