"""The model `command`: a program that speaks JSON lines, and everything that it may do instead."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from evalharness_pipelines import child

import evalharness as eh
from evalharness import registry
from evalharness.errors import FaultsFound
from evalharness.task import check_task, load_task
from evalharness.testing import check
from tests.plugins.pipelines.conftest import Write, asked, messages, texts

# A program without the `site` module starts three times as fast.
PYTHON = ["python", "-I", "-S"]
HEAD = """\
import json, os, sys, time
def say(**reply):
    sys.stdout.write(json.dumps(reply) + "\\n")
    sys.stdout.flush()
def questions():
    for line in sys.stdin:
        yield json.loads(line)
"""


@pytest.fixture
def program(write: Write, folder: Path) -> Callable[..., eh.Model]:
    """Give a function that writes a program and returns the model that asks it."""

    def made(text: str, **options: object) -> eh.Model:
        write("program.py", text)
        path = folder / "program.py"
        path.write_text(HEAD + path.read_text(encoding="utf-8"), encoding="utf-8")
        return registry.build("model", eh.Spec("command", {"run": [*PYTHON, "program.py"], **options}, str(folder)))

    return made


Program = Callable[..., eh.Model]


def starts(folder: Path) -> int:
    """Return how often the program was started: it appends a letter each time."""
    return len((folder / "starts").read_text())


def test_a_program_answers_line_by_line_and_is_started_once(program: Program, folder: Path) -> None:
    model = program("""\
        open("starts", "a").write("x")
        for question in questions():
            assert set(question) == {"id", "input", "contexts", "user"}, question
            say(id=question["id"], response=question["input"].upper() + question["user"], contexts=["It says so."])
        open("ended", "w").write("")
    """, fields=["user"])  # fmt: skip
    responses = asked(model, *"abcde", "東京 🙂\n", fields=eh.Values({"user": "é"}))
    assert texts(responses) == ["Aé", "Bé", "Cé", "Dé", "Eé", "東京 🙂\né"]
    assert responses[0].contexts is not None
    assert responses[0].contexts[0].text == "It says so."
    assert starts(folder) == 1
    assert (folder / "ended").exists()  # it was let end by itself


def test_replies_may_come_in_any_order_and_many_questions_are_open_at_once(program: Program) -> None:
    model = program("""\
        open_now = []
        for question in questions():
            open_now.append(question)
            if len(open_now) == 4:
                for question in reversed(open_now):
                    say(id=str(question["id"]), response=question["input"])
                open_now = []
    """, concurrency=4)  # fmt: skip
    requests = [eh.Answer(input=text) for text in "abcdefgh"]
    answers = [(request.input, response.text) for request, response in model.answer(iter(requests))]
    assert answers == [(text, text) for text in "dcbahgfe"]


def test_lines_may_be_very_long(program: Program) -> None:
    model = program("""\
        for question in questions():
            say(id=question["id"], response=question["input"] * 2)
    """, concurrency=3)  # fmt: skip
    long = "äb" * 500_000
    assert texts(asked(model, long, "c", long)) == [long * 2, "cc", long * 2]


def test_an_error_of_one_question_leaves_the_others(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret")
    model = program("""\
        for question in questions():
            if question["input"] == "b":
                say(id=question["id"], error="no index for " + os.environ["SOME_API_KEY"])
            elif question["input"] == "c":
                say(id=question["id"], answer="x")
            else:
                say(id=question["id"], response=question["input"])
    """)  # fmt: skip
    responses = asked(model, *"abcd")
    assert messages(responses) == [
        "",
        "server: the program says: no index for [SOME_API_KEY]",
        "server: the reply has no 'response'. It has: id, answer. It must be a text, or a mapping "
        '{"response": TEXT, "contexts": [...]}',
        "",
    ]


def test_lines_that_are_no_replies_are_told(program: Program) -> None:
    model = program("""\
        print("Loading the index", flush=True)
        for question in questions():
            if question["input"] == "b":
                print('{"id": %d, "response": "cut' % question["id"], flush=True)
            elif question["input"] == "c":
                print('{"response": "whose?"}', flush=True)
            else:
                sys.stdout.buffer.write(b'\\xff\\xfe\\n')
                say(id=question["id"], response=question["input"])
                say(id=question["id"], response="twice")
                say(id=99, response="nobody's")
    """)  # fmt: skip
    responses = asked(model, *"abcd")
    assert [response.text for response in responses] == ["a", None, None, "d"]
    assert "the program wrote a line that is no JSON" in messages(responses)[1]
    assert '{"id": 2, "response": "cut' in messages(responses)[1]
    assert 'the program wrote a line without the \'id\' of a question: {"response": "whose?"}' in messages(responses)[2]
    (remark,) = model.remarks()
    assert remark.startswith("the program of model 'command' wrote 5 lines that are no replies; the first: Loading the index.")


def test_a_reply_with_the_id_of_another_question_is_told_when_time_is_over(program: Program) -> None:
    model = program("""\
        for question in questions():
            say(id=1, response=question["input"])
    """, timeout=0.5)  # fmt: skip
    assert messages(asked(model, "a", "b")) == [
        "",
        'timeout: no reply within 0.5 s. It wrote what is no reply: {"id": 1, "response": "b"}',
    ]


def test_the_question_that_a_program_cannot_bear_is_found_and_the_others_are_answered(program: Program, folder: Path) -> None:
    model = program("""\
        open("starts", "a").write("x")
        for question in questions():
            if question["input"] in ("c", "f"):
                sys.stderr.write("Traceback:\\nMemoryError: no room\\n")
                sys.exit(3)
            say(id=question["id"], response=question["input"])
    """, concurrency=3)  # fmt: skip
    responses = asked(model, *"abcdefgh")
    assert [response.text for response in responses] == ["a", "b", None, "d", "e", None, "g", "h"]
    assert messages(responses)[2] == "server: the program ended (exit code 3). It said: Traceback: | MemoryError: no room"
    assert starts(folder) <= 5


def test_a_program_that_is_killed_is_started_again(program: Program, folder: Path) -> None:
    model = program("""\
        open("starts", "a").write("x")
        for question in questions():
            if question["input"] == "c" and len(open("starts").read()) == 1:
                os.kill(os.getpid(), 9)
            say(id=question["id"], response=question["input"])
    """, concurrency=2)  # fmt: skip
    responses = asked(model, *"abcde")
    assert [response.text for response in responses][:2] == ["a", "b"]
    assert [response.text for response in responses][3:] == ["d", "e"]
    assert messages(responses)[2] in ("", "server: the program ended (signal 9 (SIGKILL))")
    assert starts(folder) == 2


def test_a_program_that_never_answers_is_given_up_and_says_why(program: Program, folder: Path) -> None:
    model = program('open("starts", "a").write("x")\nimport no_such_package_at_all\n')
    responses = asked(model, *"abcdefgh")
    assert starts(folder) == 4
    assert all("ModuleNotFoundError: No module named 'no_such_package_at_all'" in message for message in messages(responses))
    assert messages(responses)[0].startswith("server: the program ended (exit code 1). It said: ")
    assert messages(responses)[7].startswith("server: not asked, since the program ended 4 times in a row without an answer: ")


def test_a_question_without_a_reply_times_out_and_a_stuck_program_is_started_anew(program: Program, folder: Path) -> None:
    model = program("""\
        open("starts", "a").write("x")
        print("deep in thought", file=sys.stderr)
        for question in questions():
            if question["input"] == "b":
                time.sleep(60)
            say(id=question["id"], response=question["input"])
    """, timeout=1.0)  # fmt: skip
    started = time.monotonic()
    responses = asked(model, *"abc")
    assert [response.text for response in responses] == ["a", None, "c"]
    assert messages(responses)[1] == "timeout: no reply within 1 s. It said: deep in thought"
    assert starts(folder) == 2
    assert time.monotonic() - started < 10


def test_a_question_that_is_forgotten_times_out_and_the_program_goes_on(program: Program, folder: Path) -> None:
    model = program("""\
        open("starts", "a").write("x")
        for question in questions():
            time.sleep(0.05)
            if question["input"] != "b":
                say(id=question["id"], response=question["input"])
    """, timeout=1.0, concurrency=2)  # fmt: skip
    responses = asked(model, *"abcdefghijklmnop")
    assert [index for index, response in enumerate(responses) if response.error] == [1]
    assert starts(folder) == 1


def test_a_program_that_does_not_read_does_not_hold_up_the_harness(program: Program) -> None:
    model = program("time.sleep(60)\n", timeout=0.3)
    started = time.monotonic()
    assert messages(asked(model, "x" * 1_000_000)) == ["timeout: no reply within 0.3 s"]
    assert time.monotonic() - started < 5


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(
    program: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "GRACE", 0.3)
    model = program("""\
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        other = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
        open("pids", "w").write(f"{os.getpid()} {other.pid}")
        for question in questions():
            say(id=question["id"], response="yes")
        time.sleep(60)
    """)  # fmt: skip
    assert texts(asked(model, "a")) == ["yes"]
    own, other = map(int, (folder / "pids").read_text().split())
    with pytest.raises(ProcessLookupError):  # no zombie either
        os.kill(own, 0)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _is_alive(other):
        time.sleep(0.02)
    assert not _is_alive(other)


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_who_stops_in_the_middle_ends_the_program(program: Program, folder: Path) -> None:
    model = program("""\
        open("pid", "w").write(str(os.getpid()))
        for question in questions():
            say(id=question["id"], response="yes")
            time.sleep(60)
    """, concurrency=4)  # fmt: skip
    answers = model.answer(iter([eh.Answer(input=text) for text in "abcdef"]))
    next(answers)
    started = time.monotonic()
    answers.close()
    assert time.monotonic() - started < child.GRACE - 1  # no reply is waited for
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


def test_it_runs_in_a_task_and_from_the_store(write: Write, task: Callable[[str], Path], folder: Path) -> None:
    write("capitals.py", HEAD + """\
