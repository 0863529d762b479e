"""Looks for Python code without running it: where a module is, what it defines, and which files make it."""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """The source of a module: its name, its file, and the folder that imports of it start from.

    `beside` says whether it was found in the folder of the task rather than among what is installed.
    """

    name: str
    file: Path
    root: Path
    beside: bool

    @cached_property
    def files(self) -> dict[str, Path]:
        """The modules that make it, itself first: what it imports of the same folder, or of its own installed package."""
        found = {self.name: self.file}
        waiting = [*_parents(self.name), *_imported(self.file, self.name)]
        while waiting:
            name = waiting.pop()
            file = self._file(name)
            if name not in found and file is not None:
                found[name] = file
                waiting += [*_parents(name), *_imported(file, name)]
        return found

    def _file(self, name: str) -> Path | None:
        own = self.beside or name.partition(".")[0] == self.name.partition(".")[0]
        return _python_file(self.root, name) if own else None

    @cached_property
    def digests(self) -> dict[str, str]:
        """The digest of each of these files by the name of its module."""
        return {name: hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for name, file in self.files.items()}


def find(name: str, folder: str) -> Source | None:
    """Return the source of a module: beside the task, or else of what is installed; None where it is neither."""
    root = Path(folder).resolve()
    file = _python_file(root, name)
    if file is not None:
        return Source(name, file, root, beside=True)
    return _installed(name)


def _installed(name: str) -> Source | None:
    top, *rest = name.split(".")
    # Not importlib.util.find_spec, which takes what is loaded, such as a module of the same name from beside another task.
    found = (finder.find_spec(top, None) for finder in sys.meta_path)
    spec = next(filter(None, found), None)
    root = None if spec is None or not spec.has_location else Path(str(spec.origin)).parent
    if root is not None and spec is not None and spec.submodule_search_locations is not None:
        root = root.parent
    for part in rest:
        places = None if spec is None else spec.submodule_search_locations
        spec = None if places is None or spec is None else PathFinder.find_spec(f"{spec.name}.{part}", list(places))
    if spec is None or not spec.has_location or spec.origin is None or root is None:
        return None
    return Source(name, Path(spec.origin), root, beside=False)


def _python_file(root: Path, name: str) -> Path | None:
    place = root.joinpath(*name.split("."))
    return next((file for file in (place.with_name(f"{place.name}.py"), place / "__init__.py") if file.is_file()), None)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _imported(file: Path, name: str) -> Iterator[str]:
    """Yield the names of modules that a file imports, and those that it may mean by `from package import name`."""
    tree = parsed(file)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree) if isinstance(tree, ast.Module) else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, start), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def parsed(file: Path) -> ast.Module | SyntaxError | None:
    """Return the syntax tree of a file, the error in it, or None where it holds no Python."""
    try:
        return ast.parse(file.read_bytes(), file.name)
    except SyntaxError as error:
        return error
    except (ValueError, OSError):
        return None


def functions(tree: ast.Module) -> list[str] | None:
    """Return the names that a module defines, in order, functions first; None where only running it would tell."""
    names: dict[str, bool] = {}
    for node in _statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[node.name] = not isinstance(node, ast.ClassDef)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update({alias.asname or alias.name.partition(".")[0]: False for alias in node.names})
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update({name.id: False for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)})
    if "*" in names or "__getattr__" in names or "globals" in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}:
        return None
    return sorted(names, key=lambda name: not names[name])


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those in `if`, `try`, `with` and loops too."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            inner = [] if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else getattr(node, part, [])
            for item in inner:
                yield from _statements(item.body if isinstance(item, ast.ExceptHandler) else [item])


def what_is_wrong(name: str, function: str, folder: str) -> str:
    """Return why a function cannot be called, and what to type; "" where nothing is known against it. Nothing is run."""
    source = find(name, folder)
    if source is None:
        return _not_found(name, folder)
    clash = _clash(source)
    if clash:
        return clash
    tree = parsed(source.file)
    if isinstance(tree, SyntaxError):
        return f"{source.file.name}:{tree.lineno}: {tree.msg}; mend it first"
    known = functions(tree) if tree is not None else None
    first = function.partition(".")[0]
    if known is None or first in known:
        return ""
    has = f" It has: {', '.join(known[:10])}." if known else ""
    return f"{source.file.name} has no function '{first}'.{_nearest(first, known)}{has}"


def _not_found(name: str, folder: str) -> str:
    beside = sorted(file.stem for file in Path(folder).glob("*.py")) if Path(folder).is_dir() else []
    place = f"{name.replace('.', os.sep)}.py"
    hint = _nearest(name, beside)
    return f"there is no module '{name}': {place} is not in the folder of the task, {_shown(folder)}, nor is it installed.{hint}"


def _clash(source: Source) -> str:
    """Return why a module beside the task would be mistaken for another one."""
    top = source.name.partition(".")[0]
    if not source.beside:
        return ""
    if top in sys.stdlib_module_names:
        return f"{source.file.name} has the name of a module of Python itself; give it another one"
    other = _installed(top)
    if other is not None and other.root.resolve() != source.root and _python_file(source.root, top) is not None:
        return f"'{top}' is both a module beside the task, in {source.root}, and an installed one, in {other.root}; rename yours"
    return ""


def _nearest(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def _shown(folder: str) -> str:
    return folder if folder != "." else os.getcwd()
