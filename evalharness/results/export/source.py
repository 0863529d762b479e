"""Where a record's data and model come from, in the words that the Hugging Face Hub and its neighbours use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evalharness.results.record import Record

_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@.+)?")


def options_of(plain: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the options of a plugin from how YAML writes it: a bare name, or `{name: options}`.

    >>> options_of("echo"), options_of({"hub": {"path": "a/b"}})
    (('echo', {}), ('hub', {'path': 'a/b'}))
    """
    if isinstance(plain, Mapping) and plain:
        name, options = next(iter(plain.items()))
        return str(name), options or {}
    return str(plain or "unknown"), {}


def hub_dataset(record: Record) -> Mapping[str, Any] | None:
    """Return the options of the Hub data set that a record is over; None where its data come from elsewhere."""
    name, options = options_of(record.dataset.get("source"))
    return options if name == "hub" else None


def model_id(record: Record) -> str:
    """Return the model as OWNER/NAME, with the owner `local` where the record knows of none on the Hub."""
    name, options = options_of(record.system.get("spec", {}).get("model"))
    found = str(options.get("weights") or options.get("pretrained") or options.get("model") or name)
    repository = _REPOSITORY.fullmatch(found)
    return repository[1] if repository else f"local/{re.sub(r'[^0-9A-Za-z._-]+', '_', found).strip('._') or 'model'}"
