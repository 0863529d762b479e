"""A task file becomes a Task, or all its faults at once, each at its own place."""

# ruff: noqa: E501  (messages stand here as users read them)

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalharness import Spec, registry
from evalharness.task import load_task, task_yaml

Write = Callable[..., str]
Messages = Callable[..., list[str]]

FULL = """\
name: rag_quiz
version: 2
description: Questions on a shelf.
dataset:
  path: data/quiz.jsonl
  fields: {id: key, input: question, references: answers, relevant: gold}
group: topic
output_type: generate
fewshot: {samples: 2, path: data/shots.jsonl, sampler: seeded, answer: "{{ references[0] }}", separator: "\\n--\\n", seed: 3}
failures: exclude
transforms: [strip]
repeats: 3
delimiter: ""
system:
  name: shelf-echo
  retriever: {shelf: {corpus: data/corpus.txt, top_k: 2}}
  prompt: |
    {% for c in contexts %}{{ c.text }}
    {% endfor %}{{ input }}
  model: echo
  generate: {max_tokens: 8, temperature: 1, top_p: 0.9, stop: ["\\n"], seed: 5}
metrics:
  - matching: {case: false}
  - found: {k: [1, 3]}
  - blend: {of: [matching, "found@3"]}
    as: both
"""


def test_every_key_arrives_with_its_type(write: Write) -> None:
    task = load_task(write(FULL, "tasks/full.yaml"))
    assert (task.name, task.version, task.group, task.output_type, task.repeats) == ("rag_quiz", "2", "topic", "generate", 3)
    assert task.dataset.source == Spec("files", {"path": "data/quiz.jsonl"})
    assert task.dataset.source.folder == "tasks"
    assert dict(task.dataset.fields) == {"id": "key", "input": "question", "references": "answers", "relevant": "gold"}
    assert (task.fewshot.samples, task.fewshot.sampler, task.fewshot.seed) == (2, "seeded", 3)
    assert task.fewshot.path == str(Path("tasks/data/shots.jsonl"))
    assert (task.failures, task.delimiter, task.transforms) == ("exclude", "", (Spec("strip"),))
    assert task.system.retriever == Spec("shelf", {"corpus": "data/corpus.txt", "top_k": 2})
    assert task.system.generate.temperature == 1.0
    assert isinstance(task.system.generate.temperature, float)
    assert task.system.generate.stop == ("\n",)
    assert [(entry.spec.name, entry.name, entry.where) for entry in task.metrics] == [
        ("matching", None, "tasks/full.yaml:23:5"), ("found", None, "tasks/full.yaml:24:5"), ("blend", "both", "tasks/full.yaml:25:5"),
    ]  # fmt: skip
    assert task.where("system.generate.stop") == "tasks/full.yaml:21:63"


def test_a_short_task_has_the_stated_defaults(write: Write) -> None:
    task = load_task(write())
    assert (task.version, task.group, task.failures, task.repeats, task.delimiter) == ("1", None, "worst", 1, None)
    assert (task.fewshot.samples, task.fewshot.separator) == (0, "\n\n")
    assert (task.system.generate.max_tokens, task.system.generate.temperature) == (256, 0.0)


def test_paths_start_from_the_file_that_they_stand_in(write: Write) -> None:
    write("p1 p2", "tasks/data/corpus.txt")
    task = load_task(write(FULL, "tasks/full.yaml"))
    assert task.system.retriever is not None
    retriever = registry.build("retriever", task.system.retriever)
    assert [passage.id for passage in retriever.passages()] == ["p1", "p2"]
    assert retriever.corpus.written == "data/corpus.txt"


