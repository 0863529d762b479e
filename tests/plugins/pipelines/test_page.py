"""The page "Evaluate your own system" and the systems in tasks/systems: everything that they show runs."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evalharness_pipelines.modules import importable, load
from evalharness_pipelines.passages import passages
from evalharness_pipelines.sources import find

import evalharness as eh
from evalharness import registry
from evalharness.task import check_task, load_task
from evalharness.task.strict_yaml import read_text
from tests.plugins.pipelines.conftest import Write, asked, texts

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
SYSTEMS = ROOT / "tasks" / "systems"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(heading: str) -> dict[str, list[str]]:
    """Return the blocks of a section of the page by language."""
    text = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1]
    found: dict[str, list[str]] = {}
    for match in BLOCK.finditer(re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]):
        found.setdefault(match[1], []).append(match[2])
    return found


def shown_model(text: str, folder: Path) -> eh.Model:
    """Return the model of a system as the page writes it."""
    (spec,) = [read_text(text, [], file="page").value()["model"]]
    ((name, options),) = spec.items()
    return registry.build("model", eh.Spec(name, options if isinstance(options, dict) else {"": options}, str(folder)))


class LangChainDocument(SimpleNamespace):
    """Has what `langchain_core.documents.Document` has: page_content, metadata, id."""


class LlamaIndexNode(SimpleNamespace):
    """Has what `llama_index.core.schema.NodeWithScore` has: node_id, score and get_content()."""

    def get_content(self) -> str:
        return self.node.text  # type: ignore[no-any-return]


class HaystackDocument(SimpleNamespace):
    """Has what `haystack.Document` has: id, content, meta, score."""


class LlamaIndexReply:
    """Has what `llama_index.core.base.response.schema.Response` has: response and source_nodes; str() gives the text."""

    source_nodes = (LlamaIndexNode(node_id="n1", score=0.5, node=SimpleNamespace(text="It lies in the north.")),)

    def __str__(self) -> str:
        return "In the north."


async def _aquery(question: str) -> LlamaIndexReply:
    return LlamaIndexReply()


def _run(given: dict[str, Any], include_outputs_from: set[str]) -> dict[str, Any]:
    document = HaystackDocument(id="h1", content="It lies in the north.", meta={}, score=0.25)
    return {"llm": {"replies": ["In the north."]}, "retriever": {"documents": [document]}}


LANGCHAIN = LangChainDocument(page_content="It lies in the north.", id="l1", metadata={})
YOURS = {
    "LangChain": (
        "my_chain",
        {
            "retriever": SimpleNamespace(invoke=lambda question: [LANGCHAIN]),
            "chain": SimpleNamespace(invoke=lambda given: "In the north."),
        },
        eh.Passage("l1", "It lies in the north."),
    ),
    "LlamaIndex": (
        "my_index", {"query_engine": SimpleNamespace(aquery=_aquery)}, eh.Passage("n1", "It lies in the north.", 0.5),
    ),
    "Haystack": ("my_pipeline", {"pipeline": SimpleNamespace(run=_run)}, eh.Passage("h1", "It lies in the north.", 0.25)),
}  # fmt: skip


@pytest.mark.parametrize("library", YOURS)
def test_a_pipeline_of_a_library_is_a_function_and_two_lines(
    library: str, write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, yours, passage = YOURS[library]
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**yours))
    blocks = section(library)
    (code,), (system,) = blocks["python"], blocks["yaml"]
    write(f"my_{library.lower()}.py", code)
    (response,) = asked(shown_model(system, folder), "Where is Tarn?")
    assert response.error is None
    assert (response.text, response.contexts) == ("In the north.", (passage,))


def test_documents_of_the_libraries_are_read_as_they_are() -> None:
    """The libraries are no dependency; where one is installed, its own objects are tried."""
    made: list[tuple[Any, eh.Passage]] = [
        ((LangChainDocument(page_content="a", id=None, metadata={}), 0.5), eh.Passage(passages(["a"])[0].id, "a", 0.5))
    ]
    for module, make, passage in (
        ("langchain_core.documents", lambda lib: lib.Document(page_content="a", id="1"), eh.Passage("1", "a")),
        ("llama_index.core.schema", lambda lib: lib.NodeWithScore(node=lib.TextNode(text="b", id_="4"), score=0.5),
         eh.Passage("4", "b", 0.5)),
        ("llama_index.core.schema", lambda lib: lib.TextNode(text="b", id_="2"), eh.Passage("2", "b")),
        ("haystack", lambda lib: lib.Document(content="c", id="3", score=0.25), eh.Passage("3", "c", 0.25)),
    ):  # fmt: skip
        try:
            made.append((make(import_module(module)), passage))
        except ImportError:
            continue
    assert passages([document for document, _ in made]) == tuple(passage for _, passage in made)


def test_equal_texts_without_ids_are_told_apart() -> None:
    first, second, third = passages(["a", "b", "a"])
    assert third.id == f"{first.id}-2" != second.id


def test_the_first_system_of_the_page_runs(write: Write, folder: Path) -> None:
    blocks = section("Evaluate your own system")
    write("my_rag.py", blocks["python"][0])
    assert texts(asked(shown_model(blocks["yaml"][0], folder), "Who?")) == ["I was asked: Who?"]


def test_the_program_of_the_page_runs(write: Write, folder: Path) -> None:
    blocks = section("A program")
    write("my_program.py", blocks["python"][0])
    assert texts(asked(shown_model(blocks["yaml"][0], folder), "a", "é", fields=eh.Values({"user": "ann"}))) == ["A", "É"]
    assert all(json.loads(line) for line in blocks["json"][0].splitlines())


@pytest.mark.parametrize("heading", ["A Python function", "A service"])
def test_the_options_of_the_page_are_accepted(heading: str, folder: Path) -> None:
    (system,) = section(heading)["yaml"]
    assert shown_model(system, folder).retrieves


def test_the_task_of_the_page_that_only_ranks_loads(write: Write) -> None:
    write("my_rag.py", "def search(sample):\n    return {'response': None, 'contexts': []}\n")
    path = write("ranking.yaml", section("What it gives back")["yaml"][0])
    assert not check_task(load_task(path))


@pytest.fixture
def rag_qa(folder: Path) -> Callable[..., Any]:
    """Give a function that runs a system of tasks/systems on a few questions of the main task."""

    def run(system: str, **options: Any) -> Any:
        out, store = folder / "runs" / system, folder / "store.db"
        return eh.run(ROOT / "tasks" / "rag_qa.yaml", system=SYSTEMS / f"{system}.yaml", limit=6, out=out, store=store, **options)

    return run


def test_a_function_a_program_and_a_service_are_the_same_system(rag_qa: Callable[..., Any]) -> None:
    function = rag_qa("function")
    source = find("my_rag_server", str(SYSTEMS))
    assert source is not None
    with importable(source):
        running = load(source, "server")(0)
    thread = threading.Thread(target=lambda: running.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{running.server_address[1]}/ask"
        service = rag_qa("service", overrides=[f"system.model.http.url={url}"])
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
    program = rag_qa("program")
    assert function.scores["mrr"].value > 0.5
    assert function.scores["token_f1"].value is not None
    assert program.scores == service.scores == function.scores
    assert [record.usage["requests"] for record in (function, service, program)] == [6, 6, 6]
