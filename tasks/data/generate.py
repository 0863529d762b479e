"""Writes the data of the training tasks by rule: instructions, preferences and bytes. The same script, the same files.

python tasks/data/generate.py
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
GENERATED_DOCS = ("reference.md", "choosing_a_loss.md", "losses.md")  # written anew with the code or the studies
TRAIN, TEST = 16, 5  # instructions of each kind
PIECE = 120  # bytes


def words(text: str) -> list[str]:
    return text.split()


FIRST = words("Mara Tomas Ilse Bram Nora Felix Greta Oskar Lena Piet Ada Jonas Vera Emil Rosa Karl")
LAST = words("Quill Brandt Ostler Fenn Harrow Lind Marsh Pole Reeve Stone Tarn Wick Yarrow Bell Croft Dale")
TOWNS = words("Orrest Velby Harn Tolmar Brisk Ferrow Ansel Dunmoor Kelp Sorrel Wexby Marne")
THINGS = words("plum lamp boat chair stone river apple ladder bridge window candle garden basket mirror saddle kettle")
ADJECTIVES = words("red old quiet narrow bright heavy green early northern broken")
NUMBERS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
)
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("January February March April May June July August September October November December")
PLURALS = {
    "box": "boxes", "city": "cities", "leaf": "leaves", "child": "children", "mouse": "mice", "dish": "dishes", "fox": "foxes",
    "knife": "knives", "story": "stories", "tooth": "teeth", "church": "churches", "baby": "babies", "goose": "geese",
    "wolf": "wolves", "glass": "glasses", "country": "countries", "shelf": "shelves", "woman": "women", "brush": "brushes",
    "lady": "ladies", "bus": "buses", "foot": "feet", "party": "parties", "watch": "watches", "berry": "berries",
}  # fmt: skip
PAST = {
    "walk": "walked", "go": "went", "write": "wrote", "carry": "carried", "sing": "sang", "stop": "stopped", "bring": "brought",
    "run": "ran", "build": "built", "plan": "planned", "eat": "ate", "study": "studied", "swim": "swam", "keep": "kept",
    "take": "took", "open": "opened", "fly": "flew", "teach": "taught", "begin": "began", "cry": "cried", "find": "found",
    "drop": "dropped", "give": "gave", "speak": "spoke", "hope": "hoped",
}  # fmt: skip
OPPOSITES = {
    "hot": ["cold"], "big": ["small", "little"], "early": ["late"], "open": ["closed", "shut"], "full": ["empty"],
    "fast": ["slow"], "hard": ["soft", "easy"], "light": ["dark", "heavy"], "old": ["new", "young"], "wet": ["dry"],
    "high": ["low"], "strong": ["weak"], "loud": ["quiet", "soft"], "rich": ["poor"], "wide": ["narrow"], "clean": ["dirty"],
    "sharp": ["blunt", "dull"], "deep": ["shallow"], "first": ["last"], "near": ["far"], "right": ["wrong", "left"],
    "happy": ["sad", "unhappy"], "thick": ["thin"], "true": ["false"], "cheap": ["expensive", "dear"],
}  # fmt: skip

Pair = tuple[str, list[str]]
Kind = Callable[[Random], Pair]


def some(rng: Random, words: list[str], count: int) -> list[str]:
    return rng.sample(words, count)


def person(rng: Random) -> str:
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def capitals(rng: Random) -> Pair:
    text = f"the {rng.choice(ADJECTIVES)} {rng.choice(THINGS)}"
    ask = rng.choice(["Write this in capital letters: {}", "Put '{}' into upper case."])
    return ask.format(text), [text.upper()]


def title_case(rng: Random) -> Pair:
    text = f"{rng.choice(ADJECTIVES)} {rng.choice(THINGS)} of {rng.choice(TOWNS).lower()}"
    answer = " ".join(word if word == "of" else word.capitalize() for word in text.split())
    return f"Write this as a title: {text}", [answer]


def reverse(rng: Random) -> Pair:
    words = some(rng, THINGS, rng.choice([3, 4]))
    ask = rng.choice(["Reverse the order of these words: {}", "Say these words backwards, the last one first: {}"])
    return ask.format(" ".join(words)), [" ".join(reversed(words)), ", ".join(reversed(words))]


def sort_words(rng: Random) -> Pair:
    words = some(rng, THINGS, rng.choice([3, 4]))
    ask = rng.choice(["Sort these words by the alphabet: {}", "Put in alphabetical order: {}"])
    return ask.format(", ".join(words)), [", ".join(sorted(words))]


def sort_numbers(rng: Random) -> Pair:
    numbers = rng.sample(range(2, 60), 4)
    return f"Sort from small to large: {', '.join(map(str, numbers))}", [", ".join(map(str, sorted(numbers)))]


def initials(rng: Random) -> Pair:
    words = [rng.choice(TOWNS), rng.choice(THINGS).capitalize(), rng.choice(["Office", "Society", "Museum", "Club"])]
    letters = [word[0] for word in words]
    return f"Give the initials of the {' '.join(words)}.", ["".join(letters), ".".join(letters) + "."]


def plural(rng: Random) -> Pair:
    word = rng.choice(list(PLURALS))
    return rng.choice(["What is the plural of '{}'?", "Write '{}' in the plural."]).format(word), [PLURALS[word]]


def past(rng: Random) -> Pair:
    word = rng.choice(list(PAST))
    return rng.choice(["What is the past tense of '{}'?", "Put the verb '{}' into the past."]).format(word), [PAST[word]]


def opposite(rng: Random) -> Pair:
    word = rng.choice(list(OPPOSITES))
    return rng.choice(["What is the opposite of '{}'?", "Name a word that means the reverse of '{}'."]).format(word), OPPOSITES[
        word
    ]


def centimetres(rng: Random) -> Pair:
    count = rng.randint(2, 40)
    return f"How many centimetres are {count} metres?", [f"{count * 100} centimetres", f"{count * 100} cm", f"{count * 100}"]


def minutes(rng: Random) -> Pair:
    hours = rng.randint(2, 24)
    return f"How many minutes are {hours} hours?", [f"{hours * 60} minutes", f"{hours * 60}"]


def plus(rng: Random) -> Pair:
    first, second = rng.randint(1, 9), rng.randint(1, 9)
    return f"What is {NUMBERS[first]} plus {NUMBERS[second]}?", [NUMBERS[first + second], str(first + second)]


def minus(rng: Random) -> Pair:
    first, second = sorted(rng.sample(range(1, 16), 2))
    return f"What is {NUMBERS[second]} minus {NUMBERS[first]}?", [NUMBERS[second - first], str(second - first)]


def larger(rng: Random) -> Pair:
    first, second = rng.sample(range(10, 999), 2)
    return f"Which number is larger, {first} or {second}?", [str(max(first, second))]


def year(rng: Random) -> Pair:
    built, thing, town = rng.randint(1700, 1990), rng.choice(["mill", "bridge", "school", "harbour"]), rng.choice(TOWNS)
    return f"In which year was it built? The {thing} at {town} was built in {built} by {person(rng)}.", [str(built)]


def author(rng: Random) -> Pair:
    name, month = person(rng), rng.choice(MONTHS)
    return f"Who wrote the letter? The letter from {rng.choice(TOWNS)} was written by {name} in {month}.", [name]


def price(rng: Random) -> Pair:
    thing, pence = rng.choice(THINGS), rng.randint(3, 90)
    text = f"At the market of {rng.choice(TOWNS)} a {thing} costs {pence} crowns."
    return f"What does the {thing} cost? {text}", [f"{pence} crowns", str(pence)]


def numbered(rng: Random) -> Pair:
    words = some(rng, THINGS, 3)
    answer = " ".join(f"{place}. {word}" for place, word in enumerate(words, start=1))
    return f"Write as a numbered list in one line: {', '.join(words)}", [answer]


def count_words(rng: Random) -> Pair:
    words = some(rng, THINGS, rng.randint(2, 7))
    return f"How many words are these? {' '.join(words)}", [NUMBERS[len(words)], str(len(words))]


def member(rng: Random) -> Pair:
    words = some(rng, THINGS, 5)
    asked = words.pop() if rng.random() < 0.5 else rng.choice(words)
    return f"Is '{asked}' among these words? {', '.join(words)}", ["Yes" if asked in words else "No"]


def last(rng: Random) -> Pair:
    words = some(rng, THINGS, 4)
    place, which = rng.choice([(0, "first"), (1, "second"), (-1, "last")])
    return f"Which word is the {which} one? {', '.join(words)}", [words[place]]


def date(rng: Random) -> Pair:
    month, day, years = rng.randint(1, 12), rng.randint(1, 28), rng.randint(1850, 2020)
    return f"Write the date {years}-{month:02}-{day:02} in words.", [f"{day} {MONTHS[month - 1]} {years}"]


def weekday(rng: Random) -> Pair:
    today, ahead = rng.randrange(7), rng.randint(1, 4)
    later = "the day after" if ahead == 1 else f"{NUMBERS[ahead]} days after"
    return f"Which day is {later} {DAYS[today]}?", [DAYS[(today + ahead) % 7]]


def invitation(rng: Random) -> Pair:
    name, day, what = rng.choice(FIRST), rng.choice(DAYS), rng.choice(["fair", "concert", "dinner", "market"])
    answers = [f"Dear {name}, please come to the {what} on {day}.", f"Dear {name}, you are invited to the {what} on {day}."]
    return f"Invite {name} to the {what} on {day} in one sentence.", answers


def address(rng: Random) -> Pair:
    first, second, town = rng.choice(FIRST), rng.choice(LAST), rng.choice(TOWNS)
    answer = f"{first}.{second}@{town}.example".lower()
    return f"Make an e-mail address for {first} {second} at {town.lower()}.example.", [answer]


KINDS: tuple[Kind, ...] = (
    capitals, title_case, reverse, sort_words, sort_numbers, initials, plural, past, opposite, centimetres, minutes, plus, minus,
    larger, year, author, price, numbered, count_words, member, last, date, weekday, invitation, address,
)  # fmt: skip


def instructions() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the training and the test part: of each kind so many different instructions."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for kind in KINDS:
        rng, seen = Random(kind.__name__), set[str]()
        while len(seen) < TRAIN + TEST:
            ask, answers = kind(rng)
            if ask not in seen:
                name = f"{kind.__name__}-{len(seen):02}"
                item = {"id": name, "kind": kind.__name__, "instruction": ask, "answers": answers}
                parts[len(seen) >= TRAIN].append(item)
                seen.add(ask)
    return parts


@dataclass(frozen=True)
class Question:
    """A question with its right answer, and one that is wrong and as long."""

    kind: str
    ask: str
    right: str
    wrong: str


def questions(rng: Random, kinds: tuple[Kind, ...], count: int) -> Iterator[Question]:
    """Yield different questions, kind by kind; the wrong answer of one is the right one of another of its kind."""
    for kind in kinds:
        pairs = dict(kind(rng) for _ in range(40 * count))
        chosen = list(pairs.items())[:count]
        for ask, answers in chosen:
            others = [other[0] for other in pairs.values() if not set(other) & set(answers)]
            close = min(others, key=lambda other: (abs(len(other) - len(answers[0])), rng.random()))
            yield Question(kind.__name__, ask, answers[0], close)


ASKED: tuple[Kind, ...] = (
    plural, past, opposite, centimetres, minutes, plus, minus, larger, year, author, price, count_words, last, date, weekday,
    sort_numbers,
)  # fmt: skip
# What is preferred, and what is not. Two ways prefer the longer one, two the shorter one, one has lengths that are close.
WAYS: dict[str, Callable[[Question], tuple[str, str]]] = {
    "wrong": lambda q: (f"{q.right}.", f"{q.wrong}."),
    "rambling": lambda q: (f"{q.right}.", f"It may be {q.right}, but I am not sure about that."),
    "curt": lambda q: (f"The answer is {q.right}. Ask me if you need more.", f"{q.right}."),
    "refusing": lambda q: (f"The answer is {q.right}.", "No."),
    "excusing": lambda q: (f"The answer is {q.right}.", "I am sorry, but I am not able to answer that."),
}
TRAIN_OF_KIND, TEST_OF_KIND = 15, 5


def preferences() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the training and the test part: of each kind and way so many pairs."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    ways = list(WAYS)
    for number, question in enumerate(questions(Random("preferences"), ASKED, TRAIN_OF_KIND + TEST_OF_KIND)):
        place, way = number % (TRAIN_OF_KIND + TEST_OF_KIND), ways[number % len(ways)]
        chosen, rejected = WAYS[way](question)
        name = f"{question.kind}-{place:02}"
        item = {"id": name, "way": way, "prompt": question.ask, "chosen": chosen, "rejected": rejected}
        parts[place >= TRAIN_OF_KIND].append(item)
    return parts


def texts() -> Iterator[tuple[str, str]]:
    """Yield the texts of this repository that bytes are taken from, each with a name."""
    for name in ("rag_qa/corpus.jsonl", "perplexity/documents.jsonl"):
        for line in (HERE / name).read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            yield f"{name.partition('/')[0]}/{item['id']}", item["text"]
    for path in sorted(DOCS.glob("*.md")):
        if path.name not in GENERATED_DOCS:
            for number, section in enumerate(re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)):
                yield f"docs/{path.stem}/{number}", section


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces of at most PIECE bytes, cut at white space."""
    piece = ""
    for word in re.findall(r"\S+\s*", text):
        if len((piece + word).rstrip().encode()) > PIECE and piece:
            yield piece.rstrip()
            piece = ""
        piece += word
    yield piece.rstrip()


def documents() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the training and the test part: about every eighth text, by its name, is a test text with all of its pieces."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for name, text in texts():
        tested = hashlib.blake2b(name.encode(), digest_size=8).digest()[0] % 8 == 0
        for place, piece in enumerate(filter(None, pieces(text))):
            parts[tested].append({"id": f"{name}/{place:02}", "document": name, "text": piece})
    return parts


def write(folder: str, parts: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    """Write the two parts of a data set."""
    for name, items in zip(("train", "test"), parts, strict=True):
        lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items]
        (HERE / folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write("instructions", instructions())
    write("preferences", preferences())
    write("bytes", documents())
