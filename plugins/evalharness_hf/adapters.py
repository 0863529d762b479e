"""Low-rank adapters of the peft library, merged into the weights that they were trained for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import evalharness as eh

FILES = ("adapter_config.json", "adapter_model.safetensors")


def adapter_digest(folder: str) -> str:
    """Return a digest of the files of an adapter; raises WeightsError where the folder holds none."""
    hashed = hashlib.blake2b(digest_size=16)
    for name in FILES:
        path = Path(folder) / name
        if not path.is_file():
            raise eh.WeightsError(f"the folder {folder} holds no {name}, so it is no adapter; a training run writes one")
        hashed.update(f"{name}\n{path.stat().st_size}\n".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def merged(model: Any, folder: str) -> Any:
    """Return the model with an adapter added to its weights."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder).merge_and_unload()
