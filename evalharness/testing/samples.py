"""Sample data on which the conformance kit tries plugins: ordinary rows, then the edges of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.contract import Passage

PASSAGES = (
    Passage("alps", "The Alps are a mountain range in Europe. Mont Blanc, at 4,806 metres, is their highest peak."),
    Passage("seine", "The Seine flows through Paris to the English Channel. It is 777 kilometres long."),
    Passage("paris", "Paris is the capital of France. About two million people live there."),
    Passage("tokyo", "東京は日本の首都です。人口は約千四百万人です。"),
    Passage("cairo", "القاهرة هي عاصمة مصر. يسكنها نحو عشرة ملايين نسمة."),
    Passage("twin-a", "Two passages with one text have one score."),
    Passage("twin-b", "Two passages with one text have one score."),
)
QUERIES = ("What is the capital of France?", "How long is the Seine?", "日本の首都は?", "one text, one score", "", "🙂")

# input, response, references, retrieved passages, grades of relevant passages
ROWS: tuple[tuple[str, str, list[str], list[int], dict[str, int]], ...] = (
    ("What is the capital of France?", "Paris", ["Paris", "Paris, France"], [2, 1, 0], {"paris": 2, "seine": 1}),
    ("How high is Mont Blanc?", "It is 4,806 metres high.", ["4,806 metres"], [0], {"alps": 1}),
    ("How long is the Seine?", "Nobody has measured that river.", ["777 kilometres"], [2, 0, 1], {"seine": 1}),
    ("What is it?", "It is the the the the thing", ["the"], [3, 4], {"alps": 1, "cairo": 3}),
    ("One word?", "yes", ["no"], [], {"alps": 1}),
    ("Nothing said", "", ["Something", ""], [0, 1], {"alps": 1}),
    ("Only white space", " \n\t ", ["Something"], [0], {"alps": 1}),
    ("Only punctuation", "... !?", ["a"], [1], {"seine": 1}),
    ("東京はどこの首都ですか。", "東京は日本の首都です。", ["日本", "日本の首都"], [3, 2], {"tokyo": 1}),
    ("ما هي عاصمة مصر؟", "عاصمة مصر هي القاهرة.", ["القاهرة"], [4], {"cairo": 1}),
    ("Emoji", "👩‍👩‍👧 family 🙂", ["🙂 family"], [0, 4], {"cairo": 2}),
    ("Combining marks", "Cafe\u0301 cre\u0300me", ["Café crème"], [2], {"paris": 1}),
    ("Who wrote it?", "I do not know.", [], [0, 1, 2], {}),
    ("Two sentences", "Paris lies on the Seine.\nThe Alps are high.", ["Paris lies there.\nIt does."], [1, 0], {"seine": 1}),
)  # fmt: skip

BEFORE = "before_"


def default_columns() -> dict[str, list[Any]]:
    """Return columns of all fields that the harness knows; lists of equal length, one value a row."""
    inputs, responses, references, retrieved, relevant = map(list, zip(*ROWS, strict=True))
    count = len(ROWS)
    return {
        "id": [f"row-{row}" for row in range(count)],
        "group": [f"group-{row % 5}" for row in range(count)],
        "input": inputs,
        "text": responses,
        "response": responses,
        "responses": [[text, "Paris", text] for text in responses],
        "references": references,
        "contexts": [[PASSAGES[index] for index in found] for found in retrieved],
        "relevant": relevant,
        "reference_contexts": [[PASSAGES[index].text[:60] for index in found[:2]] for found in retrieved[::-1]],
        "ranking": [[PASSAGES[index].id for index in found] for found in retrieved[1:] + retrieved[:1]],
        "choices": [["Paris", "The Alps", "東京"] for _ in ROWS],
        "target": [row % 3 for row in range(count)],
        "prediction": [row % 5 / 2 for row in range(count)],
        "ratings": [[1 + row % 3, 1 + row % 2, 1 + row // 3] for row in range(count)],
        "history": [[row % 4, 1.5, 2, row % 3 + 1] for row in range(count)],
        "prompt": inputs,
        "schema": [{"type": "string"} for _ in ROWS],
        "chosen": responses,
        "rejected": ["It is not known.", *responses[:-1]],
        "router_counts": [[[row % 3, 2, 4], [1, row % 2, 5]] for row in range(count)],
        "logprobs": [tuple(-math.log(2 + (row + choice) % 4) for choice in range(3)) for row in range(count)],
        "choice_tokens": [(1 + row % 2, 2, 3) for row in range(count)],
        "probabilities": [tuple((1 + (row + choice) % 3) / 6 for choice in range(3)) for row in range(count)],
    }


def columns_for(reads: Sequence[str], given: Mapping[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    """Return the columns that a metric reads: the given ones, or those of the sample data.

    Raises ValueError, which says what to pass, where a field is neither given nor known.
    """
    known = {name: list(values) for name, values in (default_columns() if given is None else given).items()}
    if given is None:  # what a system made before training is another row's
        earlier = [name for name in reads if name.startswith(BEFORE) and name.removeprefix(BEFORE) in known]
        known |= {name: known[name.removeprefix(BEFORE)][::-1] for name in earlier}
    missing = [name for name in reads if name not in known]
    if missing:
        asked = ", ".join(f"'{name}': [...]" for name in reads)
        source = "the sample data holds" if given is None else "the columns given hold"
        raise ValueError(f"it reads {_listed(missing)}, and {source} {_listed(known)}; pass columns={{{asked}}}, one value a row")
    return {name: known[name] for name in reads}


def _listed(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names)
