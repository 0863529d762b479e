"""The docs: every hook, command and plugin is there, examples run, command lines parse, generated pages are fresh."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import click
import pytest

from evalharness import hooks, registry
from evalharness.cli.main import COMMANDS, cli
from evalharness.cli.scaffold import MODULE, PYPROJECT
from evalharness.contract import Plugin
from evalharness.registry import Registry, Source
from evalharness.testing import check
from evalharness.testing.every import kind_of

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = "<!-- not run:"
HOOKS = {name: item for name, item in vars(hooks).items() if hasattr(item, f"{hooks.PROJECT}_spec")}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks in these languages; one under a comment `<!-- not run: WHY -->` is left out."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        if match[1] in languages and not before.startswith(NOT_RUN):
            found.append(Block(page, text[: match.start()].count("\n") + 1, match[1], match[2]))
    return found


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, *languages)]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to run examples in, which sees the tasks of the project and its docs."""
    for name in ("tasks", "docs"):
        os.symlink(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def module(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """Give an empty module that can be found by name, so that the classes of an example pickle."""
    made = types.ModuleType(f"example_{re.sub(r'[^0-9a-z]', '_', request.node.name.lower())}")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def run(block: Block, module: types.ModuleType) -> None:
    """Run a block in a module, with the line numbers of its page; a block of `>>>` lines must print what it shows."""
    if block.text.startswith(">>> "):
        test = doctest.DocTestParser().get_doctest(block.text, vars(module), str(block), str(block.page), block.line)
        assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
        return
    exec(compile("\n" * block.line + block.text, str(block.page), "exec"), vars(module))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_examples_run_and_their_plugins_keep_the_contract(page: Path, workplace: Path, module: types.ModuleType) -> None:
    tried: set[Any] = set()
    for block in blocks(page, "python"):
        run(block, module)
        own = {item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Plugin)} - tried
        tried |= own
        for plugin in own:
            if plugin.__module__ == module.__name__ and f"check_{kind_of(plugin)}({plugin.__name__})" not in block.text:
                check(plugin)


@dataclass(frozen=True)
class Line:
    """One command line of a page."""

    block: Block
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block}:{' '.join(self.words)}"


def command_lines() -> list[Line]:
    """Return the calls of `evalharness` in console blocks, one for each part of a pipe or list of commands."""
    return [Line(block, part[1:]) for block in all_blocks("console", "bash", "sh") for part in _calls(block)]


def _calls(block: Block) -> Iterator[tuple[str, ...]]:
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "console" and not line.startswith("$ "):
            continue
        shell = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        shell.whitespace_split = True
        yield from (part for part in _parts(list(shell)) if part[:1] == ("evalharness",))


def _parts(words: list[str]) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("|&;<>"):
            yield tuple(part)
            part = []
        else:
            part.append(word)


def parse(command: click.Command, words: list[str]) -> None:
    """Parse a command line down to its last command without running it."""
    if not isinstance(command, click.Group):
        command.make_context(command.name or "", list(words)).close()
        return
    inner = command.get_command(click.Context(command), words[0])
    assert inner is not None, words[0]
    parse(inner, words[1:])


@pytest.mark.parametrize("line", command_lines(), ids=str)
def test_command_lines_parse(line: Line) -> None:
    if "--help" not in line.words and "--version" not in line.words:
        parse(cli, list(line.words))


def test_a_wrong_command_line_is_seen() -> None:
    with pytest.raises(click.UsageError, match="No such option"):
        parse(cli, ["list", "metrics", "--jsn"])


def signature(name: str) -> str:
    return f"{name}({', '.join(inspect.signature(HOOKS[name]).parameters)})"


