"""What a system is made of: retriever and model; and where samples come from: datasets; and text transforms."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from evalharness.contract.sample import Passage, Prompt, Request, Response, Sample, text_of
from evalharness.contract.spec import Plugin

LOCAL_CHUNK = 64  # requests
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Forecast:
    """What requests are expected to take, before any is asked: tokens read, tokens written at most, tokens that are shared.

    `counted` says whether a tokenizer counted the tokens read; otherwise they are estimated at four characters each.
    `shared_tokens` of the tokens read need not run, since they stand in the prompts of other requests too.
    """

    requests: int = 0
    input_tokens: int = 0
    most_output_tokens: int = 0
    shared_tokens: int = 0
    counted: bool = False


class Model(Plugin):
    """Answers requests. `answer` is all that the engine needs of a model.

    - `supports`: the request classes that it can answer.
    - `stored`: whether answers go to the response store (a recorded response does not).
    - `local`: whether work is done in chunks on this machine; each chunk of `plan` is then one transaction.
    - `chat`: whether prompts are turns of a conversation rather than one text.
    - `heeds`: what it takes of a request beside text: "images", "json_schema". Other models are not asked such requests.
    - `needs`: the extra of the distribution that it needs ("hf"), or "".
    - `retrieves`: whether it finds passages of its own, so that `Response.contexts` may be set and a task of the output type
      `retrieve` may ask it.
    """

    supports: ClassVar[tuple[type[Request], ...]] = ()
    stored: ClassVar[bool] = True
    local: ClassVar[bool] = False
    needs: ClassVar[str] = ""
    retrieves: ClassVar[bool] = False

    @property
    def chat(self) -> bool:
        """Whether prompts are turns of a conversation; found without loading the model."""
        return False

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of a sample that an `Answer` holds for it beside input and contexts; none by default."""
        return ()

    def faults(self) -> Sequence[str]:
        """Return what keeps it from answering anything and what to do, found without loading it; nothing by default.

        `check` tells it, and `run` before anything is asked.
        """
        return ()

    @property
    def heeds(self) -> frozenset[str]:
        """What it takes of a request beside text; nothing by default, and what is not taken is refused, never ignored."""
        return frozenset()

    @abstractmethod
    def identity(self) -> str:
        """Return a digest of everything that can change an answer, without loading the model."""
        raise NotImplementedError

    def rendered(self, prompt: Prompt) -> str:
        """Return the prompt as the model sees it, chat template applied; found without loading the model."""
        return text_of(prompt)

    def conventions(self) -> Mapping[str, str]:
        """Return how a prompt becomes what the model reads (first token, template, …); found without loading the model.

        It stands in the record, and is a function of the options and files alone.
        """
        return {}

    def remarks(self) -> Sequence[str]:
        """Return what a reader of the record must know of how this process answered: a fallback, a smaller budget."""
        return ()

    @property
    def sold_as(self) -> str:
        """The name under which a system's `prices` list the model; "" for one that costs nothing."""
        return ""

    def forecast(self, requests: Sequence[Request]) -> Forecast:
        """Return what these requests are expected to take, without loading the model."""
        read = sum(map(_characters, requests))
        return Forecast(len(requests), math.ceil(read / CHARACTERS_A_TOKEN), sum(map(_most_written, requests)))

    def plan(self, requests: Sequence[Request]) -> Iterable[Sequence[Request]]:
        """Cut all requests of a run into chunks; must depend on the requests and the options alone.

        Unless a model says otherwise, local work is cut into chunks of LOCAL_CHUNK requests in the order given, so that
        a run that is killed loses no more than one. A service is given everything at once, so that it may ask for many
        answers at a time: its answers are stored by time, whatever the chunk.
        """
        size = LOCAL_CHUNK if self.local else max(1, len(requests))
        return [requests[start : start + size] for start in range(0, len(requests), size)]

    @abstractmethod
    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        """Yield each request (the object that was given) with its response, in any order, each exactly once.

        A request that cannot be answered has a response with an error; nothing is raised.
        """
        raise NotImplementedError


def _characters(request: Request) -> int:
    """Return how many characters a model is sent for a request."""
    prompt = getattr(request, "prompt", None)
    text = getattr(request, "text", None) or getattr(request, "input", None) or ""
    read = len(text) if prompt is None else len(text_of(prompt))
    choices = getattr(request, "choices", ())
    return read * max(1, len(choices)) + sum(map(len, choices))


def _most_written(request: Request) -> int:
    written: int = getattr(request, "max_tokens", 0)
    return written


class Retriever(Plugin):
    """Finds passages for a query. The order of results is the ranking; ties go by passage id, descending bytes.

    - `needs`: the extra of the distribution that it needs ("hf"), or "".
    - `recorded`: whether rankings exist already, so that nothing is searched; `recall` gives them.
    """

    needs: ClassVar[str] = ""
    recorded: ClassVar[bool] = False
    top_k: int = 5

    @abstractmethod
    def identity(self) -> str:
        """Return a digest of everything that can change a ranking but the corpus, without loading anything heavy."""
        raise NotImplementedError

    def passages(self) -> Iterable[Passage]:
        """Return the corpus; empty for a retriever whose results stand in the data."""
        return ()

    @abstractmethod
    def index(self, passages: Sequence[Passage]) -> None:
        """Make the corpus searchable."""
        raise NotImplementedError

    @abstractmethod
    def search(self, queries: Sequence[str], top_k: int) -> list[list[Passage]]:
        """Return at most `top_k` passages for each query, best first."""
        raise NotImplementedError

    def recall(self, sample: Sample) -> Sequence[Passage] | None:
        """Return the ranking that exists for a sample, by default its field `contexts`; None where there is none."""
        return sample.fields.get("contexts")

    def remarks(self, samples: Iterable[Sample]) -> Sequence[str]:
        """Return what a reader of the scores must know of the rankings that exist for these samples; nothing by default."""
        return ()


@dataclass(frozen=True)
class Item:
    """One raw item of a dataset and where it stands (`file:line`); `fault` says why it could not be read."""

    fields: dict[str, Any]
    where: str
    fault: str = ""


class Dataset(Plugin):
    """Yields raw items and has a content digest."""

    needs: ClassVar[str] = ""

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """Yield the items in a fixed order, one at a time; an unreadable one is an item with a fault."""
        raise NotImplementedError

    @abstractmethod
    def digest(self) -> str:
        """Return a digest of the content."""
        raise NotImplementedError

    def commit(self) -> str | None:
        """Return the commit of a versioned source, None for files."""
        return None


class Transform(Plugin):
    """Changes a response's text before metrics see it, or notes something about it.

    A chain of them stands under `transforms:` in a task. `marks` names the field in which what `mark` returns of each
    text is given to metrics and shown beside the sample; "" for a transform that only changes texts.
    """

    marks: ClassVar[str] = ""

    def apply(self, text: str) -> str:
        """Return the changed text; by default it stays as it is."""
        return text

    def apply_repeats(self, texts: Sequence[str]) -> list[str]:
        """Return the changed texts of all repeats of one sample; by default each is changed by itself."""
        return [self.apply(text) for text in texts]

    def mark(self, text: str) -> Any:
        """Return what is noted about a text before it is changed, a plain value."""
        raise NotImplementedError(f"{type(self).__name__} marks '{self.marks}' and does not define mark")
