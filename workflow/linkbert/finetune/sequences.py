"""Kinds that are decided from the pooled [CLS]: classification, multi-label, regression, multiple choice."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from linkbert.finetune.features import Features, PieceTokenizer, pair_features
from linkbert.finetune.method import Inputs, Method, Predictions, pad, pad_index, rounded
from linkbert.finetune.tasks import Example


class Pooled(Method):
    """Pooler, dropout, linear; one input for one text or a pair (Devlin et al., 2019)."""

    pooled, dropout = True, True

    def features(self, examples: Sequence[Example], tokenizer: PieceTokenizer) -> Features:
        return pair_features(
            [example["text_a"] for example in examples],
            [example.get("text_b") for example in examples],
            tokenizer,
            self.recipe.length,
            np.arange(len(examples) + 1),
            {"target": self.target(examples)},
        )

    def target(self, examples: Sequence[Example]) -> np.ndarray:
        """What the loss compares with, a row for each example."""
        raise TypeError("a kind defines its target")

    def inputs(self, features: Features, units: np.ndarray, keys: np.ndarray | None = None) -> Inputs:
        rows = features.rows(units)
        batch = features.pack(rows, None if keys is None else keys[rows])
        return Inputs(
            batch, batch.cls_rows.long(), rows, {"target": torch.from_numpy(features.targets["target"][units])}
        )

    def weight(self, features: Features, units: np.ndarray) -> int:
        return len(units)

    def keep(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return logits


class Classification(Pooled):
    """One label of several: cross-entropy, the largest logit."""

    kind = "classification"

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def target(self, examples: Sequence[Example]) -> np.ndarray:
        return np.fromiter((self.numbers[example["label"]] for example in examples), np.int64, len(examples))

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return F.cross_entropy(logits, inputs.targets["target"], reduction="sum")

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        names = [example["id"] for example in examples]
        best = [self.labels[number] for number in kept.argmax(1)]
        return Predictions(dict(zip(names, best, strict=True)), dict(zip(names, rounded(kept), strict=True)), {})


class MultiLabel(Pooled):
    """Any number of labels: binary cross-entropy for each, those whose logit is above 0."""

    kind = "multilabel"

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def target(self, examples: Sequence[Example]) -> np.ndarray:
        target = np.zeros((len(examples), len(self.labels)), np.float32)
        for row, example in enumerate(examples):
            target[row, [self.numbers[label] for label in example["labels"]]] = 1
        return target

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, inputs.targets["target"], reduction="sum")

    def weight(self, features: Features, units: np.ndarray) -> int:
        return len(units) * len(self.labels)

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        names = [example["id"] for example in examples]
        chosen = [[self.labels[number] for number in np.flatnonzero(row > 0)] for row in kept]
        return Predictions(dict(zip(names, chosen, strict=True)), dict(zip(names, rounded(kept), strict=True)), {})


class Regression(Pooled):
    """A number: squared error on the score as it stands in the data."""

    kind = "regression"

    @property
    def outputs(self) -> int:
        return 1

    def target(self, examples: Sequence[Example]) -> np.ndarray:
        return np.fromiter((example["label"] for example in examples), np.float32, len(examples))

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return F.mse_loss(logits[:, 0], inputs.targets["target"], reduction="sum")

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        # The shortest decimal that is the same fp32 number.
        values = [float(str(value)) for value in kept[:, 0].astype(np.float32)]
        return Predictions(dict(zip((example["id"] for example in examples), values, strict=True)), {}, {})


class Choice(Pooled):
    """One of several answers: cross-entropy over the (question, choice) inputs of a question (Jin et al., 2021)."""

    kind = "choice"

    @property
    def outputs(self) -> int:
        return 1

    def features(self, examples: Sequence[Example], tokenizer: PieceTokenizer) -> Features:
        choices = np.fromiter((len(example["choices"]) for example in examples), np.int64, len(examples))
        return pair_features(
            [example["question"] for example in examples for _ in example["choices"]],
            [choice for example in examples for choice in example["choices"]],
            tokenizer,
            self.recipe.length,
            np.concatenate([[0], choices.cumsum()]),
            {"target": self.target(examples)},
        )

    def target(self, examples: Sequence[Example]) -> np.ndarray:
        return np.fromiter((example["label"] for example in examples), np.int64, len(examples))

    def inputs(self, features: Features, units: np.ndarray, keys: np.ndarray | None = None) -> Inputs:
        inputs = super().inputs(features, units, keys)
        inputs.targets["cells"] = pad_index(features.units[units + 1] - features.units[units])
        return inputs

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return F.cross_entropy(pad(logits, inputs.targets["cells"])[..., 0], inputs.targets["target"], reduction="sum")

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        parts = np.split(kept[:, 0], features.units[1:-1])
        names = [example["id"] for example in examples]
        best = [int(part.argmax()) for part in parts]
        return Predictions(dict(zip(names, best, strict=True)), dict(zip(names, map(rounded, parts), strict=True)), {})
