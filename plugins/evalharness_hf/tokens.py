"""What a weights folder says about text: tokenizer, chat template, special tokens, context; read without torch."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness_hf.kept import Kept

KEPT = 2**27  # bytes
Prompt = str | tuple[eh.Message, ...]
TEMPLATE_FILE = "chat_template.jinja"
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


class Tokens:
    """The tokenizer of a weights folder and what belongs to it.

    - `template`: the chat template, None where there is none or it is not used.
    - `prefix`: the token that stands before a text that has nothing before it: the one that begins a text or, where
      the model has none, the one that ends it.
    - `ends`: the tokens that end a generation.
    - `context`: how many tokens the model reads at most, None where the folder does not say.
    - `kept`: requests that were put into tokens of late.
    - `causal`: whether the weights are a language model, which continues text; otherwise they are an encoder.
    """

    def __init__(self, folder: Path, use_template: bool = True) -> None:
        self._tokenizer = _tokenizer(folder)
        self.kept: Kept[Any] = Kept(KEPT)
        config, generation, self._settings = (
            _json(folder / name) for name in ("config.json", "generation_config.json", "tokenizer_config.json")
        )
        text_config = config.get("text_config") or {}
        self.template = template_of(folder) if use_template else None
        self.causal = is_causal(config)
        self.context: int | None = next((c[key] for key in CONTEXT_KEYS for c in (config, text_config) if c.get(key)), None)
        begin, end = self._special("bos_token"), self._special("eos_token")
        named = [source.get("eos_token_id") for source in (generation, config, text_config)]
        listed = [each if isinstance(each, list) else [each] for each in named]
        self.ends = frozenset(token for token in (end, *(token for each in listed for token in each)) if token is not None)
        self.prefix: int | None = begin if begin is not None else end if end is not None else min(self.ends, default=None)

    def _special(self, name: str) -> int | None:
        content = self._special_text(name)
        return None if content is None else self._tokenizer.token_to_id(content)

    def _special_text(self, name: str) -> str | None:
        value = self._settings.get(name)
        return value.get("content") if isinstance(value, dict) else value

    def templated(self, prompt: Prompt) -> bool:
        """Whether the chat template is applied to a prompt; it then writes the special tokens itself."""
        return self.template is not None and not isinstance(prompt, str)

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Return the tokens of a text; with `special`, those that the tokenizer puts around a text as well."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=special).ids
        return ids

    def encode_all(self, texts: Iterable[tuple[str, bool]]) -> dict[tuple[str, bool], list[int]]:
        """Return the tokens of each distinct text, with special ones where it says so; encoded together, which is quicker."""
        found: dict[tuple[str, bool], list[int]] = {}
        for special, group in groupby(sorted(set(texts), key=itemgetter(1)), key=itemgetter(1)):
            every = [text for text, _ in group]
            encoded = self._tokenizer.encode_batch_fast(every, add_special_tokens=special)
            found.update(((text, special), each.ids) for text, each in zip(every, encoded, strict=True))
        return found

    def prefixed(self, ids: list[int]) -> list[int]:
        """Return the tokens with the prefix token before them."""
        if self.prefix is None:
            raise ValueError("the tokenizer names neither a first nor a last token, so nothing can stand before a text")
        return [self.prefix, *ids]

    def named(self, token: int) -> str:
        """Return a token as a reader knows it: its text and its number."""
        return f"{self._tokenizer.id_to_token(token)!r} ({token})"

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without special ones."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def rendered(self, prompt: Prompt) -> str:
        """Return the prompt as the model sees it. A last turn of the assistant is continued, not answered."""
        if isinstance(prompt, str) or self.template is None:
            return eh.text_of(prompt)
        from transformers.utils.chat_template_utils import render_jinja_template

        turns = [{"role": turn.role, "content": turn.content} for turn in prompt]
        continued = bool(turns) and turns[-1]["role"] == "assistant"
        specials = {name: self._special_text(name) or "" for name in ("bos_token", "eos_token", "unk_token", "pad_token")}
        texts, _ = render_jinja_template(
            [turns],
            chat_template=self.template,
            add_generation_prompt=not continued,
            continue_final_message=continued,
            **specials,
        )
        return texts[0]


@functools.lru_cache(maxsize=4)
def _loaded(folder: Path, digest: str, use_template: bool) -> Tokens:
    return Tokens(folder, use_template)


def tokens(weights: str, use_template: bool = True) -> Tokens:
    """Return the tokenizer side of the weights of that name, loaded once."""
    return _loaded(eh.resolve_weights(weights), eh.weights_digest(weights), use_template)


def template_of(folder: Path) -> str | None:
    """Return the chat template of a weights folder, or None."""
    alone = folder / TEMPLATE_FILE
    if alone.is_file():
        return alone.read_text("utf-8")
    template = _json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):  # several named templates
        named = {each.get("name"): each.get("template") for each in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


def is_causal(config: dict[str, Any]) -> bool:
    """Return whether a model's configuration is that of a language model, which continues text."""
    endings = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
    return any(name.endswith(endings) for name in config.get("architectures") or ())


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _tokenizer(folder: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise eh.WeightsError("model 'hf' needs torch and transformers. Install with: pip install 'evalharness[hf]'") from error
    tokenizer: Any
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        from transformers import AutoTokenizer

        tokenizer = getattr(AutoTokenizer.from_pretrained(folder, local_files_only=True), "backend_tokenizer", None)
        if tokenizer is None:
            raise eh.WeightsError(f"the weights folder {folder} holds no tokenizer.json and no tokenizer that makes one")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
