"""Samples of a data set on the Hugging Face Hub."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator
from typing import Any

import evalharness as eh
from evalharness_data.library import datasets_library
from evalharness_data.values import as_json

COMMIT = re.compile(r"[0-9a-f]{40}")


class Hub(eh.Dataset):
    """Samples of a data set on the Hugging Face Hub, downloaded once and read from disk.

    - `path`: `OWNER/NAME`. `config`: one of its configurations, where it has several. `split`: `test` by default.
    - `revision`: the commit to use. A branch, a tag or none can change under one's feet: that is warned of, and the
      commit that it stood for goes into the record.

    Dates become text in ISO form; columns without a JSON form (images, bytes) are left out. Offline, the data set must
    have been fetched before, at that commit.
    """

    name = "hub"
    example = {"path": "owner/name", "revision": "0123456789abcdef0123456789abcdef01234567"}
    path: str
    config: str | None = None
    split: str = "test"
    revision: str | None = None

    def items(self) -> Iterator[eh.Item]:
        place = f"{self.path}@{(self.commit() or 'unknown')[:8]}/{self.split}"
        for number, row in enumerate(_rows(self), start=1):
            yield eh.Item(as_json(row), f"{place}:row {number}")

    def digest(self) -> str:
        return eh.digest([self.name, self.path, self.config, self.split, self.commit() or _rows(self)._fingerprint])

    def commit(self) -> str | None:
        """Return the commit that the revision stands for; None where the Hub's cache does not say."""
        found = _builder(self).hash
        return found if COMMIT.fullmatch(found or "") else None


@functools.lru_cache(maxsize=8)
def _builder(hub: Hub) -> Any:
    try:
        builder = datasets_library().load_dataset_builder(hub.path, hub.config, revision=hub.revision)
    except Exception as error:  # the Hub, the network and many builders raise errors of their own
        raise eh.DataError(_explained(hub, error)) from error
    pinned = COMMIT.fullmatch(hub.revision or "")
    if pinned and builder.hash != hub.revision:
        raise eh.DataError(
            f"{hub.path}: the commit {hub.revision} is not on this machine (but {builder.hash} is); run once online"
        )
    if not pinned:
        logging.getLogger("evalharness").warning(
            "%s: the revision '%s' may change; for a result that can be repeated write  revision: %s",
            hub.path, hub.revision or "main", builder.hash,
        )  # fmt: skip
    return builder


@functools.lru_cache(maxsize=2)
def _rows(hub: Hub) -> Any:
    builder = _builder(hub)
    try:
        builder.download_and_prepare()
        return builder.as_dataset(split=hub.split)
    except ValueError as error:
        raise eh.DataError(f"{hub.path}: {error}") from error
    except Exception as error:  # as above
        raise eh.DataError(_explained(hub, error)) from error


def _explained(hub: Hub, error: Exception) -> str:
    if isinstance(error, ConnectionError):
        why = "the network may not be used (--offline)" if eh.offline() else "the Hub cannot be reached"
        return (
            f"{hub.path}: not on this machine, and {why}. Fetch it once where there is a network, or give a local file. ({error})"
        )
    why = f"cannot load this data set from the Hub: {error.__cause__ or error}"
    return f"{hub.path}: {why}. A local file needs its ending, or './' before its name."
