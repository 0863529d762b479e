"""Turns a GGUF file into a folder that transformers loads in seconds."""

from __future__ import annotations

import importlib.util
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from evalharness.errors import WeightsError

NEEDED = ("torch", "transformers", "accelerate", "gguf")


def require_tools(name: str) -> None:
    """Raise WeightsError where a package that conversion needs is missing; checked before anything is downloaded."""
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise WeightsError(
            f"weights '{name}' are converted from GGUF, which needs {', '.join(missing)}. "
            "Install with: pip install 'evalharness[hf]'"
        )


def convert_gguf(gguf: Path, target: Path) -> None:
    """Write the model (float32), its configuration, tokenizer and chat template to the folder `target`."""
    try:
        _convert(gguf, target)
    except Exception as error:  # transformers raises many kinds
        raise WeightsError(f"{gguf.name} could not be converted: {type(error).__name__}: {error}") from error
    _forget_versions(target)


def _convert(gguf: Path, target: Path) -> None:
    with _quiet():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        if _pre_tokenizer(gguf) == "smollm":
            _split_digits(tokenizer)
        packed = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, local_files_only=True
        )
        _dense(packed).save_pretrained(target)
        tokenizer.save_pretrained(target)


def _dense(packed: Any) -> Any:
    """Return the same model without the mark of quantisation, which would forbid saving it."""
    import torch
    from transformers import AutoModelForCausalLM

    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(packed.state_dict())
    model.generation_config = packed.generation_config
    return model


def _pre_tokenizer(gguf: Path) -> str:
    from gguf import GGUFReader

    field = GGUFReader(gguf).get_field("tokenizer.ggml.pre")
    return "" if field is None else str(field.contents())


def _split_digits(tokenizer: Any) -> None:
    """Give a SmolLM tokenizer back its splitting into single digits, which transformers does not read from GGUF.

    Without it the line breaks before a number are cut into other tokens than those the model was trained on.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


def _forget_versions(folder: Path) -> None:
    """Take the library's version out of the configuration: it is no part of the model, and would change its digest."""
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text("utf-8"))
        config.pop("transformers_version", None)
        (folder / name).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and warnings about GGUF from the user's terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        level = logging.get_verbosity()
        logging.set_verbosity_error()
        try:
            with redirect_stderr(io.StringIO()):
                yield
        finally:
            logging.set_verbosity(level)
