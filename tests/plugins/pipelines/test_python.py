"""The model `python`: how a function is found, called, awaited, batched; what it is shown; what its faults cost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import evalharness as eh
from evalharness import registry
from evalharness.errors import FaultsFound
from evalharness.task import check_data, check_task, load_task
from evalharness.testing import check
from tests.plugins.pipelines.conftest import Write, asked, messages, texts


def model(folder: Path, function: str, **options: object) -> eh.Model:
    return registry.build("model", eh.Spec("python", {"function": function, **options}, str(folder)))


def test_a_function_beside_the_task_answers_and_its_answers_are_stored(write: Write, task: Callable[[str], Path]) -> None:
    write("my_rag.py", """\
        asked = []
        def answer(sample):
            asked.append(sample)
            return {"Capital of France?": "Paris", "Capital of Japan?": "東京"}.get(sample["input"], "?")
    """)  # fmt: skip
    path = task("{python: my_rag:answer}")
    record = eh.run(path)
    assert record.scores["exact_match"].value == pytest.approx(2 / 3)
    assert record.usage["requests"] == 3
    seen = sys.modules["my_rag"].asked
    assert seen[0] == {"input": "Capital of France?", "contexts": []}
    again = eh.run(path)
    assert (again.usage["requests"], again.usage["from_store"], len(seen)) == (0, 3, 3)
    assert again.scores == record.scores


def test_a_function_is_shown_the_fields_that_it_asks_for_and_no_answer(write: Write, task: Callable[[str], Path]) -> None:
    write("shows.py", "seen = []\ndef answer(sample):\n    seen.append(sample)\n    return sample['user']\n")
    path = task("{python: {function: shows:answer, fields: [user]}}")
    assert not [*check_task(load_task(path)), *check_data(load_task(path))]
    record = eh.run(path)
    assert [set(sample) for sample in sys.modules["shows"].seen] == [{"input", "contexts", "user"}] * 3
    assert record.usage["requests"] == 3
    quiz = path.parent / "quiz.jsonl"
    quiz.write_text(quiz.read_text(encoding="utf-8").replace('"bob"', '"eve"'), encoding="utf-8")
    assert eh.run(path).usage["requests"] == 1  # the key of an answer holds what the system was given


@pytest.mark.parametrize("name", ["references", "target", "relevant"])
def test_answers_are_refused_as_fields(name: str, folder: Path) -> None:
    with pytest.raises(FaultsFound, match=f"'{name}' holds the answer, which the system that is evaluated must not see"):
        model(folder, "a:b", fields=[name])


def test_a_field_that_no_sample_has_is_told(write: Write, task: Callable[[str], Path]) -> None:
    write("shows.py", "def answer(sample):\n    return ''\n")
    path = task("{python: {function: shows:answer, fields: [usr]}}")
    loaded = load_task(path)
    assert any("the field 'usr' is missing" in finding.message for finding in check_data(loaded))
    record = eh.run(path)  # and is no question of another kind, whose answer would be scored
    assert (record.usage["requests"], record.errors) == (0, 3)
    assert "model 'python' is given the field 'usr', which this sample does not have. It has: " in str(record.usage)


def test_what_a_function_prints_is_no_part_of_the_output_of_a_run(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("prints.py", "print('loading')\ndef answer(sample):\n    print('asked')\n    return 'yes'\n")
    for concurrency in (1, 2):
        assert texts(asked(model(folder, "prints:answer", concurrency=concurrency), "one", "two")) == ["yes"] * 2
    sys.stdout.write("after\n")
    assert capsys.readouterr() == ("after\n", "loading\nasked\nasked\nasked\nasked\n")


def test_without_an_input_nothing_is_asked(write: Write, task: Callable[[str], Path]) -> None:
    write("shows.py", "def answer(sample):\n    return ''\n")
    path = task("{python: shows:answer}")
    path.write_text(path.read_text(encoding="utf-8").replace("input: ", "question: "), encoding="utf-8")
    record = eh.run(path)
    assert (record.usage["requests"], record.errors) == (0, 3)
    assert "is given the field 'input'" in str(record.usage)


def test_what_a_function_does_to_its_sample_stays_there(write: Write, folder: Path) -> None:
    write("changes.py", "def answer(sample):\n    sample['tags'].append('x')\n    return str(len(sample['tags']))\n")
    fields = eh.Values({"tags": ["a"]})
    assert texts(asked(model(folder, "changes:answer", fields=["tags"]), "one", "two", fields=fields)) == ["2", "2"]
    assert fields["tags"] == ["a"]


def test_coroutines_are_awaited_in_one_loop_and_many_at_once(write: Write, folder: Path) -> None:
    write("waits.py", """\
        import asyncio
        loops, most, now = set(), 0, 0
        async def answer(sample):
            global most, now
            loops.add(id(asyncio.get_running_loop()))
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            return sample["input"].upper()
    """)  # fmt: skip
    for _ in range(2):
        assert texts(asked(model(folder, "waits:answer", concurrency=8), *"abcdefgh")) == list("ABCDEFGH")
    assert (len(sys.modules["waits"].loops), sys.modules["waits"].most) == (1, 8)


def test_plain_functions_run_at_once_in_threads_and_alone_in_the_callers(write: Write, folder: Path) -> None:
    write("threads.py", """\
        import threading
        barrier, seen = threading.Barrier(4), set()
        def together(sample):
            barrier.wait(timeout=5)
            return "met"
        def alone(sample):
            seen.add(threading.current_thread())
            return ""
    """)  # fmt: skip
    assert texts(asked(model(folder, "threads:together", concurrency=4), *"abcdefgh")) == ["met"] * 8
    asked(model(folder, "threads:alone"), *"ab")
    assert sys.modules["threads"].seen == {threading.current_thread()}


def test_requests_are_taken_as_they_are_called(write: Write, folder: Path) -> None:
    write("echoes.py", "def answer(sample):\n    return sample['input']\n")
    taken: list[int] = []

    def requests() -> object:
        for number in range(100):
            taken.append(number)
            yield eh.Answer(input=str(number))

    answers = model(folder, "echoes:answer", concurrency=4).answer(requests())
    next(answers)
    assert len(taken) < 10
    answers.close()


def test_batches_are_lists_in_order(write: Write, folder: Path) -> None:
    write("batches.py", "sizes = []\ndef answer(samples):\n    sizes.append(len(samples))\n"
          "    return [sample['input'] * 2 for sample in samples]\n")  # fmt: skip
    assert texts(asked(model(folder, "batches:answer", batch=3), *"abcde")) == ["aa", "bb", "cc", "dd", "ee"]
    assert sys.modules["batches"].sizes == [3, 2]


def test_a_fault_in_a_batch_is_that_of_its_sample(write: Write, folder: Path) -> None:
    write("faulty.py", """\
        def answer(samples):
            return [1 / len(sample["input"]) and sample["input"] for sample in samples]
    """)  # fmt: skip
    responses = asked(model(folder, "faulty:answer", batch=4), "a", "", "c")
    assert messages(responses) == ["", "plugin: ZeroDivisionError: division by zero", ""]
    assert [response.text for response in responses] == ["a", None, "c"]


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        ("raise LookupError('no index')", {}, "plugin: LookupError: no index"),
        ("raise SystemExit(2)", {}, "plugin: SystemExit: 2"),
        ("return None", {}, "plugin: the reply must be a text, or a mapping {\"response\": TEXT, \"contexts\": [...]}, not None"),
        ("return 7", {}, "not a int. Give back str(...) of it"),
        ("return (part for part in 'ab')", {}, "not a generator. Give back \"\".join(...) of it"),
        ("import types; return types.SimpleNamespace(content='a')", {}, "not a SimpleNamespace. Give back its .content"),
        ("return {'response': ['a']}", {}, "'response' must be a text, not a list. Give back \"\".join(...) of it"),
        ("return {'answer': 'x', 'docs': []}", {}, "plugin: the reply has no 'response'. It has: answer, docs."),
        ("return {'response': None}", {}, "plugin: 'response' is None, and there are no 'contexts' either. Does it return its"),
        ("return {'response': 1}", {}, "plugin: 'response' must be a text, not a int"),
        ("return {'response': '', 'contexts': 'x'}", {}, "plugin: 'contexts' must be a list of passages, not 'x'"),
        ("return {'response': '', 'contexts': [object()]}", {}, "plugin: passage 1 of 'contexts' must be a text, a mapping with"),
        ("return {'response': '', 'contexts': [('a', 'b')]}", {}, "plugin: passage 1 of 'contexts' must be a text"),
        ("return {'response': '', 'contexts': [{'text': 'a', 'score': 'high'}]}", {}, "the score of passage 1 of 'contexts'"),
        ("return 'one'", {"batch": 2}, "plugin: with 'batch', the function must return a list of replies, not a str"),
        ("return ['a', 'b']", {"batch": 1}, "plugin: the function returned 2 replies to 1 samples"),
        ("raise OSError('\\ud800')", {}, "plugin: OSError: \\ud800"),
    ],
)  # fmt: skip
def test_a_fault_is_that_of_its_sample_and_says_what_was_wrong(
    body: str, options: dict[str, object], message: str, write: Write, folder: Path
) -> None:
    write("faults.py", f"def answer(sample):\n    {body}\n")
    (response,) = asked(model(folder, "faults:answer", **options), "q")
    assert message in messages([response])[0]


def test_a_run_with_faults_goes_on_and_asks_again_only_for_those(write: Write, task: Callable[[str], Path]) -> None:
    write("fails.py", """\
        import os
        def answer(sample):
            if "Japan" in sample["input"] and not os.environ.get("MENDED"):
                raise TimeoutError("the index is away")
            return "Paris"
    """)  # fmt: skip
    path = task("{python: fails:answer}")
    record = eh.run(path)
    assert record.scores["exact_match"].errors == 1
    assert record.scores["exact_match"].value == 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MENDED", "1")
        assert eh.run(path).usage["requests"] == 1


def test_keys_of_the_environment_stay_out_of_messages(write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret")
    write("leaks.py", "import os\ndef answer(sample):\n    raise ValueError('bad key ' + os.environ['SOME_API_KEY'])\n")
    assert messages(asked(model(folder, "leaks:answer"), "q")) == ["plugin: ValueError: bad key [SOME_API_KEY]"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("my_rga:answer", "there is no module 'my_rga': my_rga.py is not in the folder of the task"),
        ("my_rga:answer", "Did you mean 'my_rag'?"),
        ("my_rag:anser", "my_rag.py has no function 'anser'. Did you mean 'answer'? It has: answer, json, TOP, Index."),
        ("evalharness_pipelines.exampel:answer", "there is no module 'evalharness_pipelines.exampel'"),
        ("broken:answer", "broken.py:2: "),
        ("json:loads", "json.py has the name of a module of Python itself; give it another one"),
        ("pytest:answer", "'pytest' is both a module beside the task"),
    ],
)
def test_what_cannot_be_called_is_told_before_the_run_and_nothing_is_run(
    function: str, message: str, write: Write, task: Callable[[str], Path]
) -> None:
    write(
        "my_rag.py", "import json\nTOP = 3\nclass Index: ...\nif TOP:\n    def answer(sample): ...\nraise SystemExit('was run')\n"
    )
    write("broken.py", "def answer(sample):\n    return (\n")
    write("json.py", "def loads(sample): ...\n")
    write("pytest.py", "def answer(sample): ...\n")
    path = task(f"{{python: {function}}}")
    (finding,) = check_task(load_task(path))
    assert finding.level == "error"
    assert finding.where.endswith("task.yaml:5:10")
    assert finding.message.startswith("model 'python': ")
    assert message in finding.message
    with pytest.raises(FaultsFound, match="model 'python'"):
        eh.run(path)


@pytest.mark.parametrize(
    "text",
    [
        "from helpers_of_mine import *\n",
        "def __getattr__(name): ...\n",
        "globals()['answer'] = len\n",
        "import builtins as answer\n",
    ],
)
def test_nothing_is_held_against_a_module_that_only_running_it_would_tell(
    text: str, write: Write, task: Callable[[str], Path]
) -> None:
    write("dynamic.py", text)
    assert not check_task(load_task(task("{python: dynamic:answer}")))


@pytest.mark.parametrize(
    "function", ["my_rag", "my_rag.answer", "my rag:answer", ":answer", "my_rag:", "my-rag:answer", "../a:b"]
)
def test_a_function_is_written_as_module_and_function(function: str, folder: Path) -> None:
    with pytest.raises(FaultsFound, match="'function' must be MODULE:FUNCTION, such as my_rag:answer"):
        model(folder, function)


def test_a_module_that_cannot_be_imported_ends_the_run_with_its_line(write: Write, task: Callable[[str], Path]) -> None:
    write("needs.py", "import math\nimport no_such_package_at_all\ndef answer(sample): ...\n")
    with pytest.raises(
        eh.UsageError, match=r"needs.py cannot be imported: ModuleNotFoundError: .*no_such_package_at_all.*\(needs.py:2\)"
    ):
        eh.run(task("{python: needs:answer}"))


def test_modules_are_found_from_the_folder_of_the_task_while_its_code_runs(write: Write, folder: Path) -> None:
    write("outer.py", "def answer(sample):\n    from inner_part import told\n    return told\n")
    write("inner_part.py", "told = 'late import'\n")
    assert texts(asked(model(folder, "outer:answer"), "q")) == ["late import"]
    assert str(folder) not in sys.path


def test_packages_and_methods_can_be_named(write: Write, folder: Path) -> None:
    write("rag_kit/__init__.py", "")
    write("rag_kit/chain.py", "from .parts import said\nclass Chain:\n    def ask(self, sample): return said\nchain = Chain()\n")
    write("rag_kit/parts.py", "said = 'yes'\n")
    assert texts(asked(model(folder, "rag_kit.chain:chain.ask"), "q")) == ["yes"]


def test_a_changed_file_makes_another_system_and_is_imported_anew(write: Write, folder: Path) -> None:
    write("edited.py", "from edited_part import said\ndef answer(sample):\n    return said\n")
    write("edited_part.py", "said = 'first'\n")
    write("unrelated.py", "x = 1\n")
    one = model(folder, "edited:answer")
    before = one.identity()
    assert texts(asked(one, "q")) == ["first"]
    write("unrelated.py", "x = 2\n")
    assert one.identity() == before
    write("edited_part.py", "said = 'second'\n")
    assert one.identity() != before
    assert texts(asked(one, "q")) == ["second"]


def test_a_module_keeps_what_it_loaded_as_long_as_its_files_are_the_same(write: Write, folder: Path) -> None:
    write("loads_once.py", "import itertools\ncount = itertools.count()\ndef answer(sample):\n    return str(next(count))\n")
    one = model(folder, "loads_once:answer")
    assert [*texts(asked(one, "a")), *texts(asked(one, "b"))] == ["0", "1"]


def test_modules_of_one_name_in_two_folders_are_told_apart(write: Write, folder: Path) -> None:
    write("a/same_name.py", "def answer(sample):\n    return 'a'\n")
    write("b/same_name.py", "def answer(sample):\n    return 'b'\n")
    for name in ("a", "b", "a"):
        assert texts(asked(model(folder / name, "same_name:answer"), "q")) == [name]


def test_a_module_of_another_task_is_no_installed_one(write: Write, folder: Path) -> None:
    write("a/same_word.py", "def answer(sample):\n    return 'a'\n")
    write("b/same_word.py", "def answer(sample):\n    return 'b'\n")
    asked(model(folder / "a", "same_word:answer"), "q")
    assert model(folder / "b", "same_word:answer").faults() == []


def test_a_module_that_another_part_of_the_process_uses_is_not_replaced(write: Write, folder: Path) -> None:
    path = write("taken_name.py", "def answer(sample):\n    return 'a'\n")
    sys.modules["taken_name"] = type(sys)("taken_name")
    with pytest.raises(
        eh.UsageError, match=f"{path} cannot be imported as 'taken_name': this process uses a module of that name"
    ):
        asked(model(folder, "taken_name:answer"), "q")
    del sys.modules["taken_name"]


def test_the_identity_holds_the_options_that_change_answers(write: Write, folder: Path) -> None:
    write("ident.py", "def answer(sample): ...\ndef other(sample): ...\n")
    base = model(folder, "ident:answer")
    assert base.identity() == model(folder, "ident:answer", concurrency=7).identity()
    others = [{"version": "index 2"}, {"fields": ["user"]}, {"batch": 2}]
    found = {
        base.identity(),
        model(folder, "ident:other").identity(),
        *(model(folder, "ident:answer", **one).identity() for one in others),
    }
    assert len(found) == 5


def test_its_spec_builds_it_again_where_it_was_written(write: Write, folder: Path) -> None:
    write("rebuilt.py", "def answer(sample): ...\n")
    one = model(folder, "rebuilt:answer", fields=["user"])
    assert registry.build("model", one.spec()) == one
    assert one.spec().plain() == {
        "python": {"function": "rebuilt:answer", "fields": ["user"], "batch": None, "concurrency": 1, "version": ""}
    }
    assert one != model(folder / "other", "rebuilt:answer", fields=["user"])


def test_an_installed_module_answers_and_keeps_the_contract_of_a_model() -> None:
    check(eh.load_model("python", function="evalharness_pipelines.example:answer"))


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"batch": 0}])
def test_wrong_options_are_told(options: dict[str, int], folder: Path) -> None:
    with pytest.raises(FaultsFound, match="must be at least 1"):
        model(folder, "a:b", **options)


def test_a_ranking_alone_is_evaluated_by_the_output_type_retrieve(write: Write, folder: Path) -> None:
    write("finds.py", """\
        def search(sample):
            known = {"France": "fr", "Japan": "jp", "Peru": "it"}
            found = next(place for name, place in known.items() if name in sample["input"])
            return {"response": None, "contexts": [{"id": "xx", "text": "Nothing."}, {"id": found, "text": "A place."}]}
    """)  # fmt: skip
    path = write("ranks.yaml", """\
        name: ranks
        output_type: retrieve
        dataset: {path: quiz.jsonl, fields: {id: id, input: question, relevant: gold}}
        system: {name: mine, model: {python: finds:search}}
        metrics: [{retrieval_recall: {k: [1, 2]}}]
    """)  # fmt: skip
    assert not [*check_task(load_task(path)), *check_data(load_task(path))]
    record = eh.run(path)
    assert record.scores["retrieval_recall@1"].value == 0
    assert record.scores["retrieval_recall@2"].value == pytest.approx(2 / 3)
    assert record.scores["retrieval_recall@2"].errors == 0


def test_a_function_may_answer_from_passages_that_a_retriever_found_and_order_them_anew(write: Write) -> None:
    write("corpus.jsonl", '{"id": "fr", "text": "Paris is the capital of France."}\n{"id": "xx", "text": "France is big."}\n')
    write("ranks_anew.py", """\
        def answer(sample):
            best = sorted(sample["contexts"], key=lambda passage: "capital" not in passage["text"])
            return {"response": best[0]["text"].split()[0] if best else "", "contexts": best[:1]}
    """)  # fmt: skip
    path = write("task.yaml", """\
        name: quiz
        dataset: {path: quiz.jsonl, fields: {id: id, input: question, references: answers, relevant: gold}}
        system: {name: mine, retriever: {bm25: corpus.jsonl}, model: {python: ranks_anew:answer}}
        metrics: [exact_match, {retrieval_precision: {k: []}}]
    """)  # fmt: skip
    assert not check_task(load_task(path))
    record = eh.run(path, limit=1)
    assert (record.scores["exact_match"].value, record.scores["retrieval_precision"].value) == (1, 1)


def test_passages_without_ids_are_told_beside_the_scores(write: Write, task: Callable[[str], Path]) -> None:
    write(
        "nameless.py",
        "def answer(sample):\n    return {'response': 'x', 'contexts': ['Some text.']}\n",
    )
    record = eh.run(task("{python: nameless:answer}"))
    told = "3 answers have passages without an id, which are called after their texts: give each passage its id"
    assert record.usage["remarks"][0].startswith(told)


def test_a_prompt_is_refused_and_options_without_effect_are_told(write: Write) -> None:
    write("plain.py", "def answer(sample):\n    return ''\n")
    path = write("task.yaml", """\
        name: quiz
        repeats: 2
        dataset: {path: quiz.jsonl, fields: {input: question, references: answers}}
        system:
          name: mine
          model: {python: plain:answer}
          generate: {max_tokens: 3}
        metrics: [exact_match]
    """)  # fmt: skip
    (finding,) = check_task(load_task(path))
    assert finding.message == "'generate' has no effect on 'python', which takes no prompt"
    path.write_text(path.read_text().replace("  generate:", "  prompt: '{{ input }}'\n  generate:"))
    findings = check_task(load_task(path))
    assert any(" It takes no prompt; leave 'prompt:' out of the system, or name" in found.message for found in findings)
