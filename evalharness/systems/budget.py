"""What a run may take and what it took: limits on requests, tokens and cost that are never overspent.

Before a request goes out, what it may take at most is held back: its input counted by the model or, where the model counts
none, one token for each byte that it is sent (no tokenizer makes more), and all the tokens that it may write. When the
answer arrives with what it really took, the rest is free again. Stored answers take nothing.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from evalharness.contract import Failure, Forecast, Generate, Message, Model, Request, Response, Service, canonical
from evalharness.errors import UsageError, nearest
from evalharness.systems.checking import blamed

if TYPE_CHECKING:
    from evalharness.task import Price

    Answers = Iterator[tuple[Request, Response]]
    Ask = Callable[[Iterable[Request]], Answers]

IMAGE_TOKENS = 50_000  # no service counts an image for more
OUT_OF_REACH = ("connection", "timeout", "server")
MAYBE_PAID = ("timeout", "filtered")


class NotAsked(Failure):
    """Stands in the place of an answer that a limit did not allow to ask for."""


@dataclass(frozen=True)
class Taken:
    """What requests take: how many they are, tokens read and written, US dollars."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens read and written together, which is what `--max-tokens` counts."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Taken) -> Taken:
        read, written = self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens
        return Taken(self.requests + other.requests, read, written, self.cost + other.cost)

    def __sub__(self, other: Taken) -> Taken:
        return self + Taken(-other.requests, -other.input_tokens, -other.output_tokens, -other.cost)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may take over all models that it asks: `requests`, `tokens` read and written, `cost` in US dollars.

    Raises UsageError for what is no limit: each is above 0, or None.

    >>> Limits(tokens=0)
    Traceback (most recent call last):
    ...
    evalharness.errors.UsageError: --max-tokens 0 is no limit: give a number above 0, or leave it out
    """

    requests: int | None = None
    tokens: int | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "cost"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"--max-{name} {value} is no limit: give a number above 0, or leave it out")

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.requests, self.tokens, self.cost))

    def exceeded(self, taken: Taken) -> str:
        """Return the option whose limit this is above, as it was given, or an empty string.

        >>> Limits(requests=3, cost=2.0).exceeded(Taken(requests=3, cost=2.01))
        '--max-cost 2.00'
        """
        if self.requests is not None and taken.requests > self.requests:
            return f"--max-requests {self.requests}"
        if self.tokens is not None and taken.tokens > self.tokens:
            return f"--max-tokens {self.tokens}"
        return f"--max-cost {money(self.cost)}" if self.cost is not None and taken.cost > self.cost else ""


def money(dollars: float) -> str:
    """Return an amount with cents or, where they would not show it, with its two leading digits.

    >>> money(2), money(0.2), money(0.0123), money(1234.5), money(0), money(9.9e-05)
    ('2.00', '0.20', '0.012', '1,234.50', '0.00', '0.000099')
    """
    return f"{dollars:,.2f}" if dollars == 0 or dollars >= 0.0995 else f"{Decimal(f'{dollars:.2g}'):f}"


@dataclass
class Count:
    """What the answers of one model to requests of one kind took in this run.

    `charged` is what counts for limits and cost: of an answer that tells no tokens, and of a request that timed out after
    it was sent or whose answer was filtered, what it may have taken at most; `untold` is how many those were.
    """

    answered: int = 0
    input_tokens: int = 0
    run_tokens: int = 0
    output_tokens: int = 0
    untold: int = 0
    charged: Taken = Taken()

    def add(self, response: Response) -> None:
        """Count an answer as it tells of itself."""
        self.answered += response.error is None
        self.input_tokens += response.input_tokens
        self.run_tokens += response.input_tokens if response.run_tokens is None else response.run_tokens
        self.output_tokens += response.output_tokens


@dataclass
class Budget:
    """Asks within limits, and counts what was asked, by model and kind of request.

    `prices` are US dollars by the name that a model is sold under; without any, nothing is known to cost something.
    `stopped` says whether a limit was reached.
    """

    limits: Limits = field(default_factory=Limits)
    prices: Mapping[str, Price] = field(default_factory=dict)
    counts: dict[Model, dict[str, Count]] = field(default_factory=dict)
    stopped: bool = False
    _spent: Taken = Taken()
    _held: Taken = Taken()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, model: Model, requests: Sequence[Request], ask: Ask) -> Answers:
        """Yield what `ask` yields of these requests, and NotAsked for those that the limits do not allow.

        Local work is one chunk, asked whole or not at all. Of other models, `ask` is given those requests that fit; a
        service pulls them one by one. When none is open and one more fits by then, it goes on.
        """
        if model.local or not self.limits:
            yield from self._asked_whole(model, requests, ask)
            return
        rest, held = deque(requests), dict[int, Taken]()
        while rest:
            fitting, errors = self._fitting(model, rest, held), list[Failure | None]()
            for request, response in ask(fitting if isinstance(model, Service) else list(fitting)):
                self._settle(model, request, response, held.pop(id(request), Taken()))
                errors.append(response.error)
                yield request, response
            if rest and not self._fits(following := self._at_most(model, [rest[0]])):
                yield from self._refused(rest, following)
                return
            if all(error is not None and error.kind in OUT_OF_REACH for error in errors):  # nobody is there to ask
                yield from ((request, Response(error=errors[-1])) for request in rest)
                return

    def _asked_whole(self, model: Model, requests: Sequence[Request], ask: Ask) -> Answers:
        if self.limits and not self._fits(all_of_them := self._at_most(model, requests)):
            yield from self._refused(requests, all_of_them)
            return
        for request, response in ask(requests):
            self._settle(model, request, response)
            yield request, response

    def _fitting(self, model: Model, rest: deque[Request], held: dict[int, Taken]) -> Iterator[Request]:
        """Take requests out of `rest` as long as the next one fits beside those that are open."""
        while rest:
            most = self._at_most(model, [rest[0]])
            with self._lock:
                if not self._fits(most):
                    return
                self._held += most
            request = rest.popleft()
            held[id(request)] = most
            yield request

    def _fits(self, taken: Taken) -> bool:
        return not self.limits.exceeded(self._spent + self._held + taken)

    def _settle(self, model: Model, request: Request, response: Response, held: Taken = Taken()) -> None:
        """Count an answer, and free what was held back for it and not taken."""
        count = self._count(model, request.kind)
        count.add(response)
        run = response.input_tokens if response.run_tokens is None else response.run_tokens
        took = self.priced(model, Taken(1, response.input_tokens, response.output_tokens), max(0, response.input_tokens - run))
        untold = not took.tokens and (response.error is None or response.error.kind in MAYBE_PAID)
        if untold and (self.limits or self.prices):
            took = self.worst(model, [request])
            count.untold += 1
        count.charged += took
        with self._lock:
            self._held -= held
            self._spent += took

    def _count(self, model: Model, kind: str) -> Count:
        kinds = self.counts.setdefault(model, {})
        return kinds[kind] if kind in kinds else kinds.setdefault(kind, Count())

    def _at_most(self, model: Model, requests: Sequence[Request]) -> Taken:
        """Return what requests may take of what is limited."""
        sold = self.limits.cost is not None and model.sold_as
        return self.worst(model, requests) if sold or self.limits.tokens is not None else Taken(len(requests))

    def worst(self, model: Model, requests: Sequence[Request]) -> Taken:
        """Return what requests may take at most."""
        forecast = forecast_of(model, requests)
        read = forecast.input_tokens if forecast.counted else sum(map(most_read, requests))
        written = max(forecast.most_output_tokens, sum(map(_most_written, requests)))
        return self.priced(model, Taken(len(requests), read, written))

    def priced(self, model: Model, taken: Taken, cached_tokens: int = 0) -> Taken:
        """Return the same with what it costs, 0 where no price is known."""
        return replace(taken, cost=self.cost(model, taken.input_tokens, taken.output_tokens, cached_tokens) or 0.0)

    def cost(self, model: Model, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:
        """Return what so many tokens of a model cost, None where its price is not known."""
        price = self.prices.get(model.sold_as)
        if price is not None:
            return price.of(input_tokens, output_tokens, cached_tokens)
        return 0.0 if self.prices and not model.sold_as else None

    def costs(self) -> dict[str, float | None]:
        """Return what was asked in this run cost, by model."""
        return self.by_name(
            (model, None if self.cost(model, 0, 0) is None else count.charged.cost)
            for model, kinds in self.counts.items()
            for count in kinds.values()
        )

    def by_name(self, costs: Iterable[tuple[Model, float | None]]) -> dict[str, float | None]:
        """Return costs by the name that a model is sold under, or its plugin's; nothing without any price.

        None is the cost of what has no price.
        """
        found: dict[str, float | None] = {}
        for model, cost in costs if self.prices else ():
            name = model.sold_as or model.name
            before = found.get(name, 0.0)
            found[name] = None if cost is None or before is None else before + cost
        return found

    def _refused(self, requests: Sequence[Request], following: Taken) -> Answers:
        """Yield NotAsked for each of these, of which the first may take what `following` says, and did not fit."""
        self.stopped = True
        error = NotAsked("budget", f"not asked: {self._reason(following)} to go on")
        yield from ((request, Response(error=error)) for request in requests)

    def _reason(self, following: Taken) -> str:
        alone = self.limits.exceeded(following)
        if alone:
            what = "a request" if following.requests == 1 else f"the {following.requests:,} requests of a chunk of local work"
            most = f", which may take up to {self._amount(alone, following)}" if "requests" not in alone else ""
            return f"the limit {alone} does not allow {what}{most}; run the same command with a higher limit"
        limit, took = self.limits.exceeded(self._spent + following), self._spent
        spent = f" and {self._amount(limit, took)}" if "requests" not in limit else ""
        together = f", and the next {following.requests:,} are asked together" if following.requests > 1 else ""
        return f"the limit {limit} was reached after {counted(took.requests)}{spent}{together}; run the same command again"

    def _amount(self, limit: str, taken: Taken) -> str:
        return f"{money(taken.cost)} US dollars" if "cost" in limit else f"{taken.tokens:,} tokens"


def counted(requests: int) -> str:
    """Return a number of requests in words."""
    return f"{requests:,} request{'' if requests == 1 else 's'}"


def most_read(request: Request) -> int:
    """Return how many tokens a request may be read as at most: its bytes, twice for each of its choices, and its images.

    Twice, since a service may have to read the context once more by itself to tell a choice from it.

    The names of its parts stand in its canonical form as well: enough for what a chat template adds.

    >>> from evalharness.contract import Choose
    >>> most_read(Choose(prompt="Warm or", choices=("hot", "cold"))) > 2 * len("Warm or cold")
    True
    """
    images = [url for turn in getattr(request, "prompt", ()) if isinstance(turn, Message) for url in turn.images]
    sent = _bytes(request.content()) - sum(map(_bytes, images))
    return sent * max(1, 2 * len(getattr(request, "choices", ()))) + IMAGE_TOKENS * len(images)


def _bytes(value: object) -> int:
    return len(canonical(value).encode("utf-8", "surrogatepass"))


def forecast_of(model: Model, requests: Sequence[Request]) -> Forecast:
    """Return what a model expects requests to take; raises PluginError where it fails to say."""
    with blamed("model", model, "forecast"):
        return model.forecast(requests)


def _most_written(request: Request) -> int:
    """Return how many tokens a service may count as written: it may have to write one to tell likelihoods."""
    return request.max_tokens if isinstance(request, Generate) else max(1, 2 * len(getattr(request, "choices", ())))


def refuse_unpriced(limits: Limits, models: Iterable[Model], prices: Mapping[str, Price]) -> None:
    """Raise UsageError where a limit on the cost holds for models whose price is not known."""
    from evalharness.task import price_lines

    names = dict.fromkeys(model.sold_as for model in models if model.sold_as)
    missing = [name for name in names if name not in prices]
    if limits.cost is None or not missing:
        return
    several = f"the models {', '.join(map(repr, missing))}" if len(missing) > 1 else f"the model {missing[0]!r}"
    raise UsageError(
        f"--max-cost needs a price of {several}, which the system's prices do not have.{nearest(missing[0], prices)} "
        f"Write into the task file (into a system's own file without the first line):\n\n{price_lines(missing)}"
    )
