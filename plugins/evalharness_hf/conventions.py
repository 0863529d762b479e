"""How a prompt or a text becomes the tokens that local weights read, in words for the record; read without torch."""

from __future__ import annotations

from pathlib import Path

import evalharness as eh
from evalharness_hf.rolling import Rolling
from evalharness_hf.tokens import TEMPLATE_FILE, Tokens


def first_token(tokens: Tokens) -> str:
    """Return which token stands before a text that has nothing before it."""
    if tokens.prefix is None:
        return "none: the tokenizer names neither a first nor a last token"
    return f"{tokens.named(tokens.prefix)} stands before a text or a choice that has nothing before it, and for an empty prompt"


def special_tokens(tokens: Tokens) -> str:
    """Return what the tokenizer puts around a plain prompt by itself."""
    text = "a"
    inner, whole = tokens.encode(text), tokens.encode(text, special=True)
    if inner == whole:
        return "the tokenizer adds none to a plain prompt"
    place = next((start for start in range(len(whole)) if whole[start : start + len(inner)] == inner), len(whole))
    before, after = (", ".join(map(tokens.named, part)) or "nothing" for part in (whole[:place], whole[place + len(inner) :]))
    return f"the tokenizer puts {before} before a plain prompt and {after} after it; none into texts whose likelihood is asked"


def chat_template(tokens: Tokens, folder: Path, wanted: bool) -> str:
    """Return which chat template writes prompts that are turns of a conversation, and where it came from."""
    if not wanted:
        return "none: refused by template: none"
    if tokens.template is None:
        return "none: the weights bring none"
    source = TEMPLATE_FILE if (folder / TEMPLATE_FILE).is_file() else "tokenizer_config.json"
    return f"{eh.digest(tokens.template, size=8)}, from {source} of the weights"


def windows(rolling: Rolling) -> str:
    """Return how texts are read whose likelihood is asked."""
    if rolling.context is None:
        return "none: a text is read whole"
    step = rolling.stride or rolling.context
    return (
        f"at most {rolling.context:,} tokens, the first token included; the first window scores all, each later one "
        f"{step:,} new tokens, the last one what is left; each reaches back as far as it can"
    )
