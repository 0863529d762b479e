"""Retriever training: contrastive and ranking losses over embeddings."""

from __future__ import annotations

import evalharness as eh

LOSSES: tuple[type[eh.Loss], ...] = ()