def test_all_faults_of_a_task_come_at_once(write: Write, messages: Messages) -> None:
    text = """\
nam: quiz
version: 1.10
dataset:
  path: quiz.jsonl
  feilds: {input: question}
output_type: generation
fewshot: {sampels: 2, sampler: random}
transforms: [stripp]
repeats: 0
system:
  name: my system
  retreiver: shelf
  prompt: "{{ input }"
  model: ecko
  generate: {max_tokens: many, top_p: 1.5, stop: ["a", 1.10]}
metrics:
  - matchin
  - matching: {ordr: 2, case: "yes"}
  - found: {k: [1, two]}
  - matching: {order: 0}
  - [matching]
"""
    # the wording of each line is what a user reads
    assert messages(load_task, write(text)) == [
        "task.yaml:1:1: a task has no key 'nam'. Did you mean 'name'? It has: name, version, description, dataset, group, "
        "output_type, fewshot, failures, transforms, repeats, delimiter, system, metrics.",
        "task.yaml:6:14: 'output_type' must be one of 'generate', 'multiple_choice', 'likelihood', 'retrieve', not 'generation'. "
        "Did you mean 'generate'?",
        "task.yaml:9:10: 'repeats' must be at least 1, not 0",
        "task.yaml:1:1: a task needs the key 'name'",
        "task.yaml:2:10: 'version' must be a string or a whole number, not 1.1. Write \"1.10\" in quotes if the text is meant.",
        "task.yaml:5:3: dataset has no key 'feilds' for 'files'. Did you mean 'fields'? It has: path, format, split, fields.",
        "task.yaml:7:11: fewshot has no key 'sampels'. Did you mean 'samples'? It has: samples, path, split, sampler, answer, "
        "separator, seed.",
        "task.yaml:7:32: 'sampler' must be one of 'first', 'seeded', not 'random'.",
        "task.yaml:8:14: no transform is called 'stripp'. Did you mean 'strip'? Run 'evalharness list transforms' for the full list.",
        "task.yaml:12:3: system has no key 'retreiver'. Did you mean 'retriever'? It has: name, retriever, prompt, model, generate, "
        "prices.",
        "task.yaml:11:9: 'my system' cannot be a name: a name holds letters, digits and . _ + -, and starts with a letter or digit, "
        "since folders are called after it",
        "task.yaml:14:10: no model is called 'ecko'. Did you mean 'echo'? Run 'evalharness list models' for the full list.",
        "task.yaml:15:26: 'max_tokens' must be a whole number, not 'many'.",
        "task.yaml:15:39: 'top_p' must be between 0 and 1, not 1.5",
        "task.yaml:15:56: 'stop' has a wrong item 2: it must be a string, not 1.1. Write \"1.10\" in quotes if the text is meant.",
        "task.yaml:13:11: the prompt is no valid template: unexpected '}' (line 1 of the template)",
        "task.yaml:17:5: no metric is called 'matchin'. Did you mean 'matching'? Run 'evalharness list metrics' for the full list.",
        "task.yaml:18:16: metric 'matching' has no option 'ordr'. Did you mean 'order'? It has: case, order.",
        "task.yaml:18:31: option 'case' of metric 'matching' must be true or false, not 'yes'.",
        "task.yaml:19:20: option 'k' of metric 'found' has a wrong item 2: it must be a whole number, not 'two'.",
        "task.yaml:20:5: metric 'matching': order must be 1 or more",
        "task.yaml:21:5: must be a plugin, NAME or {NAME: {option: value}}, not ['matching']",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  - matching", "  - matching: {case: no}", "task.yaml:10:22: 'no' is read differently by different YAML readers"),
        ("metrics:\n  - matching\n", "", "task.yaml:1:1: a task needs 'metrics', a list with at least one metric"),
        ("  - matching\n", "", "task.yaml:9:9: a task needs 'metrics', a list with at least one metric"),
        ("  model: echo\n", "", "task.yaml:6:3: system needs 'model', a plugin such as {hf: {weights: NAME}}"),
        ("  path: quiz.jsonl\n", "", "task.yaml:3:3: dataset needs 'path', a file, a folder or a Hub name; 'qrels', judgements of TREC; or 'source', a dataset plugin"),
        ("name: quiz", "name: [quiz]", "task.yaml:1:7: 'name' must be a string, not ['quiz']."),
        ("{input: question", "{in-put: question", "task.yaml:4:12: 'in-put' cannot be a field"),
        ("references: answers}", "references: 7}", "task.yaml:4:41: 'references' must be a string, not 7. Write \"7\" in quotes"),
        ('"Question: {{ input }}"', "'{{ input.__class__.__mro__ }}'", "task.yaml:7:11: the prompt reaches for '__mro__' in line 1"),
        ("  - matching", "  - blend", "task.yaml:10:5: metric 'blend' needs the option 'of' (a list of (a string))."),
        ("  - matching", "  - judged: {model: ecko}", "task.yaml:10:21: no model is called 'ecko'. Did you mean 'echo'?"),
        ("  prompt:", "  retriever: {fused: {of: [shelf, nothing]}}\n  prompt:",
         "task.yaml:7:28: retriever 'shelf' needs the option 'corpus' (a path)."),
        ("  prompt:", "  retriever: {fused: {of: [{shelf: {corpus: a, topk: 2}}]}}\n  prompt:",
         "task.yaml:7:48: retriever 'shelf' has no option 'topk'. Did you mean 'top_k'?"),
        ("system:", "fewshot: {path: a.jsonl, split: train}\nsystem:", "task.yaml:5:26: fewshot takes its pool from 'path' or from 'split'"),
        ("system:", "output_type: likelihood\nfewshot: {samples: 1}\nsystem:", "task.yaml:6:10: the output type 'likelihood' has no answer"),
        ("  - matching", "  - matching\n  - matching", "task.yaml:11:5: the score 'matching' is there twice; name one of the two"),
        ("  - matching", "  - matching\n  - blend: {of: [matchin]}", "task.yaml:11:5: 'blend' uses the score 'matchin', which this chain"),
        ("  - matching", "  - blend: {of: [b]}\n    as: a\n  - blend: {of: [a]}\n    as: b",
         "task.yaml:10:5: these metrics use each other in a circle: a -> b -> a"),
        ("  - matching", "  - matching: {}\n    as: my name", "task.yaml:11:9: 'my name' cannot be a name"),
        ("  prompt:", "  retriever: {shelf: 7}\n  prompt:",
         "task.yaml:7:22: option 'corpus' of retriever 'shelf' must be a path, not 7."),
        ("  - matching", "  - matching: 7", "task.yaml:10:15: metric 'matching' needs no option, so one that is set is named:"),
        ("  - matching", "  - blend: matching", "task.yaml:10:12: option 'of' of metric 'blend' must be a list of (a string)"),
        ("  - matching", "  - matching: {}\n    found: {}", "task.yaml:10:5: must be a plugin, NAME or {NAME: {option: value}}: one "
         "name, with its options inside, not the keys matching and found"),
    ],
)  # fmt: skip
def test_each_kind_of_fault_is_said_at_its_place(
    old: str, new: str, fault: str, task_text: str, write: Write, messages: Messages
) -> None:
    assert old in task_text
    found = messages(load_task, write(task_text.replace(old, new)))
    assert [line for line in found if line.startswith(fault)], found