def sections(page: Path) -> dict[str, str]:
    """Return the sections of a page by heading."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_hook_has_a_section_headed_by_its_signature() -> None:
    assert list(sections(ROOT / "docs" / "hooks.md")) == [signature(name) for name in HOOKS]


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_a_hook_is_a_plugin_that_loads(name: str, module: types.ModuleType) -> None:
    page = ROOT / "docs" / "hooks.md"
    (block,) = [block for block in blocks(page, "python") if f"def {name}(" in block.text]
    run(block, module)
    found = Registry()
    found.add(module, Source("example", "docs", "1.0"))
    provided = [entry.cls.name for entries in found.entries.values() for entry in entries.values()]
    assert bool(provided) == (name in registry.PROVIDERS.values())
    assert provided or found.notified(Source("example", "docs", "1.0")) == [name]


class Scored:
    """What the examples of notifications read of a run and a record."""

    value, low, high = 0.5, 0.25, 0.75


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("evalharness_run_started", "rag_qa starts, into runs/rag_qa/x\n"),
        ("evalharness_batch_scored", "rag_qa: 2 more, the longest response has 3 characters\n"),
        ("evalharness_run_finished", "bleu: 0.5 from 0.25 to 0.75\n"),
        ("evalharness_render", ""),
    ],
)
def test_the_example_of_a_notification_does_what_the_page_says(
    name: str, told: str, module: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [block for block in blocks(ROOT / "docs" / "hooks.md", "python") if f"def {name}(" in block.text]
    run(block, module)
    given: dict[str, Any] = {
        "run": types.SimpleNamespace(task=types.SimpleNamespace(name="rag_qa"), folder=Path("runs/rag_qa/x"), limit=None),
        "batch": __import__("evalharness").Batch({"response": ["a", "abc"]}, ["1", "2"]),
        "record": types.SimpleNamespace(scores={"bleu": Scored()}),
        "format": "csv",
    }
    result = getattr(module, name)(**{key: given[key] for key in inspect.signature(HOOKS[name]).parameters})
    assert capsys.readouterr().out == told
    assert result == ("score,value\nbleu,0.5" if name == "evalharness_render" else None)


def words() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_docs(name: str) -> None:
    assert f"evalharness {name}" in words()


def test_every_plugin_of_ours_is_in_the_docs() -> None:
    entries = [entry for kind in registry.BASES for entry in registry.installed().classes(kind)]
    ours = [entry.cls.name for entry in entries if entry.source.distribution == "evalharness"]
    assert ours
    assert not [name for name in ours if f"`{name}`" not in words()]


def test_the_reference_is_fresh() -> None:
    space: dict[str, Any] = {"__name__": "generate", "__file__": str(ROOT / "docs" / "generate.py")}
    exec((ROOT / "docs" / "generate.py").read_text(encoding="utf-8"), space)

    for name, make in (("reference.md", "reference"), ("metrics.md", "catalogue")):
        page = ROOT / "docs" / name
        assert page.read_text(encoding="utf-8") == space[make](), "run python docs/generate.py"


def test_the_page_on_plugins_shows_what_plugin_new_writes() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    given = {"name": "acme-brevity", "module": "acme_brevity"}
    assert f"```python\n{Template(MODULE).substitute(given)}```" in page
    assert f"```toml\n{Template(PYPROJECT).substitute(given)}```" in page


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


PLACEHOLDER = re.compile(r"^\s*(?:\W?[A-Z]{3,}\W?|TODO\b.*|\.{3}|…)\s*$", re.MULTILINE)


@pytest.mark.parametrize("block", all_blocks("console"), ids=str)
def test_no_output_is_a_placeholder(block: Block) -> None:
    found = PLACEHOLDER.search(block.text)
    assert found is None, f"{block}: put in what the command prints, in place of {found[0].strip()}"


@pytest.mark.parametrize("line", ["OUTPUT", "<OUTPUT>", "...", "TODO: run it", "  …"])
def test_a_placeholder_is_seen(line: str) -> None:
    assert PLACEHOLDER.search(f"$ evalharness list\n{line}\n")
    assert not PLACEHOLDER.search(f"$ evalharness list\nbleu {line.lower()} 0.5\n")


def test_ci_runs_the_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"<!-- test -->\n```console\n\$ (.*)\n```\n<!-- end -->", readme)
    assert command.rpartition("&& ")[2].startswith("pytest ")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
