"""Imports point one way, plugins see public names only, and what is imported from elsewhere is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

import evalharness

ROOT = Path(__file__).parent.parent
CORE = ROOT / "evalharness"
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())
LAYERS = (
    ("errors",),
    ("contract", "refusal"),
    ("hooks",),
    ("evalharness",),
    ("registry",),
    ("data", "scoring"),
    ("task",),
    ("systems",),
    ("bridges",),
    ("results",),
    ("running",),
    ("comparison",),
    ("pages",),
    ("leaderboard", "training"),
    ("testing",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


@dataclass(frozen=True)
class Import:
    """One import: what, in which line, and whether it runs only when a function is called."""

    module: str
    line: int
    late: bool


def imports(path: Path) -> Iterator[Import]:
    """Yield what a module imports, under the full name of each module; what only type checkers see is left out."""
    yield from _walk(ast.parse(path.read_text(encoding="utf-8")), late=False)


def _walk(node: ast.AST, *, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: relative import"
            yield from (Import(f"{child.module}.{alias.name}", child.lineno, late) for alias in child.names)
        yield from _walk(child, late=late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


def layer(module: str) -> str:
    """Return the layer of a module of the core; a public name of the top package is of the top package."""
    first = module.split(".")[1] if "." in module else ""
    return first if first in RANK else "evalharness"


def modules(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_part_of_the_core_has_a_layer() -> None:
    parts = {path.stem for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - set(RANK) <= {"__init__"}


@pytest.mark.parametrize("path", modules(CORE), ids=named)
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    rank = RANK["evalharness" if own == "__init__" else own]
    faults = []
    for found in imports(path):
        if found.module.split(".")[0] != "evalharness":
            continue
        target = layer(found.module)
        # Functions of the top package import what they need when they are called: that is what it is for.
        allowed = target == own or RANK[target] < rank or (found.late and (own == "__init__" or target == "evalharness"))
        if not allowed:
            faults.append(f"{named(path)}:{found.line}: {own} imports {target}" + (" inside a function" if found.late else ""))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", modules(CORE), ids=named)
def test_the_core_imports_no_plugin(path: Path) -> None:
    strangers = {*PLUGINS, "plugins", "tests", "tasks", "benchmarks"}
    assert not [found for found in imports(path) if found.module.split(".")[0] in strangers]


@pytest.mark.parametrize("path", modules(ROOT / "plugins"), ids=named)
def test_plugins_import_public_names_only(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    public = {"evalharness", *(f"evalharness.{name}" for name in evalharness.__all__)}
    faults = []
    for found in imports(path):
        top = found.module.split(".")[0]
        if top == "evalharness" and found.module not in public:
            faults.append(f"{named(path)}:{found.line}: {found.module} is no public name of evalharness")
        if top in {*PLUGINS, "plugins", "tests", "tasks"} - {own}:
            faults.append(f"{named(path)}:{found.line}: {top} is another plugin package")
    assert not faults, "\n".join(faults)


def distributions(requirements: list[str]) -> set[str]:
    """Return the names of requirements, spelled as registries compare them."""
    names = (re.split(r"[\s<>=!~;\[(#]", line, maxsplit=1)[0] for line in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names if name}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ALWAYS, HEAVY = distributions(PROJECT["dependencies"]), distributions([*EXTRAS["hf"], *EXTRAS["openai"], *EXTRAS["train"]])
PROVIDERS = metadata.packages_distributions()
# Imported only where what they need is there: fixtures by pytest, the Trainer's subclass by who trains, and what is a module of
# evaluate by who has that library.
LOADED_ON_USE = {
    CORE / "testing" / "fixtures.py",
    CORE / "training" / "trainer.py",
    CORE / "bridges" / "module.py",
    ROOT / "plugins" / "evalharness_bridges" / "modules" / "shared_words" / "shared_words.py",
}


@pytest.mark.parametrize("path", [*modules(CORE), *modules(ROOT / "plugins")], ids=named)
def test_what_is_imported_from_elsewhere_is_declared(path: Path) -> None:
    faults = []
    for found in imports(path):
        top = found.module.split(".")[0]
        if top in {*sys.stdlib_module_names, "evalharness", *PLUGINS} or path in LOADED_ON_USE:
            continue
        provided = distributions(PROVIDERS.get(top, [top]))
        if not provided & (ALWAYS | HEAVY if found.late else ALWAYS):
            why = "stands in an extra, so import it inside a function" if provided & HEAVY else "is not declared"
            faults.append(f"{named(path)}:{found.line}: {top} {why}")
    assert not faults, "\n".join(faults)


def test_everything_declared_is_constrained() -> None:
    constrained = distributions((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    declared = distributions([*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)])
    assert declared <= constrained, declared - constrained


@pytest.mark.parametrize("package", PLUGINS)
def test_the_front_of_a_plugin_package_is_small(package: str) -> None:
    text = (ROOT / "plugins" / package / "__init__.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    functions = [node for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert not [node.name for node in functions if not node.name.startswith("evalharness_")]


def test_what_only_type_checkers_see_is_left_out(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import a.b\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hidden\n\ndef f():\n    from c import d\n",
        encoding="utf-8",
    )
    assert list(imports(module)) == [Import("a.b", 1, False), Import("typing.TYPE_CHECKING", 2, False), Import("c.d", 7, True)]
