"""The errors that a user can mend; the command line prints their message without a traceback.

EvalharnessError            root; anything else that escapes is a bug
├── UsageError              wrong command, option, task file or plugin name (exit code 2)
│   ├── UnknownName         no plugin has that name
│   └── FaultsFound         one or many faults of a file, each with its place
├── DataError               data that is missing, unreadable or contradicts itself (exit code 2)
├── PluginError             a plugin broke its contract; names the plugin and what it did
├── WeightsError            model weights that are missing, damaged or not allowed offline
└── BusyError               another process holds the run folder or the store
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class EvalharnessError(Exception):
    """Root of all errors that a user can mend: says what, where, what is allowed, what to type next."""


class UsageError(EvalharnessError):
    """The command, an option, a task file or a name is wrong."""


class DataError(EvalharnessError):
    """Data is missing, unreadable or contradicts itself."""


class PluginError(EvalharnessError):
    """A plugin broke its contract; the message names the plugin."""


class ServiceError(EvalharnessError):
    """A service that will answer nothing as it is asked: a refused key, a model that it does not have."""


class WeightsError(EvalharnessError):
    """Model weights are missing, damaged, or may not be fetched."""


class BusyError(EvalharnessError):
    """Another process holds what this one needs; the message names the holder."""


@dataclass(frozen=True)
class Fault:
    """One fault and its place: `where` is `file:line:column`, a sample id, or an option path.

    >>> str(Fault("unknown key 'metrcs'", where="task.yaml:3:1"))
    "task.yaml:3:1: unknown key 'metrcs'"
    """

    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class FaultsFound(UsageError):
    """All faults that were found in one go; `faults` holds them one by one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnknownName(UsageError):
    """No plugin of that kind has that name; the message suggests the nearest ones."""


CHARACTERS_SHOWN = 60


def shown(value: Any) -> str:
    """Return a value of YAML or JSON as a message shows it, in at most 60 characters.

    >>> shown(None), shown(True), shown(["a", 1])
    ('null', 'true', "['a', 1]")
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shown_object(value)


def shown_object(value: object) -> str:
    """Return a Python object as a message shows it, in at most 60 characters.

    >>> shown_object(None), shown_object("x" * 100)
    ('None', "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...")
    """
    text = repr(value)
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[: CHARACTERS_SHOWN - 3]}..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the nearest known word, or an empty string.

    >>> nearest("blue", ["bleu", "rouge"])
    " Did you mean 'bleu'?"
    >>> nearest("zzz", ["bleu"])
    ''
    """
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""
