"""The tokenizer of networks from scratch: one token a byte, and three that begin, end and fill a text."""

from __future__ import annotations

from typing import Any

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
SIZE = 259


def byte_tokenizer() -> Any:
    """Return the tokenizer: byte n is the token n, and a text of n bytes has n tokens.

    >>> tokenizer = byte_tokenizer()
    >>> tokenizer("Aé")["input_ids"], tokenizer.decode([65, 195, 169]), len(tokenizer)
    ([65, 195, 169], 'Aé', 259)
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {character: number for number, character in enumerate(_characters())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([BEGIN, END, PAD])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )


def _characters() -> list[str]:
    """Return the character by which a byte-level tokenizer writes each byte: itself where it can be printed."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printed else chr(next(others)) for byte in range(256)]
