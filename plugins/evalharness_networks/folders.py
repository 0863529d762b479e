"""Folders of weights that are equal where the weights are: nothing of the machine or of a library's version stays."""

from __future__ import annotations

import json
from pathlib import Path

FORGOTTEN = ("transformers_version", "_name_or_path")


def without_versions(folder: str) -> None:
    """Take out of a folder's configuration what is no part of the model, and would change its digest."""
    for name in ("config.json", "generation_config.json"):
        path = Path(folder) / name
        if path.is_file():
            config = json.loads(path.read_text("utf-8"))
            kept = {key: value for key, value in config.items() if key not in FORGOTTEN}
            path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", "utf-8")