def test_a_task_without_a_system_says_how_to_name_one(write: Write, messages: Messages) -> None:
    path = write("name: quiz\ndataset: {path: quiz.jsonl}\nmetrics: [matching]\n")
    assert messages(load_task, path) == [
        "task.yaml:1:1: the task names no system to evaluate: add 'system:', or give --system FILE, --model NAME or --responses FILE"
    ]
    assert load_task(path, model="echo").system.name == "echo"


def test_a_model_is_named_as_text_or_as_a_mapping(write: Write) -> None:
    path = write("name: quiz\ndataset: {path: quiz.jsonl}\nmetrics: [matching]\n")
    named = [
        load_task(path, model=model).system.model
        for model in ("{recorded: {path: out.jsonl}}", {"recorded": {"path": "out.jsonl"}})
    ]
    assert named[0] == named[1]


def test_a_file_that_holds_no_mapping_is_refused(write: Write, messages: Messages) -> None:
    assert messages(load_task, write("- just\n- a list\n"))[0].startswith(
        "task.yaml:1:1: a task must be a mapping with the keys name,"
    )


@pytest.mark.parametrize(
    ("dataset", "source"),
    [
        ("path: quiz.jsonl", Spec("files", {"path": "quiz.jsonl"})),
        ("path: absent.jsonl", Spec("files", {"path": "absent.jsonl"})),
        ("path: folder/absent.csv", Spec("files", {"path": "folder/absent.csv"})),
        ("path: ./owner/name", Spec("files", {"path": "./owner/name"})),
        ("path: owner/name", Spec("hub", {"path": "owner/name"})),
        ("{path: squad, revision: main}", Spec("hub", {"path": "squad", "revision": "main"})),
        ("{path: here/there, split: dev}", Spec("files", {"path": "here/there", "split": "dev"})),
        ("source: {files: {path: quiz.jsonl, format: csv}}", Spec("files", {"path": "quiz.jsonl", "format": "csv"})),
    ],
)
def test_a_path_is_a_file_unless_it_reads_like_a_hub_name(dataset: str, source: Spec, write: Write, task_text: str) -> None:
    Path("here/there").mkdir(parents=True)
    text = task_text.replace(
        "dataset:\n  path: quiz.jsonl\n  fields: {input: question, references: answers}", f"dataset:\n  {dataset}"
    )
    assert load_task(write(text)).dataset.source == source


