"""A model that answers by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import evalharness as eh


class Echo(eh.Model):
    """Answers without a model, the same way every time; for tests of tasks and of the harness.

    - `Generate`: the last line of the prompt that is not blank; an empty text where there is none.
    - `Choose`: minus the number of characters of each choice, so that the shortest wins.
    - `Likelihood`: minus the number of characters of each word, one value a word.

    Tokens are words. Decoding parameters are ignored.

    >>> request = eh.Generate(prompt="Answer briefly.\\nWhat is salt?\\n")
    >>> [response.text for _, response in Echo().answer([request])]
    ['What is salt?']
    """

    name = "echo"
    supports = (eh.Generate, eh.Choose, eh.Likelihood)

    def identity(self) -> str:
        return eh.digest([self.name, 1])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            yield request, _answered(request)


def _answered(request: eh.Request) -> eh.Response:
    match request:
        case eh.Generate():
            text = request.prompt if isinstance(request.prompt, str) else "".join(turn.content for turn in request.prompt[-1:])
            said = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
            return eh.Response(
                text=said, finish="stop", input_tokens=_words(eh.text_of(request.prompt)), output_tokens=_words(said)
            )
        case eh.Choose():
            logprobs = tuple(-float(len(choice)) for choice in request.choices)
            tokens = tuple(max(1, _words(choice)) for choice in request.choices)
            return eh.Response(logprobs=logprobs, tokens=tokens, input_tokens=_words(eh.text_of(request.prompt)))
        case eh.Likelihood():
            logprobs = tuple(-float(len(word)) for word in request.text.split())
            return eh.Response(logprobs=logprobs, input_tokens=len(logprobs))
    return eh.Response(error=eh.Failure("not supported", f"model 'echo' does not answer {request.kind} requests"))


def _words(text: str) -> int:
    return len(text.split())
