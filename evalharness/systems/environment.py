"""What the user's environment says: where caches live, and whether the network may be used."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache, made if it is missing.

    EVALHARNESS_CACHE names the root; otherwise it is `evalharness` under XDG_CACHE_HOME or `~/.cache`.
    """
    root = os.environ.get("EVALHARNESS_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evalharness"
    folder = Path(root, *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def offline() -> bool:
    """Return whether the network is forbidden: `--offline`, which sets EVALHARNESS_OFFLINE."""
    return os.environ.get("EVALHARNESS_OFFLINE", "") not in ("", "0")