@pytest.mark.parametrize("part", ["model: echo", "retriever: {shelf: {corpus: corpus.txt}}"])
def test_the_file_of_a_system_is_told_from_a_task(write: Write, messages: Messages, part: str) -> None:
    path = write(f"name: mine\n{part}\n")
    (told,) = messages(load_task, path)
    assert told.endswith(f"this is a system, not a task; run a task with it: evalharness run TASK --system {path}")


def test_another_system_file_replaces_the_system_and_keeps_its_own_paths(write: Write, task_text: str) -> None:
    write("p1", "systems/corpus.txt")
    write("retriever: {shelf: {corpus: corpus.txt}}\nprompt: '{{ input }}'\nmodel: echo\n", "systems/shelf.yaml")
    task = load_task(write(task_text), system="systems/shelf.yaml")
    assert (task.system.name, task.system.prompt) == ("shelf", "{{ input }}")
    assert task.system.retriever is not None
    assert [passage.id for passage in registry.build("retriever", task.system.retriever).passages()] == ["p1"]


def test_faults_of_another_system_file_are_placed_in_it(write: Write, messages: Messages) -> None:
    write("name: x\nmodle: echo\n", "bad.yaml")
    assert messages(load_task, write(), system="bad.yaml") == [
        "bad.yaml:2:1: system has no key 'modle'. Did you mean 'model'? It has: name, retriever, prompt, model, generate, "
        "prices.",
        "bad.yaml:1:1: system needs 'model', a plugin such as {hf: {weights: NAME}}",
    ]


def test_another_model_makes_another_system(write: Write, messages: Messages) -> None:
    path = write()
    task = load_task(path, model="{recorded: {path: out.jsonl}}")
    assert task.system.name == "parrot+recorded"
    assert task.system.model == Spec("recorded", {"path": "out.jsonl"})
    assert task.system.prompt == "Question: {{ input }}"
    assert messages(load_task, path, model="ecko")[0].startswith("--model: no model is called 'ecko'. Did you mean 'echo'?")
    assert messages(load_task, path, model="{echo: {loud: true}}") == [
        "--model: model 'echo' has no option 'loud'. It has: no options."
    ]


def test_one_value_stands_for_the_one_option_that_a_plugin_needs(write: Write, task_text: str) -> None:
    short, long = "retriever: {shelf: corpus.txt}", "retriever: {shelf: {corpus: corpus.txt}}"
    first, second = (load_task(write(task_text.replace("  prompt:", f"  {text}\n  prompt:"))) for text in (short, long))
    assert first.system.retriever == second.system.retriever == Spec("shelf", {"corpus": "corpus.txt"})
    assert first.system.digest() == second.system.digest()
    again = load_task(write(task_yaml(first), "again.yaml"))
    assert again.system == first.system


def test_one_value_is_found_from_where_it_was_written(write: Write, messages: Messages) -> None:
    path = write()
    task = load_task(path, model="{recorded: out.jsonl}", overrides=["metrics=[{blend: [matching]}, matching]"])
    assert task.system.model == Spec("recorded", {"path": "out.jsonl"})
    assert task.metrics[0].spec == Spec("blend", {"of": ["matching"]})
    assert messages(load_task, path, model="{recorded: 3}") == [
        "--model: option 'path' of model 'recorded' must be a path, not 3."
    ]


def test_an_option_is_set_beside_one_value(write: Write, task_text: str, messages: Messages) -> None:
    path = write(task_text.replace("  prompt:", "  retriever: {shelf: corpus.txt}\n  prompt:"), "tasks/short.yaml")
    task = load_task(path, overrides=["system.retriever.shelf.top_k=2"])
    assert task.system.retriever == Spec("shelf", {"corpus": "corpus.txt", "top_k": 2})
    other = load_task(path, overrides=["system.retriever.shelf.corpus=other.txt"])
    assert registry.build("retriever", other.system.retriever).corpus == "other.txt"
    assert messages(load_task, path, overrides=["name.first=x"]) == [
        "--set name.first: nothing can be set there: 'name.first' leads through a plain value or past the end of a list"
    ]


