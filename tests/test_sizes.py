"""Modules of at most 400 lines, functions of at most 60; there are no exemptions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for root in ("evalharness", "plugins") for path in (ROOT / root).rglob("*.py"))
LINES_A_MODULE, LINES_A_FUNCTION, MEDIAN = 400, 60, 10


def lengths(source: str) -> dict[str, int]:
    """Return the lines of each function by name and line, decorators not counted."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {f"{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LINES_A_MODULE, "split the module by job"
    long = {name: count for name, count in lengths(source).items() if count > LINES_A_FUNCTION}
    assert not long, "split these functions by job"


def test_half_of_all_functions_are_very_short() -> None:
    counts = sorted(count for path in MODULES for count in lengths(path.read_text(encoding="utf-8")).values())
    assert counts[len(counts) // 2] <= MEDIAN


def test_a_long_function_is_seen() -> None:
    assert lengths("def f():\n" + "    x = 1\n" * 61 + "\nclass A:\n    async def g(self): ...\n") == {"f:1": 62, "g:65": 1}
