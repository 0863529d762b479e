"""The retriever of data that holds its own contexts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import field

import evalharness as eh


class Recorded(eh.Retriever):
    """Uses the passages that stand in the field `contexts` of each sample, all of them, in their order.

    Nothing is searched. A sample without that field has no contexts: a prompt that reads `contexts` cannot be
    made for it, which is a failure, and metrics that need passages leave it unmeasured with the reason "no contexts".
    """

    name = "recorded"
    recorded = True
    top_k: int = field(default=sys.maxsize, init=False, metadata={"option": False})

    def identity(self) -> str:
        return eh.digest([self.name])

    def index(self, passages: Sequence[eh.Passage]) -> None:
        """Do nothing: there is no corpus."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        raise eh.UsageError("retriever 'recorded' searches nothing: the passages stand in the field 'contexts' of the data")