def test_recorded_responses_replace_the_whole_system(write: Write) -> None:
    task = load_task(write(FULL, "tasks/full.yaml"), responses="runs/my outputs.jsonl")
    assert task.system.name == "my-outputs"
    assert (task.system.retriever, task.system.prompt) == (None, None)
    assert task.system.model == Spec("recorded", {"path": "runs/my outputs.jsonl"})
    assert registry.build("model", task.system.model).path == "runs/my outputs.jsonl"


def test_single_values_are_set_by_their_path(write: Write) -> None:
    path = write(FULL, "tasks/full.yaml")
    settings = [
        "system.generate.max_tokens=48", "metrics.0.matching.order=2", "system.model.echo={}", "version='1.10'", "group=null",
        "system.retriever.shelf.corpus=here.txt", "system.generate.stop=[]", "description=a=b",
    ]  # fmt: skip
    task = load_task(path, overrides=settings)
    assert (task.system.generate.max_tokens, task.system.generate.stop, task.version, task.group) == (48, (), "1.10", None)
    assert task.metrics[0].spec.options == {"case": False, "order": 2}
    assert task.description == "a=b"


def test_an_option_can_be_set_on_a_plugin_written_as_a_bare_name(write: Write) -> None:
    assert load_task(write(), overrides=["metrics.0.matching.order=2"]).metrics[0].spec == Spec("matching", {"order": 2})


def test_a_path_that_is_set_starts_from_the_current_folder_and_its_neighbours_keep_theirs(write: Write) -> None:
    write("here", "here.txt")
    task = load_task(write(FULL, "tasks/full.yaml"), overrides=["system.retriever.shelf.corpus=here.txt"])
    assert task.system.retriever is not None
    assert [passage.id for passage in registry.build("retriever", task.system.retriever).passages()] == ["here"]
    assert task.plain()["system"]["retriever"] == {"shelf": {"corpus": "here.txt", "top_k": 2}}


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("system.generate", "--set system.generate: must be KEY.PATH=VALUE, for example system.generate.max_tokens=48"),
        (
            "metrics.7=x",
            "--set metrics.7: nothing can be set there: 'metrics.7' leads through a plain value or past the end of a list",
        ),
        ("name.first=x", "--set name.first: nothing can be set there: 'name.first' leads through a plain value"),
        ("repeats=two", "--set repeats: 'repeats' must be a whole number, not 'two'."),
        ("group=[", "--set group: not valid YAML: expected the node content"),
        ("group=no", "--set group: 'no' is read differently by different YAML readers"),
        ("systm.name=x", "--set systm.name: a task has no key 'systm'. Did you mean 'system'?"),
    ],
)
def test_a_value_that_cannot_be_set_is_said_with_its_path(override: str, fault: str, write: Write, messages: Messages) -> None:
    found = messages(load_task, write(), overrides=[override])
    assert [line for line in found if line.startswith(fault)], found


def test_digests_follow_the_content_and_not_the_place(write: Write, tmp_path: Path) -> None:
    task = load_task(write(FULL, "tasks/full.yaml"))
    shutil.copytree("tasks", tmp_path / "elsewhere")
    moved = load_task(tmp_path / "elsewhere" / "full.yaml")
    assert (moved.plain(), moved.digest(), moved.system.digest()) == (task.plain(), task.digest(), task.system.digest())


@pytest.mark.parametrize(
    ("override", "task_changes", "system_changes"),
    [
        ("repeats=2", False, False), ("metrics.0.matching.order=2", True, False), ("dataset.path=other.jsonl", True, False),
        ("fewshot.seed=4", True, False), ("description=another", False, False), ("system.name=other", False, False),
        ("system.generate.seed=9", False, True), ("system.prompt=x", False, True), ("system.retriever.shelf.top_k=1", False, True),
    ],
)  # fmt: skip
def test_a_digest_changes_with_what_it_covers(override: str, task_changes: bool, system_changes: bool, write: Write) -> None:
    path = write(FULL, "tasks/full.yaml")
    old, new = load_task(path), load_task(path, overrides=[override])
    assert (old.digest() != new.digest(), old.system.digest() != new.system.digest()) == (task_changes, system_changes)


def test_loading_a_task_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    script = (
        "import sys, evalharness.task; print([name for name in ('yaml', 'jinja2', 'numpy', 'datasets') if name in sys.modules])"
    )
    shown: Any = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
