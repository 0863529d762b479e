"""A model that says one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import evalharness as eh


class Parrot(eh.Model):
    """Answers every prompt with one phrase."""

    name = "acme_parrot"
    supports = (eh.Generate,)
    phrase: str = "hello"

    def identity(self) -> str:
        return eh.digest([self.name, self.phrase])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            known = isinstance(request, eh.Generate)
            yield request, eh.Response(text=self.phrase) if known else eh.Response(error=eh.Failure("not supported"))
