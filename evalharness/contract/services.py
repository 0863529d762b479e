"""Models behind a network: what a subclass writes, and what the base does for every one of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from evalharness.contract.sample import Failure, Request, Response
from evalharness.contract.systems import Model


class Unanswered(Exception):
    """Raised by `ask_one` where a request has no answer.

    - `failure`: what stands in the answer's place if it stays so.
    - `again`: whether the same request may be answered later, so that it is worth asking again.
    - `after`: seconds that the service asks to wait before anything is asked of it, None where it does not say.
    - `busy`: whether the service has too much to do, so that fewer requests are to be open at once.
    """

    def __init__(self, failure: Failure, *, again: bool = False, after: float | None = None, busy: bool = False) -> None:
        super().__init__(failure.message)
        self.failure, self.again, self.after, self.busy = failure, again, after, busy


class Service(Model):
    """A model behind a network. A subclass writes `ask_one`, which sends one request once; the base does the rest.

    - `concurrency`: how many requests may be open at once, at most; how many really are is found on the way.
    - `timeout`: seconds within which one request must be answered.
    - `retries`: how often a request is asked again before its failure stands.
    - `patience`: seconds without an answer to any request after which the service is given up for this run.

    None of these changes an answer, so they are no part of the identity.
    """

    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 8
    patience: float = 120.0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold what all requests share, a pool of connections for example, while they are asked; nothing by default."""
        yield

    @abstractmethod
    async def ask_one(self, request: Request) -> Response:
        """Send one request once and return its response.

        Raises Unanswered where there is none, and an EvalharnessError where no request can ever be answered (a refused
        key, a model that is not there): that ends the run, with what to do, and keeps all answers so far.
        """
        raise NotImplementedError

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        raise NotImplementedError
