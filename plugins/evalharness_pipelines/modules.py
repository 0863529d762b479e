"""Imports modules that stand beside a task, and leaves the import path as it was."""

from __future__ import annotations

import importlib
import operator
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness_pipelines.secrets import hidden
from evalharness_pipelines.sources import Source

_OURS: dict[str, tuple[Path, str]] = {}  # modules that were imported here, with the file and its digest at that time


@contextmanager
def importable(source: Source) -> Iterator[None]:
    """Put the folder of the task first where imports look, for as long as its code runs.

    It stays there while functions of it are called, since they may import more.
    """
    folder = str(source.root)
    if source.beside:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if source.beside and folder in sys.path:
            sys.path.remove(folder)


def load(source: Source, function: str) -> Callable[..., Any]:
    """Return a function of a module, imported anew where its files have changed since; call it within `importable`.

    Raises UsageError where the module cannot be imported, has no such function, or where a module of the same name from
    elsewhere is in use.
    """
    if source.beside:
        _make_room(source)
    try:
        module = importlib.import_module(source.name)
    except (Exception, SystemExit) as error:  # anything may happen in it
        raise eh.UsageError(f"{source.file} cannot be imported: {_told(error, source)}") from error
    _OURS.update({name: (file, source.digests[name]) for name, file in source.files.items() if source.beside})
    try:
        found = operator.attrgetter(function)(module)
    except AttributeError as error:
        raise eh.UsageError(f"{source.file} has no function '{function}': {error}") from error
    if not callable(found):
        raise eh.UsageError(f"'{function}' of {source.file} is a {type(found).__name__}, which cannot be called")
    return found


def _make_room(source: Source) -> None:
    """Forget modules that came from another folder, or from a file that was changed; refuse to take those of others."""
    known = {name: sys.modules[name] for name in source.files if name in sys.modules}
    for name, module in known.items():
        file = getattr(module, "__file__", None)
        if name not in _OURS and (file is None or Path(file).resolve() != source.files[name].resolve()):
            raise eh.UsageError(
                f"{source.files[name]} cannot be imported as '{name}': this process uses a module of that name already, "
                f"from {file or 'Python itself'}; give yours another name"
            )
    now = {name: (source.files[name], source.digests[name]) for name in source.files}
    if any(_OURS[name] != now[name] for name in known if name in _OURS):
        for name in known.keys() & _OURS.keys():
            del sys.modules[name]
        importlib.invalidate_caches()


def _told(error: BaseException, source: Source) -> str:
    """Return the type and message of an error, and the line of the module's own code that it came from."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in set(map(str, source.files.values()))]
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return hidden(f"{type(error).__name__}: {error}{place}")
