"""The model of a system that only retrieves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import evalharness as eh


class NoModel(eh.Model):
    """Says nothing: stands for the model of a system of the output type `retrieve`, which asks none. It need not be written.

    >>> [response.text for _, response in NoModel().answer([eh.Answer(input="Where is Tarn?")])]
    ['']
    """

    name = "no_model"
    supports = (eh.Answer,)
    stored = False

    def identity(self) -> str:
        return eh.digest([self.name])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        refused = eh.Failure("not supported", "model 'no_model' says nothing")
        for request in requests:
            yield request, eh.Response(text="") if isinstance(request, eh.Answer) else eh.Response(error=refused)
