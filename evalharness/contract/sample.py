"""What flows through a run: samples, requests to a model, its responses, and batches of columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from evalharness.contract.spec import Values, digest, neutral, plain_fields

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One item of a dataset: a stable id, its group (by default itself) and its fields by name."""

    id: str
    fields: Mapping[str, Any]
    group: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True)
class Passage:
    """A piece of text that a retriever found or holds; `score` is the retriever's own, higher is better."""

    id: str
    text: str
    score: float | None = None


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. `images` are URLs that a model with eyes is shown before the text, `data:` ones too."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = neutral(())


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question to a model. `sample` says whose it is and takes no part in the key; `repeat` does.

    Two requests with equal keys are asked once. Subclasses are the kinds that a model's `supports` names.
    """

    kind: ClassVar[str] = ""
    sample: str = field(default="", compare=False)
    repeat: int = 0

    def content(self) -> dict[str, Any]:
        """Return everything that the answer may depend on, as plain values."""
        content = {"kind": self.kind, **plain_fields(self)}
        del content["sample"]
        return content

    def beside_text(self) -> frozenset[str]:
        """Return what there is beside text that a model must heed: "images" in turns, a "json_schema" for the answer."""
        prompt = getattr(self, "prompt", "")
        seen = not isinstance(prompt, str) and any(turn.images for turn in prompt)
        held = getattr(self, "json_schema", None) is not None
        return frozenset(name for name, there in (("images", seen), ("json_schema", held)) if there)

    def key(self, identity: str) -> str:
        """Return the key under which the answer of the model with this identity is stored."""
        return digest([identity, self.content()])


@dataclass(frozen=True, kw_only=True)
class Generate(Request):
    """Continue a prompt: text, or the turns of a conversation for a model with a chat template.

    `json_schema` is the text of a JSON schema that the answer must satisfy, for models that can be held to one.
    """

    kind = "generate"
    prompt: Prompt
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    json_schema: str | None = neutral(None)


@dataclass(frozen=True, kw_only=True)
class Choose(Request):
    """Log-likelihood of each continuation of one context; `delimiter` stands before each of them."""

    kind = "choose"
    prompt: Prompt
    choices: tuple[str, ...]
    delimiter: str = " "


@dataclass(frozen=True, kw_only=True)
class Likelihood(Request):
    """Log-likelihood of each token of one text, in rolling windows where it is longer than the model's context."""

    kind = "likelihood"
    text: str


@dataclass(frozen=True, kw_only=True)
class Embed(Request):
    """One vector for one text."""

    kind = "embed"
    text: str


@dataclass(frozen=True, kw_only=True)
class Answer(Request):
    """Answer an input from its retrieved passages without a prompt: extractive baselines, whole RAG pipelines.

    `fields` are those of the sample that the model `reads` beside these.
    """

    kind = "answer"
    input: str
    contexts: tuple[Passage, ...] = ()
    fields: Values = field(default=Values(), metadata={"neutral": True})


SYSTEM_FAILURES = ("empty", "cut off", "filtered")
INFRASTRUCTURE_FAILURES = (
    "connection", "timeout", "server", "rejected", "budget", "out of memory", "not supported", "not recorded", "plugin",
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """Why a response has no answer. `kind` is one of SYSTEM_FAILURES (the system's own: it is measured as it is)
    or INFRASTRUCTURE_FAILURES (excluded, shown, asked again at the next run)."""

    kind: str
    message: str = ""

    @property
    def infrastructure(self) -> bool:
        return self.kind not in SYSTEM_FAILURES


@dataclass(frozen=True, kw_only=True)
class Response:
    """A model's answer to one request, or the failure that stands in its place.

    Shapes: `logprobs` of a `Choose` holds one natural-log likelihood a choice and `tokens` the number of tokens each;
    `logprobs` of a `Likelihood` holds one value a scored token, that of a `Generate` one a token that was generated (at
    temperature 1, whatever it was drawn with), where the model tells. `merged` counts choices whose first characters share
    a token with the context. `contexts` is set by systems that retrieve on their own. `latency` is in seconds.
    `run_tokens` is how many of `input_tokens` went through the model for this answer: what it shares with other answers
    of the run counts for the first of them; None where all did. `retries` is how often a service was asked again.
    """

    text: str | None = None
    finish: Literal["stop", "length"] | None = None
    logprobs: tuple[float, ...] | None = None
    tokens: tuple[int, ...] | None = None
    merged: int = 0
    embedding: tuple[float, ...] | None = None
    contexts: tuple[Passage, ...] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency: float | None = None
    error: Failure | None = None
    run_tokens: int | None = None
    retries: int = 0

    @property
    def failure(self) -> Failure | None:
        """The failure: the error, or `empty` where the text holds nothing but white space."""
        if self.error is not None:
            return self.error
        return Failure("empty") if self.text is not None and not self.text.strip() else None


@dataclass(frozen=True)
class Unmeasured:
    """What a metric returns where its quantity is undefined for a sample, for example `Unmeasured("no reference")`."""

    reason: str


@dataclass(frozen=True)
class Rows:
    """What `measure` returns besides statistics, one row a sample: reasons of unmeasured rows and evidence, by row number.

    Statistics of unmeasured rows may hold anything; they are left out and counted. Evidence is what a value rests on, as
    plain mappings to be shown beside the sample; it takes no part in the score. An item has any of `start` and `end`
    (characters of the response), `passage` (an id), `passage_start` and `passage_end` (characters of its text), `score`,
    `status`, `note`, and other plain values.
    """

    statistics: Mapping[str, Any]
    unmeasured: Mapping[int, str] = field(default_factory=dict)
    evidence: Mapping[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass
class Batch:
    """Columns of some samples: one list a field, one value a row.

    Metrics that need the same dear intermediate share it: `batch.once(key, compute)` computes it for the first
    that asks and forgets it with the batch.

    >>> batch = Batch({"response": ["a", "b"]})
    >>> len(batch), batch.once("lengths", lambda: [1, 1])
    (2, [1, 1])
    """

    columns: Mapping[str, list[Any]]
    ids: Sequence[str] = ()
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else len(self.ids)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what `compute` gave the first time this batch was asked for `key`."""
        if key not in self.memo:
            self.memo[key] = compute()
        result: T = self.memo[key]
        return result


def text_of(prompt: Prompt) -> str:
    """Return the prompt as one readable text.

    >>> print(text_of((Message("user", "Hi"), Message("assistant", "Hello"))))
    user: Hi
    assistant: Hello
    """
    return prompt if isinstance(prompt, str) else "\n".join(f"{turn.role}: {turn.content}" for turn in prompt)


__all__ = [
    "INFRASTRUCTURE_FAILURES", "SYSTEM_FAILURES", "Answer", "Batch", "Choose", "Embed", "Failure", "Generate", "Likelihood",
    "Message", "Passage", "Prompt", "Request", "Response", "Rows", "Sample", "Unmeasured", "text_of",
]  # fmt: skip
