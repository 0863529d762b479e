"""The checks of a model: every request is answered once, failures are responses, the identity is stable and cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from evalharness.contract import Answer, Choose, Embed, Generate, Likelihood, Message, Model, Request, Response
from evalharness.errors import DataError, WeightsError
from evalharness.testing.every import EVERY, has_a_stable_identity, made, title
from evalharness.testing.outcomes import Broken, NotApplicable, Outcome, raise_failed, run_checks
from evalharness.testing.samples import PASSAGES, QUERIES

TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Unheard(Request):
    """A kind of request that no model knows."""

    kind = "unheard"


@dataclass
class ModelSubject:
    """A model and the requests that it is tried on: those of the sample data that it supports where None."""

    model: Model
    given: Sequence[Request] | None = None

    @cached_property
    def requests(self) -> list[Request]:
        """The requests, each different from the others."""
        requests = self.given if self.given is not None else default_requests(self.model)
        return list({request.key(""): request for request in requests}.values())

    @cached_property
    def answers(self) -> dict[str, Response]:
        """The response to each request by its key; raises Broken where one is missing or too many."""
        return self.answer(self.requests)

    def answer(self, requests: Sequence[Request]) -> dict[str, Response]:
        """Ask the model all of these at once."""
        expected = "each request is answered exactly once, with the request itself beside its response"
        pairs = list(self.model.answer(requests))
        keys = [request.key("") for request, _ in pairs]
        if sorted(keys) != sorted(request.key("") for request in requests):
            mend = "yield (request, response) for every request given, also for those that fail"
            raise Broken(expected, f"{len(keys)} answers, {len(set(keys))} of them different, to {len(requests)} requests", mend)
        wrong = [response for _, response in pairs if not isinstance(response, Response)]
        if wrong:
            raise Broken(expected, f"{wrong[0]!r} as a response", "yield evalharness.Response(text=...)")
        return dict(zip(keys, (response for _, response in pairs), strict=True))


def check_model(model: Model | type[Model], requests: Sequence[Request] | None = None) -> list[Outcome]:
    """Check that a model keeps its contract; return the outcome of each check.

    `requests` are what it is tried on; without them a few short ones of each kind that it supports. A model that
    cannot answer without its service or its weights fails, which is the point. Raises ConformanceError.
    """
    return raise_failed(model_outcomes(model, requests))


def model_outcomes(model: Model | type[Model], requests: Sequence[Request] | None = None) -> list[Outcome]:
    """Return the outcome of every check of a model."""
    built = made("model", model)
    return run_checks(title(built), (*EVERY, has_a_stable_identity), built) + run_checks(
        title(built), CHECKS, ModelSubject(built, requests)
    )


def unasked_outcomes(model: Model) -> list[Outcome]:
    """Return the outcome of every check of a service that asks it nothing; those that would are skipped.

    Its example names no service that is there, and waiting for one would take all its patience.
    """
    name, reason = title(model), "a service is not asked by its example; check an instance in a test of your own"
    found = run_checks(name, (*EVERY, has_a_stable_identity), model) + run_checks(name, UNASKED, ModelSubject(model))
    asking = [check.__name__.replace("_", " ") for check in CHECKS if check not in UNASKED]
    return found + [Outcome(name, check, "skipped", reason) for check in asking]


def default_requests(model: Model) -> list[Request]:
    """Return a few short requests of each kind that the model supports."""
    texts = [text for text in QUERIES if text][::2]
    prompts = [(Message("user", text),) if model.chat else text for text in texts]
    requests: list[Request] = [Generate(prompt=prompt, max_tokens=3) for prompt in prompts]
    requests += [Choose(prompt=prompt, choices=("Paris", "The Alps", "東京")) for prompt in prompts[:2]]
    requests += [kind(text=text) for kind in (Likelihood, Embed) for text in texts]
    requests += [Answer(input=text, contexts=PASSAGES[:3]) for text in QUERIES]
    return [request for request in requests if isinstance(request, model.supports)]


def names_the_requests_that_it_supports(subject: ModelSubject) -> None:
    supports = subject.model.supports
    if not supports or not all(isinstance(kind, type) and issubclass(kind, Request) for kind in supports):
        raise Broken("supports is a tuple of request classes", repr(supports), "write supports = (evalharness.Generate,)")


def plans_every_request_once(subject: ModelSubject) -> None:
    planned = [request.key("") for chunk in subject.model.plan(subject.requests) for request in chunk]
    if sorted(planned) != sorted(request.key("") for request in subject.requests):
        seen = f"{len(planned)} planned for {len(subject.requests)} requests"
        raise Broken("plan puts every request into exactly one chunk", seen, "cut the list without dropping or repeating")


def answers_each_request_once(subject: ModelSubject) -> None:
    if not subject.requests:
        raise Broken("requests to try the model on", "none of the kinds that it supports", "pass requests=[...]")
    _ = subject.answers


def answers_nothing_when_nothing_is_asked(subject: ModelSubject) -> None:
    if subject.answer([]):
        raise Broken("no requests, no answers", "an answer", "loop over the requests")


def fills_the_fields_of_each_kind(subject: ModelSubject) -> None:
    for request in subject.requests:
        response = subject.answers[request.key("")]
        fault = "" if response.error is not None else _lacking(request, response)
        if fault:
            mend = "fill the field, or give Response(error=Failure(kind, message))"
            raise Broken(f"the response to a {request.kind} request is complete", fault, mend)


def _lacking(request: Request, response: Response) -> str:
    values = response.logprobs
    if isinstance(request, (Generate, Answer)):
        return "text is None" if response.text is None else ""
    if isinstance(request, Embed):
        return "" if response.embedding else "embedding is missing"
    if values is None or (isinstance(request, Choose) and len(values) != len(request.choices)):
        return f"logprobs is {values}"
    return f"a log-probability above 0: {max(values)}" if values and max(values) > TOLERANCE else ""


def answers_something(subject: ModelSubject) -> None:
    failures = [response.error for response in subject.answers.values() if response.error is not None]
    if subject.answers and len(failures) == len(subject.answers):
        raise Broken(
            "at least one request is answered", f"all failed: {failures[0]}", "make its weights or its service available"
        )


def answers_the_same_in_any_order(subject: ModelSubject) -> None:
    again = subject.answer(subject.requests[::-1])
    for key, response in subject.answers.items():
        if not _alike(response, again[key]):
            mend = "let an answer depend on its own request only; draw at temperature 0 without chance"
            raise Broken("answers do not depend on the order of requests", f"{response}, then {again[key]}", mend)


def turns_failures_into_responses(subject: ModelSubject) -> None:
    try:
        response = next(iter(subject.answer([Unheard()]).values()))
    except (Broken, DataError, WeightsError):
        raise
    except Exception as error:  # the very thing that must not happen
        mend = "yield request, Response(error=Failure('not supported', ...)) for kinds that it does not know"
        raise Broken("a failed request is a response, never an exception", f"{type(error).__name__}: {error}", mend) from error
    if response.error is None:
        mend = "yield Response(error=Failure('not supported', ...))"
        raise Broken("a kind of request that it does not know is an error", repr(response), mend)


def _alike(one: Response, other: Response) -> bool:
    """Return whether two responses are the same but for rounding and for how long they took."""
    import numpy

    bare = [replace(response, logprobs=None, embedding=None, latency=None) for response in (one, other)]
    first, second = [(*(response.logprobs or ()), *(response.embedding or ())) for response in (one, other)]
    return bare[0] == bare[1] and len(first) == len(second) and numpy.allclose(first, second, atol=TOLERANCE)


def answers_the_same_alone(subject: ModelSubject) -> None:
    if not subject.requests:
        raise NotApplicable("there are no requests")
    first = subject.requests[0]
    alone = subject.answer([first])[first.key("")]
    if not _alike(alone, subject.answers[first.key("")]):
        mend = "let an answer depend on its own request only, whatever else is in the batch"
        raise Broken("a request asked alone has the same answer", f"{subject.answers[first.key('')]}, alone {alone}", mend)


UNASKED = (names_the_requests_that_it_supports, plans_every_request_once)
CHECKS = (
    *UNASKED, answers_each_request_once, answers_nothing_when_nothing_is_asked, fills_the_fields_of_each_kind,
    answers_something, answers_the_same_in_any_order, answers_the_same_alone, turns_failures_into_responses,
)  # fmt: skip
