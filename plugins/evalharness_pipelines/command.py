"""A system that is a program."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import field
from itertools import pairwise
from pathlib import Path

import evalharness as eh
from evalharness_pipelines.child import Child
from evalharness_pipelines.dialogue import Dialogue
from evalharness_pipelines.noting import noted, remarks
from evalharness_pipelines.questions import not_supported, refuse_answers, whole
from evalharness_pipelines.sources import Source, find, parsed

_STRAY: dict[Command, list[str]] = {}  # the lines of this process's programs that are no replies
SCRIPTS = frozenset([".py", ".sh", ".bash", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".r", ".jl", ".lua", ".php", ".jar"])


class Command(eh.Model):
    """Answers by asking a program that runs beside the harness, in any language: JSON lines go in, JSON lines come out.

    - `run`: the program and its arguments, as a list or as one text that is split as a shell would (no shell is run). It runs
      in the folder of the task. `{command: [python, my_rag.py]}` is short for it.
    - `fields`: the fields of a sample that it is given beside `input` and `contexts`; the answers (`references`, `target`,
      `relevant`) are refused.
    - `concurrency`: how many questions are open at once.
    - `timeout`: seconds from a question to its reply; those of the first include the program's start.
    - `version`: names what changes answers and does not stand in the files that `run` names, for the identity.

    A question is one line of JSON on stdin, `{"id", "input", "contexts", ...fields}`; its reply one line on stdout,
    `{"id", "response", "contexts"?}` or `{"id", "error"}`, in any order, written at once (flushed). The program is started
    once; when stdin ends, it ends. What it writes on stderr stands in the message of a failure. If it ends early, it is
    started again, three times in a row at most without an answer; what was open then is asked again, each question alone.
    """

    name = "command"
    example = {"run": ["python", "-m", "evalharness_pipelines.example"]}
    supports = (eh.Answer,)
    retrieves = True
    run: str | tuple[str, ...]
    fields: tuple[str, ...] = ()
    concurrency: int = 1
    timeout: float = 300.0
    version: str = ""
    folder: str = field(default=".", metadata={"option": False})

    def __post_init__(self) -> None:
        if not self._words():
            raise ValueError("'run' must name a program, such as [python, my_rag.py]")
        if self.concurrency < 1 or not self.timeout > 0:
            raise ValueError("'concurrency' must be at least 1 and 'timeout' above 0")
        if "id" in self.fields:
            raise ValueError("'id' is the number of the question here; give the id under another name, such as {key: id}")
        refuse_answers(self.fields)

    @property
    def reads(self) -> tuple[str, ...]:
        return self.fields

    def faults(self) -> Sequence[str]:
        program, *arguments = self._words()
        found = [] if self._program() else [f"there is no program '{program}'{_where(program, self.folder)}"]
        script = next((word for word in arguments if not word.startswith("-")), "")
        file = Path(self.folder, script)
        if Path(script).suffix.lower() in SCRIPTS and not file.is_file():
            found.append(f"there is no file {script} in the folder of the task, {Path(self.folder).resolve()}")
        elif file.suffix == ".py" and isinstance(error := parsed(file), SyntaxError):
            found.append(f"{script}:{error.lineno}: {error.msg}; mend it first")
        return found

    def identity(self) -> str:
        return eh.digest([self.name, self._words(), list(self.fields), self.version, sorted(self._digests().items())])

    def remarks(self) -> Sequence[str]:
        stray = _STRAY.get(self, ())
        if not stray:
            return remarks(self)
        lines = "a line that is no reply" if len(stray) == 1 else f"{len(stray)} lines that are no replies; the first"
        return [*remarks(self), f"the program of model 'command' wrote {lines}: {stray[0]}. What is no reply belongs on stderr."]

    def answer(self, requests: Iterable[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        refused: list[eh.Request] = []
        stray = _STRAY.setdefault(self, [])
        dialogue = Dialogue(self._started, whole(requests, refused), self.concurrency, self.timeout, stray)
        with closing(dialogue.replies()) as replies:
            yield from ((request, noted(self, response)) for request, response in replies)
        yield from ((request, not_supported(self, request)) for request in refused)

    def _words(self) -> list[str]:
        return shlex.split(self.run) if isinstance(self.run, str) else list(self.run)

    def _program(self) -> str | None:
        """Return the path of the program; one that is written as a path stands in the folder of the task."""
        program = self._words()[0]
        return shutil.which(Path(self.folder, program).resolve() if Path(program).name != program else program)

    def _started(self) -> Child:
        program, *arguments = self._words()
        try:
            return Child([self._program() or program, *arguments], self.folder)
        except OSError as error:
            where = _where(program, self.folder)
            raise eh.UsageError(f"model 'command': '{program}' cannot be started: {error.strerror}{where}") from error

    def _digests(self) -> dict[str, str]:
        """Return the digests of the files that `run` names, and of those beside them that Python files import."""
        words = self._words()
        found: dict[str, str] = {}
        for word in words:
            file = Path(self.folder, word)
            if file.is_file() and (word != words[0] or Path(word).name != word):
                made_of = Source(file.stem, file, file.parent, beside=True)
                found |= {f"{word} {name}": digest for name, digest in made_of.digests.items()}
        module = next((after for before, after in pairwise(words) if before == "-m"), None)
        source = None if module is None else find(module, self.folder)
        return found | ({} if source is None else source.digests)


def _where(program: str, folder: str) -> str:
    if Path(program).name != program:
        return f" in the folder of the task, {Path(folder).resolve()}"
    return "; programs are looked for on the PATH, a file of the task's folder is written ./NAME"