open("starts", "a").write("x")
for question in questions():
    say(id=question["id"], response={"France": "Paris", "Japan": "東京"}.get(question["input"][11:-1], "?"))
""")  # fmt: skip
    path = task(f"{{command: {json.dumps([*PYTHON, 'capitals.py'])}}}")
    assert not check_task(load_task(path))
    record = eh.run(path)
    assert record.scores["exact_match"].value == pytest.approx(2 / 3)
    assert (eh.run(path).usage["from_store"], starts(folder)) == (3, 1)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("[no-such-program-at-all, x]", "there is no program 'no-such-program-at-all'; programs are looked for on the PATH"),
        ("no-such-program-at-all --fast", "there is no program 'no-such-program-at-all'; programs are looked for on the PATH"),
        ("[./my_rag.sh]", "there is no program './my_rag.sh' in the folder of the task"),
        ("[python, -u, my_rga.py]", "there is no file my_rga.py in the folder of the task"),
        ("[python, broken.py]", "broken.py:2: "),
    ],
)
def test_what_cannot_be_started_is_told_before_the_run(run: str, message: str, write: Write, task: Callable[[str], Path]) -> None:
    write("broken.py", "def answer(sample):\n    return (\n")
    (finding,) = check_task(load_task(task(f"{{command: {run}}}")))
    assert (finding.level, finding.where.rpartition("/")[2]) == ("error", "task.yaml:5:10")
    assert finding.message.startswith(f"model 'command': {message}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": []}, "'run' must name a program, such as [python, my_rag.py]"),
        ({"run": " "}, "'run' must name a program"),
        ({"run": "python 'x"}, "No closing quotation"),
        ({"run": "python x", "timeout": 0}, "'concurrency' must be at least 1 and 'timeout' above 0"),
        ({"run": "python x", "fields": ["id"]}, "'id' is the number of the question here"),
        ({"run": "python x", "fields": ["references"]}, "'references' holds the answer"),
        ({"run": "python x", "fields": ["contexts"]}, "'contexts' is given to every system"),
        ({"run": {"a": 1}}, "option 'run' of model 'command' must be a string or a list of (a string), not {'a': 1}."),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(FaultsFound) as caught:
        registry.build("model", eh.Spec("command", options))
    assert message in str(caught.value)


def test_the_identity_holds_the_files_that_the_command_names(write: Write, folder: Path) -> None:
    def identity(*run: str, **options: object) -> str:
        return registry.build("model", eh.Spec("command", {"run": list(run), **options}, str(folder))).identity()

    write("rag.py", "import rag_part\n")
    write("rag_part.py", "x = 1\n")
    write("settings.json", "{}")
    write("rag.sh", "")
    runs = [("python", "rag.py"), ("python", "rag.py", "settings.json"), ("python", "-m", "rag"), ("./rag.sh",), ("sh", "rag.sh")]
    before = [identity(*run) for run in runs]
    assert len(set(before)) == len(runs)
    assert identity("python", "rag.py", concurrency=9, timeout=1.0) == before[0]
    assert identity("python", "rag.py", version="2") != before[0]
    write("rag_part.py", "x = 2\n")
    write("rag.sh", "true")
    after = [identity(*run) for run in runs]
    assert not set(before) & set(after)
    write("settings.json", "[]")
    assert [identity(*run) for run in runs[:2]] != after[:2]
    assert identity(*runs[0]) == after[0]


def test_it_keeps_the_contract_of_a_model() -> None:
    check(eh.load_model("command", run="python -m evalharness_pipelines.example"))
