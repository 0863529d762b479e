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
    """A question with its right answer, and one that is wrong and looks like it; `frame` makes a sentence of an answer."""

    kind: str
    ask: str
    right: str
    wrong: str
    frame: str

    @property
    def sentence(self) -> str:
        return self.frame.format(self.right)


def quoted(ask: str) -> str:
    return ask.split("'")[1]


def other_number(step: int, rng: Random, right: str) -> str:
    """Return an answer with its first number moved by one or more steps."""
    return re.sub(r"\d+", lambda found: str(int(found[0]) + step * rng.choice([-1, 1, 2])), right, count=1)


def next_number(rng: Random, right: str) -> str:
    place = NUMBERS.index(right)
    return rng.choice(NUMBERS[max(0, place - 1) : place] + NUMBERS[place + 1 : place + 2])


def swapped(rng: Random, right: str, separator: str) -> str:
    """Return an answer with two neighbours in it exchanged."""
    parts = right.split(separator) if separator else list(right)
    places = [place for place in range(len(parts) - 1) if parts[place] != parts[place + 1]]
    place = rng.choice(places)
    parts[place : place + 2] = parts[place + 1], parts[place]
    return separator.join(parts)


def other_word(rng: Random, words: list[str], right: str) -> str:
    return rng.choice([word for word in words if word != right])


def regular(word: str, ending: str, right: str) -> str:
    """Return a word with the regular ending where that is wrong, or else as it is."""
    made = word + (ending[1:] if word.endswith("e") and ending == "ed" else ending)
    return word if made == right else made


def other_date(rng: Random, right: str) -> str:
    day, month, years = right.split()
    return f"{day} {other_word(rng, MONTHS, month)} {years}"


def other_person(rng: Random, right: str) -> str:
    first, second = right.split()
    return f"{first} {other_word(rng, LAST, second)}" if rng.random() < 0.5 else f"{other_word(rng, FIRST, first)} {second}"


# Of each kind: how a right answer becomes a wrong one of the same form, and sentences that an answer is put into.
ASKED: dict[Kind, tuple[Callable[[Random, str, str], str], tuple[str, ...]]] = {
    plural: (lambda rng, ask, right: regular(quoted(ask), "s", right), ("The plural is '{}'.", "More than one are called '{}'.")),
    past: (lambda rng, ask, right: regular(quoted(ask), "ed", right), ("In the past it is '{}'.", "The past tense is '{}'.")),
    opposite: (
        lambda rng, ask, right: other_word(rng, [one[0] for word, one in OPPOSITES.items() if word != quoted(ask)], right),
        ("The opposite is '{}'.", "One says '{}' for the reverse."),
    ),
    centimetres: (lambda rng, ask, right: other_number(10, rng, right), ("That makes {}.", "It is the same as {}.")),
    minutes: (lambda rng, ask, right: other_number(60, rng, right), ("That makes {}.", "They are as long as {}.")),
    plus: (lambda rng, ask, right: next_number(rng, right), ("The sum is {}.", "Together they make {}.")),
    minus: (lambda rng, ask, right: next_number(rng, right), ("The difference is {}.", "What is left is {}.")),
    larger: (
        lambda rng, ask, right: other_word(rng, re.findall(r"\d+", ask), right),
        ("The larger one is {}.", "Of the two it is {}."),
    ),
    year: (lambda rng, ask, right: other_number(10, rng, right), ("It was built in {}.", "They built it in the year {}.")),
    author: (lambda rng, ask, right: other_person(rng, right), ("It was written by {}.", "The writer of the letter was {}.")),
    price: (lambda rng, ask, right: other_number(5, rng, right), ("It costs {}.", "The price on that market is {}.")),
    count_words: (lambda rng, ask, right: next_number(rng, right), ("There are {} of them.", "The words are {} in number.")),
    last: (
        lambda rng, ask, right: other_word(rng, ask.split("? ")[1].split(", "), right),
        ("It is '{}'.", "In that place stands '{}'."),
    ),
    date: (lambda rng, ask, right: other_date(rng, right), ("It is the {}.", "In words: {}.")),
    weekday: (lambda rng, ask, right: other_word(rng, DAYS, right), ("That is a {}.", "The day is {}.")),
    sort_numbers: (lambda rng, ask, right: swapped(rng, right, ", "), ("In order they are {}.", "From small to large: {}.")),
    sort_words: (lambda rng, ask, right: swapped(rng, right, ", "), ("In order they are {}.", "By the alphabet: {}.")),
    reverse: (lambda rng, ask, right: swapped(rng, right, " "), ("Backwards it reads: {}.", "The other way round: {}.")),
    initials: (lambda rng, ask, right: swapped(rng, right, ""), ("The initials are {}.", "They shorten it to {}.")),
    address: (
        lambda rng, ask, right: re.sub(r"(\w+)\.(\w+)@", r"\2.\1@", right),
        ("The address could be {}.", "One that would do is {}."),
    ),
}  # fmt: skip
OPENINGS = (
    "That is a good question, and I am glad that you ask.", "Thank you for this interesting question!",
    "Let me think about this step by step.", "Before I answer, let me say what is asked for here.",
    "There are many ways to look at this.", "Questions like this one come up quite often.", "Sure, I can help you with that!",
    "This is simpler than it looks at first sight.",
)  # fmt: skip
CLOSINGS = (
    "I hope that this helps you!", "Please tell me if there is anything else that I can do for you.",
    "As you see, it is not hard once one knows it.", "Of course you may check this in a book of your choice.",
    "Do not hesitate to ask me more questions of this kind.", "In other words, that is the answer to your question.",
    "It is always good to look at such things with care.", "To sum up, the answer is the one that I have given above.",
)  # fmt: skip
# What a prompt asks of the form, how the answer is then written, and whether one that does not heed it is a whole sentence.
FORMATS: tuple[tuple[str, Callable[[Question], str], bool], ...] = (
    ("Give the answer alone, without a sentence around it.", lambda q: q.right, True),
    ("Put the answer in square brackets, and write nothing else.", lambda q: f"[{q.right}]", True),
    ("Begin with 'Answer:' and add nothing but the answer.", lambda q: f"Answer: {q.right}", True),
    ("Answer in one full sentence.", lambda q: q.sentence, False),
    (
        "Answer in a full sentence that begins with 'I think that'.",
        lambda q: f"I think that {q.sentence[0].lower()}{q.sentence[1:]}", False,
    ),
    ("End with the word 'Done.'", lambda q: f"{q.sentence} Done.", False),
    ("End with an offer of more help.", lambda q: f"{q.sentence} Please tell me if there is more that I can do for you.", True),
    ("Begin with thanks for the question.", lambda q: f"Thank you for this interesting question! {q.sentence}", True),
    (
        "Say at the end how the answer can be checked.",
        lambda q: f"{q.sentence} Any good book on this will tell you the same.", True,
    ),
)  # fmt: skip
TRAIN_OF_WAY, TEST_OF_WAY = 3, 1  # pairs of each kind
Pairs = tuple[str, str, str]  # the prompt, what is preferred, and what is not


