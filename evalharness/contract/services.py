"""Models behind a network: what a subclass writes, and what the base does for every one of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from evalharness.contract.sample import Failure, Request, Response
from evalharness.contract.systems import Model

if TYPE_CHECKING:
    from evalharness.contract.asking.attempts import Attempts

ATTEMPTS: ContextVar[Attempts] = ContextVar("attempts")


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
    - `retries`: how often a request is asked again before its failure stands. What is no fault of its own does not count:
      that nobody is there to answer anything, or that it is refused for load while others are answered.
    - `patience`: seconds without an answer to any request after which the service is given up for this run; requests that
      are left fail and say so. Where nothing could be connected with from the first on, it is 15 s at most.

    None of these changes an answer, so they are no part of the identity. Raises ValueError where one of them is not above 0
    (`retries`: below 0); a subclass with checks of its own calls `super().__post_init__()`.
    """

    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 8
    patience: float = 120.0

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"option '{name}' must be above 0, not {getattr(self, name)}")
        if self.retries < 0:
            raise ValueError(f"option 'retries' must be at least 0, not {self.retries}")

    @property
    def where(self) -> str:
        """What messages call the service; a subclass returns its address."""
        return f"model '{self.name}'"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold what all requests share, a pool of connections for example, while they are asked; nothing by default.

        A ContextVar that is set in it is seen by `ask_one`.
        """
        yield

    @abstractmethod
    async def ask_one(self, request: Request) -> Response:
        """Send one request once and return its response.

        Raises Unanswered where there is none, and an EvalharnessError where no request can ever be answered (a refused
        key, a model that is not there): that ends the run, with what to do, and keeps all answers so far. Within it
        `self.hold(seconds)` says that the service takes no more requests for a while.
        """
        raise NotImplementedError

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds: what `ask_one` says where an answer tells that no more requests are allowed
        until then (`x-ratelimit-remaining-requests: 0` and its reset). It does nothing outside of `answer`.
        """
        attempts = ATTEMPTS.get(None)
        if attempts is not None:
            attempts.hold(seconds)

    def answer(self, requests: Iterable[Request]) -> Generator[tuple[Request, Response], None, None]:
        """Yield each request with its response, as they come; see `Model.answer`.

        A request is taken when it can be sent. Closing the generator cancels what is open.
        """
        from evalharness.contract.asking.answers import answers

        return answers(self, requests)
