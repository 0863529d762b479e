"""Which examples a sample is shown, and how prompts are put together."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness import DataError, Message, Passage, Sample
from evalharness.task import FewShot, Prompter, Shots, load_task, render_prompt
from evalharness.task.fewshot import Templates
from evalharness.task.template import Template

POOL = [Sample(name, {"input": f"{name}?", "references": [f"{name}!"]}) for name in ("s1", "s10", "s2", "ü", "日", "a")]
IDS = sorted(sample.id for sample in POOL)


def ids(shots: tuple[Sample, ...]) -> list[str]:
    return [shot.id for shot in shots]


def test_first_takes_the_first_by_id_but_never_the_sample_itself() -> None:
    shots = Shots(FewShot(samples=3), POOL)
    assert ids(shots.draw("unknown")) == IDS[:3]
    assert ids(shots.draw("s1")) == ["a", "s10", "s2"]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("own", ["s2", "unknown", "日"])
def test_seeded_draws_what_the_stated_rule_draws(seed: int, own: str) -> None:
    others = sorted((sample for sample in POOL if sample.id != own), key=lambda sample: sample.id)
    content = json.dumps([seed, own], ensure_ascii=False, separators=(",", ":")).encode()
    number = int.from_bytes(blake2b(content, digest_size=8).digest(), "big")
    expected = random.Random(number).sample(others, 3)
    assert Shots(FewShot(samples=3, sampler="seeded", seed=seed), POOL).draw(own) == tuple(expected)


@given(st.permutations(POOL), st.sampled_from(["first", "seeded"]), st.sampled_from(IDS))
def test_shots_do_not_depend_on_the_order_of_the_pool(pool: list[Sample], sampler: str, own: str) -> None:
    fewshot = FewShot(samples=4, sampler=sampler)  # type: ignore[arg-type]
    drawn = Shots(fewshot, pool).draw(own)
    assert drawn == Shots(fewshot, POOL).draw(own)
    assert own not in ids(drawn)
    assert len(set(ids(drawn))) == 4


def test_seeded_shows_different_samples_different_examples() -> None:
    shots = Shots(FewShot(samples=2, sampler="seeded"), POOL)
    assert len({tuple(ids(shots.draw(f"q{number}"))) for number in range(40)}) > 5


def test_a_pool_that_is_too_small_is_said() -> None:
    with pytest.raises(DataError, match=r"fewshot.samples is 6, but the pool holds only 5 other samples than 's1'"):
        Shots(FewShot(samples=6), POOL).draw("s1")


def templates(prompt: str, answer: str, separator: str = "\n\n", delimiter: str | None = None) -> Templates:
    return Templates(Template(prompt, "t:1:1"), Template(answer, "t:2:1"), separator, delimiter)


@pytest.mark.parametrize(
    ("prompt", "answer", "delimiter", "text"),
    [
        ("Q: {{ input }}\nA:", "{{ references[0] }}", None, "Q: s1?\nA: s1!\n\nQ: x?\nA:"),
        ("Q: {{ input }}\n", "{{ references[0] }}", None, "Q: s1?\ns1!\n\nQ: x?\n"),
        ("{{ input }} =", " {{ references[0] }}", None, "s1? = s1!\n\nx? ="),
        ("{{ input }}", "{{ references[0] }}", "", "s1?s1!\n\nx?"),
        ("{{ input }}\n", "{{ references[0] }}", " ", "s1?\n s1!\n\nx?\n"),
    ],
)
def test_a_shot_is_prompt_and_answer_with_white_space_between(prompt: str, answer: str, delimiter: str | None, text: str) -> None:
    made = templates(prompt, answer, delimiter=delimiter)
    assert render_prompt(made, {"input": "x?"}, [made.solved(POOL[0].fields)], chat=False) == text


def test_shots_are_joined_by_the_separator() -> None:
    made = templates("{{ input }}", "{{ references[0] }}", separator="\n--\n")
    text = render_prompt(made, {"input": "x?"}, [made.solved(shot.fields) for shot in POOL[:2]], chat=False)
    assert text == "s1? s1!\n--\ns10? s10!\n--\nx?"


def test_a_chat_shows_shots_as_turns() -> None:
    made = templates("{{ input }}", "{{ references[0] }}")
    prompt = render_prompt(made, {"input": "x?"}, [made.solved(POOL[0].fields)], chat=True)
    assert prompt == (Message("user", "s1?"), Message("assistant", "s1!"), Message("user", "x?"))


QUIZ = """\
name: quiz
dataset: {path: quiz.jsonl, fields: {input: question, references: answers}}
fewshot: {samples: 1}
system: {name: s, prompt: "{{ input }}", model: echo}
metrics: [matching]
"""


def test_the_pool_is_the_dataset_itself_another_file_or_a_split(write: Callable[..., str]) -> None:
    write('{"id": "q1", "question": "One?", "answers": "1"}\n{"id": "q2", "question": "Two?", "answers": ["2"]}\n', "quiz.jsonl")
    write('{"id": "t", "question": "Shot?", "answers": ["yes"]}\n', "pool/train.jsonl")
    write('{"id": "d", "question": "Never?", "answers": ["no"]}\n', "pool/dev.jsonl")
    sample = Sample("q1", {"input": "One?", "references": ["1"]})
    own = Prompter.of(load_task(write(QUIZ)))
    assert own.render(sample, chat=False) == "Two? 2\n\nOne?"
    path = Prompter.of(load_task(write(), overrides=["fewshot={samples: 1, path: pool/train.jsonl}"]))
    assert path.render(sample, chat=False) == "Question: Shot? yes\n\nQuestion: One?"
    split = Prompter.of(load_task(write(), overrides=["fewshot={samples: 1, split: train}", "dataset.path=pool"]))
    assert split.render(sample, chat=False) == "Question: Shot? yes\n\nQuestion: One?"


def test_multiple_choice_shows_the_right_choice_after_the_delimiter(write: Callable[..., str]) -> None:
    write('{"id": "q1", "input": "Sky?", "choices": ["red", "blue"], "target": "blue"}\n', "quiz.jsonl")
    text = QUIZ.replace("fewshot:", "output_type: multiple_choice\nfewshot:").replace(
        ", fields: {input: question, references: answers}", ""
    )
    prompter = Prompter.of(load_task(write(text)))
    assert prompter.render(Sample("q", {"input": "Sea?"}), chat=False) == "Sky? blue\n\nSea?"


def test_contexts_reach_the_prompt_and_shots_show_those_of_the_data(write: Callable[..., str]) -> None:
    write('{"question": "One?", "answers": "1"}\n', "quiz.jsonl")
    prompt = "{% for c in contexts %}[{{ c.text }}] {% endfor %}{{ input }}"
    prompter = Prompter.of(load_task(write(QUIZ), overrides=[f"system.prompt='{prompt}'"]))
    sample = Sample("q", {"input": "Two?"})
    assert prompter.render(sample, [Passage("a", "A"), Passage("b", "B")], chat=False) == "One? 1\n\n[A] [B] Two?"
    with pytest.raises(DataError, match="'contexts' is undefined"):
        prompter.render(sample, chat=False)


def test_a_system_without_a_prompt_shows_the_input(write: Callable[..., str], task_text: str) -> None:
    prompter = Prompter.of(load_task(write(task_text.replace('  prompt: "Question: {{ input }}"\n', ""))))
    assert prompter.render_text(Sample("q", {"input": "Two?"})) == "Two?"


def test_a_shot_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = Template.render

    def noted(self: Template, fields: Mapping[str, Any]) -> str:
        rendered.append(fields["id"])
        return render(self, fields)

    monkeypatch.setattr(Template, "render", noted)
    prompter = Prompter(templates("{{ input }}", "{{ references[0] }}"), Shots(FewShot(samples=2), POOL))
    prompts = [prompter.render(Sample(f"q{number}", {"input": "x?"}), chat=False) for number in range(3)]
    assert len(set(prompts)) == 1
    assert sorted(rendered) == sorted([*IDS[:2], *IDS[:2], "q0", "q1", "q2"])
