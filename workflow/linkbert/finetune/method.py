"""What a kind of task has to define to be fine-tuned: its inputs, its loss, and how logits become predictions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from linkbert.finetune.features import Features, PieceTokenizer
from linkbert.finetune.recipe import Recipe
from linkbert.finetune.tasks import Example
from linkbert.model.packing import PackedBatch


@dataclass
class Inputs:
    """A packed micro-batch and what its kind's loss and decoding need."""

    batch: PackedBatch
    rows: Tensor | None  # int64 [R], the tokens that the head sees; None for all
    index: np.ndarray  # int64, where each kept output belongs among those of the whole split
    targets: dict[str, Tensor]
    everywhere: bool = True  # each sequence has at least one of the rows

    def to(self, device: torch.device) -> "Inputs":
        """The same on another device; to a GPU from page-locked memory, so that the host does not wait for the copy."""
        if device.type == "cpu":
            return self

        def move(tensor: Tensor) -> Tensor:
            return tensor.pin_memory().to(device, non_blocking=True)

        rows = None if self.rows is None else move(self.rows)
        targets = {name: move(target) for name, target in self.targets.items()}
        return replace(self, batch=self.batch.each(move), rows=rows, targets=targets)


@dataclass
class Predictions:
    """What a model says of each example, by id: the value that is scored, and small raw outputs behind it."""

    values: dict[str, Any]
    scores: dict[str, Any]
    counts: dict[str, int]


class Method(ABC):
    """The fine-tuning method of one kind of task, for one set of labels and one recipe."""

    kind: ClassVar[str]
    pooled: ClassVar[bool]  # the head sees the pooled [CLS], not tokens
    dropout: ClassVar[bool]  # the head drops elements of what it sees

    def __init__(self, labels: Sequence[str], recipe: Recipe):
        self.recipe = recipe
        self.labels = list(labels)
        self.numbers = {label: number for number, label in enumerate(self.labels)}

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width of the head."""

    @abstractmethod
    def features(self, examples: Sequence[Example], tokenizer: PieceTokenizer) -> Features:
        """The inputs of a split."""

    @abstractmethod
    def inputs(self, features: Features, units: np.ndarray, keys: np.ndarray | None = None) -> Inputs:
        """The micro-batch of some units; `keys` [rows of the split] are what dropout is drawn from."""

    @abstractmethod
    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        """The summed loss of a micro-batch, from fp32 logits [R, outputs]."""

    @abstractmethod
    def weight(self, features: Features, units: np.ndarray) -> int:
        """What the summed loss of these units is divided by."""

    @abstractmethod
    def keep(self, logits: Tensor, inputs: Inputs) -> Tensor:
        """What evaluation keeps of fp32 logits [R, outputs], a row for each entry of ``inputs.index``."""

    @abstractmethod
    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        """Predictions from the kept outputs of a whole split, in the order of the split."""


def pad_index(lengths: np.ndarray) -> Tensor:
    """For each cell of a padded block [B, longest], its place in the packed array, whose length stands for padding."""
    column = np.arange(lengths.max())
    place = (lengths.cumsum() - lengths)[:, None] + column
    return torch.from_numpy(np.where(column < lengths[:, None], place, lengths.sum()))


def pad(values: Tensor, index: Tensor) -> Tensor:
    """Packed values [T, k] as a block [B, longest, k] by `pad_index`; padding is -inf."""
    filler = values.new_full((1, values.shape[1]), -torch.inf)
    return torch.cat([values, filler])[index]


def rounded(values: np.ndarray) -> list[float] | list[list[float]]:
    """Raw outputs as JSON numbers of four significant digits, which is what bf16 carries and more."""
    return [[float(f"{x:.4g}") for x in row] if np.ndim(row) else float(f"{row:.4g}") for row in values]
