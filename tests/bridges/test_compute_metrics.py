"""Metrics in a Trainer of transformers: what it reports is what the metrics say of its predictions."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import evalharness as eh

WORDS = ["<pad>", "</s>", "<unk>", "the", "cat", "sat", "on", "mat"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Give a tokenizer of a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def arguments(kind: Any, folder: Path, **changed: Any) -> Any:
    return kind(str(folder), per_device_eval_batch_size=2, use_cpu=True, report_to=[], disable_tqdm=True, **changed)


def predicted(predictions: Any, labels: Any) -> Any:
    return SimpleNamespace(predictions=np.array(predictions), label_ids=np.array(labels))


def test_a_trainer_reports_metrics_of_classes(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = BertForSequenceClassification(BertConfig(vocab_size=8, max_position_embeddings=8, num_labels=3, **sizes))
    data = [{"input_ids": [1 + row % 7, 3, 4], "labels": row % 3} for row in range(7)]
    trainer = Trainer(
        model=model,
        args=arguments(TrainingArguments, tmp_path),
        eval_dataset=data,  # type: ignore[arg-type]
        compute_metrics=eh.compute_metrics(["accuracy", {"log_loss": {}}, eh.load_metric("brier", classes=3)]),
    )
    found = trainer.evaluate()
    logits = trainer.predict(data).predictions.astype(np.float64)  # type: ignore[arg-type]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    target = np.arange(7) % 3
    assert found["eval_accuracy"] == pytest.approx((logits.argmax(1) == target).mean())
    assert found["eval_log_loss"] == pytest.approx(-np.log(shares[np.arange(7), target]).mean())
    assert found["eval_brier"] == pytest.approx(((shares - np.eye(3)[target]) ** 2).sum(1).mean())


def test_a_trainer_that_generates_reports_metrics_of_text(tmp_path: Path, tokenizer: Any) -> None:
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 8, "d_kv": 8, "d_ff": 8, "num_layers": 1, "num_heads": 1, "decoder_start_token_id": 0}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, **sizes))
    labels = [[3, 4, 5, 1], [3, 7, 1, -100], [6, 3, 7, 1]]
    data = [{"input_ids": [3, 4, 1], "labels": row} for row in labels]
    trainer = Seq2SeqTrainer(
        model=model,
        args=arguments(Seq2SeqTrainingArguments, tmp_path, predict_with_generate=True, generation_max_length=5),
        eval_dataset=data,  # type: ignore[arg-type]
        compute_metrics=eh.compute_metrics(["exact_match", {"rouge": {"variants": ["rouge1"]}}], tokenizer),
    )
    found = trainer.evaluate()
    ids = trainer.predict(data).predictions  # type: ignore[arg-type]
    texts = tokenizer.batch_decode([row[row != -100] for row in ids], skip_special_tokens=True)
    wanted = ["the cat sat", "the mat", "on the mat"]
    expected = (
        eh.load_metric("rouge", variants=["rouge1"]).evaluate(response=texts, references=wanted).scores["rouge.rouge1"].value
    )
    assert found["eval_rouge.rouge1"] == pytest.approx(expected)
    assert found["eval_exact_match"] == np.mean([text == other for text, other in zip(texts, wanted, strict=True)])


def test_ignored_ids_are_no_text(tokenizer: Any) -> None:
    compute = eh.compute_metrics(["exact_match"], tokenizer)
    assert compute(predicted([[0, 3, 4, -100], [3, 5, 1, 0]], [[3, 4, 1, -100], [3, 7, 1, -100]])) == {"exact_match": 0.5}


def test_labels_of_tokens_count_one_by_one_without_the_ignored() -> None:
    logits = [[[2.0, 0.0], [0.0, 2.0], [5.0, 0.0]], [[0.0, 2.0], [0.0, 2.0], [2.0, 0.0]]]
    found = eh.compute_metrics(["accuracy"])(predicted(logits, [[0, 0, -100], [1, 1, -100]]))
    assert found == {"accuracy": 0.75}


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_single_value_is_a_prediction(shape: tuple[int, ...]) -> None:
    found = eh.compute_metrics(["mae", "mse"])(predicted(np.reshape([1.0, 2.0, 3.0], shape), [1.0, 2.0, 5.0]))
    assert found == {"mae": pytest.approx(2 / 3), "mse": pytest.approx(4 / 3)}


def test_a_single_logit_is_that_of_class_1() -> None:
    found = eh.compute_metrics(["brier"])(predicted([[0.0], [np.log(3)]], [1, 1]))
    assert found == {"brier": pytest.approx((0.25 + 0.0625) / 2)}


def test_hidden_states_beside_the_logits_are_left_out() -> None:
    given = SimpleNamespace(predictions=(np.array([[0.0, 1.0]]), np.zeros((1, 4))), label_ids=np.array([1]))
    assert eh.compute_metrics(["accuracy"])(given) == {"accuracy": 1.0}


def test_it_pickles() -> None:
    compute = pickle.loads(pickle.dumps(eh.compute_metrics(["accuracy", "log_loss"])))
    assert compute == eh.compute_metrics(["accuracy", "log_loss"])


def test_what_does_not_fit_says_what_to_do(tokenizer: Any) -> None:
    with pytest.raises(eh.UsageError, match=r"metric 'bleu' reads text; give the tokenizer that decodes it"):
        eh.compute_metrics(["accuracy", "bleu"])
    with pytest.raises(eh.UsageError, match="use Seq2SeqTrainer with predict_with_generate=True"):
        eh.compute_metrics(["bleu"], tokenizer)(predicted(np.zeros((2, 3, 8)), np.zeros((2, 3), int)))
    with pytest.raises(eh.UsageError, match=r"logits of shape \(2, 3, 4\) do not belong to labels of shape \(2,\)"):
        eh.compute_metrics(["accuracy"])(predicted(np.zeros((2, 3, 4)), [0, 1]))
    with pytest.raises(eh.UsageError, match="metric 'perplexity' asks a model"):
        eh.compute_metrics(["perplexity"], tokenizer)


def test_what_a_trainer_does_not_give_is_told_before_training(tokenizer: Any) -> None:
    with pytest.raises(eh.UsageError, match="metric 'ndcg' reads 'contexts', which a Trainer does not give; it gives prob"):
        eh.compute_metrics(["accuracy", "ndcg"])
    with pytest.raises(eh.UsageError, match="metric 'faithfulness' reads 'contexts'"):
        eh.compute_metrics(["faithfulness"], tokenizer)


def test_options_that_more_classes_need_are_told_with_the_metric() -> None:
    with pytest.raises(eh.UsageError, match="metric 'f1': average is 'binary', but there are 3 classes; write average"):
        eh.compute_metrics(["f1"])(predicted(np.eye(3), [0, 1, 2]))
