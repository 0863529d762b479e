"""Whether a response is stated in the words of its contexts, sentence by sentence, without any model.

AUROC against human labels, `faithfulness` / `word_precision` / length (`python -m benchmarks.faithfulness`, see
docs/faithfulness.md): RAGTruth QA .793/.771/.712, RAGTruth data-to-text .710/.682/.482, QAGS CNN/DM .725/.577/.364,
BEGIN dev .929/.938/.635, WiCE dev .830/.744/.586.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import evalharness as eh
from evalharness_rag.sentences import sentence_spans
from evalharness_rag.support import Contexts, Support
from evalharness_rag.tokens import Token, content_tokens

CLAIM_WORDS = 3  # content words, neither number nor name, that a sentence needs to claim something


@dataclass(frozen=True)
class SentenceEvidence:
    """What supports one sentence `response[start:end]`.

    `score` (0 to 1), and `passage` with the characters `passage_start` to `passage_end` of its text, are None for sentences
    that are no claim; the passage is also None where nothing supports a claim. `covered` are the words of the sentence that
    stand in that span, `novel` those that stand in no passage, `numbers` and `names` the novel ones of that kind.
    """

    start: int
    end: int
    status: Literal["claim", "refusal", "too short"]
    score: float | None = None
    passage: str | None = None
    passage_start: int | None = None
    passage_end: int | None = None
    covered: tuple[str, ...] = ()
    novel: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return what there is, as JSON knows it."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, ())}


class Faithfulness(eh.Metric):
    """Support score of the response by its contexts, 0 to 1: stated in their words, which is not the same as true.

    Each claim sentence is compared with windows of one to three neighbouring sentences of one passage. Its score is
    `(0.80 coverage + 0.54 bigrams - 0.34 [a number is in no passage] - 0.25 [a name is in no passage]) / 1.34`, not below 0.
    `coverage` is the share of its distinct content stems that the best window holds, weighted by rarity
    `log(1 + (N + 1) / (1 + df))` over the N sentences of the contexts; `bigrams` the share of its pairs of neighbouring
    content stems that occur in the contexts. What names the passages as a source (`[2]`, `based on the given passages`) is
    passed over. The response scores half the minimum plus half the mean of its claims.

    Sentences that refuse, and those with fewer than three content words besides numbers and names, are no claims and left
    out. Unmeasured: `empty response` (no content word), `no contexts`, `refusal` and `too short` (no claim is left); a
    response that the transform `refusal` marks is a `refusal` whatever else it says.
    A negation, a swapped number that occurs elsewhere or a change of roles is not noticed, and an honest paraphrase scores
    low. More passages raise the score, so systems that retrieve different numbers of passages are not comparable by it.

    >>> contexts = [eh.Passage("p1", "The mill was built in 1840. Its wheel drove two stones.")]
    >>> (found,) = Faithfulness().evidence("The old mill was built in 1901.", contexts)
    >>> found.passage, contexts[0].text[found.passage_start : found.passage_end], found.novel, found.numbers
    ('p1', 'The mill was built in 1840.', ('old', '1901'), ('1901',))
    """

    name, better, range, family = "faithfulness", "higher", (0, 1), "faithfulness"
    formula = "(min + mean) / 2 over the sentences that claim something of how far contexts support them"
    reference = "closed form; held against people's labels in docs/faithfulness.md"

    def measure(self, response: Sequence[str], contexts: Sequence[Sequence[eh.Passage] | None], batch: eh.Batch) -> eh.Rows:
        evidence = [self.evidence(text or "", passages or ()) for text, passages in zip(response, contexts, strict=True)]
        marked = batch.columns.get("refused") or [None] * len(response)
        found = [
            "refusal" if refused else _value(text, passages, sentences)
            for text, passages, sentences, refused in zip(response, contexts, evidence, marked, strict=True)
        ]
        reasons = {row: value for row, value in enumerate(found) if isinstance(value, str)}
        shown = {row: [sentence.plain() for sentence in sentences] for row, sentences in enumerate(evidence) if sentences}
        return eh.Rows({"value": [math.nan if isinstance(value, str) else value for value in found]}, reasons, shown)

    def evidence(self, response: str, contexts: Sequence[eh.Passage]) -> list[SentenceEvidence]:
        """Return the evidence for each sentence of a response, in order."""
        indexed = Contexts(contexts)
        return [_evidence(response, start, end, indexed, contexts) for start, end in sentence_spans(response)]


def _value(response: str | None, contexts: Sequence[eh.Passage] | None, evidence: Sequence[SentenceEvidence]) -> float | str:
    """Return the score of a response, or why it has none."""
    if not any(content_tokens(response or "", sentence.start, sentence.end) for sentence in evidence):
        return "empty response"
    if not any(content_tokens(passage.text) for passage in contexts or ()):
        return "no contexts"
    scores = [sentence.score for sentence in evidence if sentence.score is not None]
    if not scores:
        return "refusal" if any(sentence.status == "refusal" for sentence in evidence) else "too short"
    return 0.5 * min(scores) + 0.5 * math.fsum(scores) / len(scores)


def _evidence(text: str, start: int, end: int, indexed: Contexts, passages: Sequence[eh.Passage]) -> SentenceEvidence:
    tokens = content_tokens(text, start, end)
    if eh.is_refusal(text[start:end]):
        return SentenceEvidence(start, end, "refusal")
    if sum(not (token.number or token.name) for token in tokens) < CLAIM_WORDS:
        return SentenceEvidence(start, end, "too short")
    found = indexed.support(tokens)
    return SentenceEvidence(start, end, "claim", found.score, **_place(found, passages), **_words(text, found))


def _place(found: Support, passages: Sequence[eh.Passage]) -> dict[str, Any]:
    if found.passage is None:
        return {}
    return {"passage": passages[found.passage].id, "passage_start": found.start, "passage_end": found.end}


def _words(text: str, found: Support) -> dict[str, Any]:
    def written(tokens: Sequence[Token]) -> tuple[str, ...]:
        return tuple(text[token.start : token.end] for token in tokens)

    words = {"covered": found.covered, "novel": found.novel, "numbers": found.numbers, "names": found.names}
    return {name: written(tokens) for name, tokens in words.items()}
