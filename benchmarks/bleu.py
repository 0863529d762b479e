"""How fast BLEU is with all that belongs to it, beside sacrebleu 2.6.0 with its paired bootstrap.

    OMP_NUM_THREADS=1 python -m benchmarks.bleu

Two systems of 2,000 responses: corpus BLEU with interval and 1,000 replicates, the paired comparison of the two, and BLEU of
each sample. sacrebleu does the same by `PairedTest` (bootstrap, 1,000) and `sentence_score`; the second line leaves the latter
out, though what stands here gives the samples as well. Nothing is kept from round to round. Seconds are those of the
processor. Ends with exit code 1 where values differ by more than 1e-9 or this is not 3 times faster.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence

from evalharness_text.tokenizers import splitter

import evalharness as eh
from benchmarks.sentences import faster, pairs
from evalharness.contract import Batch
from evalharness.scoring import generator
from evalharness.scoring.chain import Chain
from evalharness.scoring.keys import hash_keys
from evalharness.scoring.measuring import measure
from evalharness.scoring.paired import difference
from evalharness.scoring.score import finish
from evalharness.scoring.tally import Tally

PAIRS, WANTED = 2_000, 3.0


def ours(references: list[str], outputs: list[list[str]], samples: bool) -> list[float]:
    """Return both scores and perhaps the values of samples, after comparing: the steps of `evaluate` and `compare`."""
    splitter.cache_clear()
    generator._weights.cache_clear()
    (entry,) = Chain.build([(None, eh.load_metric("bleu", effective_order=True))]).entries
    ids = hash_keys([str(row) for row in range(len(references))])
    seed = generator.seed_of("bleu", "1", None)
    finished, values = [], list[float]()
    for texts in outputs:
        batch = Batch({"response": texts, "references": [[text] for text in references]})
        measured = measure(entry, batch, failures=[None] * len(texts), policy="worst", measured={})
        values += measured.values["bleu"].tolist()
        tally = Tally(entry)
        tally.add(measured, ids, ids)
        finished.append(finish(entry, tally, seed=seed, clustered=False))
    one, two = finished
    gap = difference(one.scores["bleu"], two.scores["bleu"], (one.replicates["bleu"], two.replicates["bleu"]))
    assert gap.p is not None
    return [found.scores["bleu"].value or 0.0 for found in finished] + values * samples


def theirs(references: list[str], outputs: list[list[str]], samples: bool) -> list[float]:
    """Return the same of sacrebleu."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest, Result

    named: list[tuple[str, Sequence[str]]] = [(str(number), texts) for number, texts in enumerate(outputs)]
    _, table = PairedTest(named, {"BLEU": BLEU(effective_order=True)}, [references], test_type="bs", n_samples=1_000)()
    corpus = [result.score for result in table["BLEU"] if isinstance(result, Result)]
    single = BLEU(effective_order=True)
    rows = [(text, [reference]) for texts in outputs for text, reference in zip(texts, references, strict=True)] * samples
    return corpus + [single.sentence_score(*row).score for row in rows]


def main() -> None:
    """Print the figures."""
    held = []
    for what, samples in (("BLEU, comparison and samples", True), ("BLEU and comparison", False)):
        here, there = (functools.partial(side, *pairs(PAIRS, 2), samples) for side in (ours, theirs))
        held.append(faster(f"{what}, 2 x {PAIRS} pairs", here, there, WANTED))
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
