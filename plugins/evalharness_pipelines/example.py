"""A system to try things with: it answers with the best passage that it is given, or says that there is none.

As a function it is `{python: "evalharness_pipelines.example:answer"}`, as a program
`{command: [python, -m, evalharness_pipelines.example]}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(sample: dict[str, Any]) -> dict[str, Any]:
    """Answer one question.

    >>> answer({"input": "Where?", "contexts": []})
    {'response': 'There is nothing on "Where?".', 'contexts': []}
    """
    contexts = sample["contexts"]
    return {"response": contexts[0]["text"] if contexts else f'There is nothing on "{sample["input"]}".', "contexts": contexts}


def main() -> None:
    """Answer one question a line, until there are no more."""
    for line in sys.stdin:
        question = json.loads(line)
        sys.stdout.write(json.dumps({"id": question["id"], **answer(question)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
