"""Sentence embeddings and token states of encoder weights, loaded once each, computed in float32."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import evalharness as eh
from evalharness_hf.network import import_torch, instead_of, place, quiet

TEXTS_A_BATCH = 32
# With padding. So few that what a layer makes of them stays in the caches of a core.
TOKENS_A_BATCH = {"cpu": 512}
TOKENS_A_BATCH_ELSEWHERE = 32_768


@dataclass(frozen=True)
class Encoder:
    """A sentence encoder: what sentence-transformers makes of the weights, pooling and length limit included."""

    model: Any

    def embed(self, texts: Sequence[str]) -> Any:
        """Return one vector of length 1 a text, float32 (texts, width); texts beyond the encoder's limit are cut there."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.model.get_embedding_dimension()), np.float32)
        vectors = self.model.encode(
            list(texts), batch_size=TEXTS_A_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)


class Encoded(NamedTuple):
    """The tokens of a text and their vectors of length 1, float32 (tokens, width)."""

    tokens: list[int]
    vectors: Any


@dataclass(frozen=True)
class TokenStates:
    """An encoder's tokenizer and network, for the vectors of single tokens."""

    tokenizer: Any
    model: Any

    @property
    def layers(self) -> int:
        """How many layers there are; layer 0 is the embedding of the tokens."""
        return int(self.model.config.num_hidden_layers)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts without the white space around them, special ones included, cut at the limit."""
        limit = min(self.tokenizer.model_max_length, getattr(self.model.config, "max_position_embeddings", 2**31 - 1))
        stripped = [text.strip() for text in texts]
        ids: list[list[int]] = self.tokenizer(stripped, truncation=True, max_length=limit)["input_ids"] if stripped else []
        return ids

    def encoded(self, texts: Sequence[str], layer: int) -> list[Encoded]:
        """Return the tokens of each text and their vectors at a layer."""
        rows = self.tokens(texts)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        found: dict[int, Encoded] = {}
        for chosen in _batches(order, rows, TOKENS_A_BATCH.get(self.model.device.type, TOKENS_A_BATCH_ELSEWHERE)):
            vectors = self._batch([rows[index] for index in chosen], layer)
            found |= {index: Encoded(rows[index], row[: len(rows[index])]) for index, row in zip(chosen, vectors, strict=True)}
        return [found[index] for index in range(len(rows))]

    def _batch(self, rows: Sequence[Sequence[int]], layer: int) -> Any:
        """Return the vectors of length 1 of some rows, padded at the right, float32 (rows, tokens, width)."""
        import torch

        width = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=self.model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.model.device)
        with torch.inference_mode():
            out = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            return torch.nn.functional.normalize(out.hidden_states[layer].float(), dim=-1, eps=0.0).cpu().numpy()


def _batches(order: Sequence[int], rows: Sequence[Sequence[int]], budget: int) -> Iterator[list[int]]:
    """Yield rows, short ones first, so many that no more than `budget` tokens with padding go through at once."""
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * len(rows[index]) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@functools.lru_cache(maxsize=2)
def _encoder(folder: Path, digest: str, device: str) -> Encoder:
    torch = import_torch()
    with quiet():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32})
    return Encoder(model.eval())


@functools.lru_cache(maxsize=2)
def _token_states(folder: Path, digest: str, device: str) -> TokenStates:
    torch = import_torch()
    with quiet():
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return TokenStates(tokenizer, model.to(device).eval())


def encoder(weights: str, device: str = "auto") -> Encoder:
    """Return the sentence encoder of the weights of that name; raises WeightsError where it cannot be loaded."""
    return _loaded(_encoder, weights, device)


def token_states(weights: str, device: str = "auto") -> TokenStates:
    """Return tokenizer and network of the weights of that name; raises WeightsError where they cannot be loaded."""
    return _loaded(_token_states, weights, device)


def identity(weights: str) -> str:
    """Return the start of the digest of the weights of that name, for signatures; "absent" where there are none."""
    try:
        return eh.weights_digest(weights)[:16]
    except eh.WeightsError:  # nothing can be measured then, and measuring says why
        return "absent"


def _loaded(load: Any, weights: str, device: str) -> Any:
    folder, where = eh.resolve_weights(weights), place(device)
    try:
        return load(folder, eh.weights_digest(weights), where)
    except eh.EvalharnessError:
        raise
    except ImportError as error:
        raise eh.WeightsError(f"encoders need {error.name}. Install with: pip install 'evalharness[hf]'") from error
    except Exception as error:  # the libraries raise many kinds
        reason = f"{type(error).__name__}: {error}"
        raise eh.WeightsError(
            f"the encoder '{weights}' could not be loaded on device '{where}': {reason}{instead_of(where)}"
        ) from error