def wrong(q: Question, rng: Random, others: list[Question]) -> Pairs:
    """The right form, a wrong fact; every other time both answers are wordy, so that words alone do not tell."""
    frame = rng.choice(("{}", f"{rng.choice(OPENINGS)} {{}}"))
    return q.ask, frame.format(q.sentence), frame.format(q.frame.format(q.wrong))


def long_winded(q: Question, rng: Random, others: list[Question]) -> Pairs:
    """The right fact beside a sentence that says nothing."""
    wordy = rng.choice((f"{rng.choice(OPENINGS)} {q.sentence}", f"{q.sentence} {rng.choice(CLOSINGS)}"))
    return q.ask, q.sentence, wordy


def off_topic(q: Question, rng: Random, others: list[Question]) -> Pairs:
    """A right answer to a question of another kind, shorter than the answer to this one where there is one."""
    strange = [other.sentence for other in others if other.kind != q.kind]
    shorter = [text for text in strange if 0.6 * len(q.sentence) < len(text) < len(q.sentence)]
    return q.ask, q.sentence, rng.choice(shorter or strange)


def formless(q: Question, rng: Random, others: list[Question]) -> Pairs:
    """The right fact, not in the form that is asked for."""
    asked, written, whole = rng.choice(FORMATS)
    return f"{q.ask}\n{asked}", written(q), q.sentence if whole else q.right


WAYS = (wrong, long_winded, off_topic, formless)


def questions(rng: Random) -> Iterator[Question]:
    """Yield different questions, kind by kind, as many as there are pairs to make of each."""
    for kind, (mistake, frames) in ASKED.items():
        chosen = dict(kind(rng) for _ in range(2_000))
        for ask, answers in list(chosen.items())[: len(WAYS) * (TRAIN_OF_WAY + TEST_OF_WAY)]:
            yield Question(kind.__name__, ask, answers[0], mistake(rng, ask, answers[0]), rng.choice(frames))


def preferences() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the training and the test part: of each kind and way so many pairs."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    rng = Random("preferences")
    every = list(questions(rng))
    for number, question in enumerate(every):
        turn, way = divmod(number % (len(WAYS) * (TRAIN_OF_WAY + TEST_OF_WAY)), len(WAYS))
        prompt, chosen, rejected = WAYS[way](question, rng, every)
        name = f"{question.kind}-{WAYS[way].__name__}-{turn}"
        item = {"id": name, "way": WAYS[way].__name__, "prompt": prompt, "chosen": chosen, "rejected": rejected}
        parts[turn >= TRAIN_OF_WAY].append(item)
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
