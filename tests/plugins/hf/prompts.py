"""Prompts as the tokens that a model reads, one by one."""

from __future__ import annotations

from evalharness_hf.tokens import Prompt, Tokens


def prompt_tokens(reader: Tokens, prompt: Prompt) -> list[int]:
    """Return the tokens of a prompt; of an empty one the prefix token."""
    return reader.encode(reader.rendered(prompt), special=not reader.templated(prompt)) or reader.prefixed([])
