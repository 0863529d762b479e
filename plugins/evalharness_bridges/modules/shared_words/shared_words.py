"""An example of a module of evaluate: which share of the words of the reference the prediction has."""

import datasets
import evaluate


class SharedWords(evaluate.Metric):  # type: ignore[misc]
    """Mean over samples of the share of the reference's distinct words that the prediction has, 0 to 1."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="Share of the words of the reference that the prediction has.",
            citation="",
            inputs_description="predictions and references: one text a sample",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        pairs = [(set(text.split()), set(reference.split())) for text, reference in zip(predictions, references, strict=True)]
        shares = [len(words & wanted) / len(wanted) if wanted else float(not words) for words, wanted in pairs]
        return {"shared_words": sum(shares) / len(shares)}
