"""Sequence tagging: the first word piece of each word carries its tag."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from linkbert.finetune.features import NONE, Features, PieceTokenizer, distinct, ranges, with_specials
from linkbert.finetune.method import Inputs, Method, Predictions
from linkbert.finetune.tasks import Example

NO_PIECE = -1


class Tagging(Method):
    """Dropout and a linear layer on the first piece of each word; words beyond `length` get no prediction.

    A sentence that is cut has fewer predicted tags than tokens. A word without any piece, e.g. a lone control
    character, is predicted as ``O`` (the first label where there is no ``O``), so that tags stay in step with tokens.
    """

    kind, pooled, dropout = "tagging", False, True

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def features(self, examples: Sequence[Example], tokenizer: PieceTokenizer) -> Features:
        n = len(examples)
        vocabulary, word = distinct(token for example in examples for token in example["tokens"])
        words = tokenizer.encode(vocabulary)
        pieces = np.diff(words.offsets)[word]
        sentences = np.concatenate([[0], np.cumsum([len(example["tokens"]) for example in examples])])
        before = np.concatenate([[0], pieces.cumsum()])  # pieces before each word
        starts = before[sentences]
        kept = np.minimum(np.diff(starts), self.recipe.length - 2)
        place = before[:-1] - np.repeat(starts[:-1], np.diff(sentences))
        seen = (place < np.repeat(kept, np.diff(sentences))) & (pieces > 0)
        number = np.where(pieces > 0, np.where(seen, np.cumsum(seen) - 1, NO_PIECE), NO_PIECE)
        tags = np.fromiter((self.numbers[tag] for example in examples for tag in example["tags"]), np.int64, len(word))
        sentence = np.repeat(np.arange(n), np.diff(sentences))
        cut, empty = int((~seen & (pieces > 0)).sum()), int((pieces == 0).sum())
        return Features(
            with_specials(words.ids[ranges(words.offsets[:-1][word], pieces)], tokenizer),
            starts[:-1],
            kept,
            starts[:-1],
            np.full(n, NONE),
            np.arange(n + 1),
            {
                "place": 1 + place[seen],  # in its input, after [CLS]
                "tag": tags[seen],
                "words": np.concatenate([[0], np.cumsum(np.bincount(sentence[seen], minlength=n))]),
                "number": number,
                "empty": pieces == 0,
                "sentences": sentences,
            },
            {
                **({"words_cut": cut} if cut else {}),
                **({"words_without_pieces": empty} if empty else {}),
            },
        )

    def inputs(self, features: Features, units: np.ndarray, keys: np.ndarray | None = None) -> Inputs:
        batch = features.pack(units, None if keys is None else keys[units])
        offsets = features.targets["words"]
        counts = offsets[units + 1] - offsets[units]
        words = ranges(offsets[units], counts)
        begins = features.lengths[units].cumsum() - features.lengths[units]
        rows = np.repeat(begins, counts) + features.targets["place"][words]
        tags = torch.from_numpy(features.targets["tag"][words])
        return Inputs(batch, torch.from_numpy(rows), words, {"tag": tags}, everywhere=bool(counts.all()))

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return F.cross_entropy(logits, inputs.targets["tag"], reduction="sum")

    def weight(self, features: Features, units: np.ndarray) -> int:
        offsets = features.targets["words"]
        return max(1, int((offsets[units + 1] - offsets[units]).sum()))

    def keep(self, logits: Tensor, inputs: Inputs) -> Tensor:
        return logits.argmax(1, keepdim=True)

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        targets = features.targets
        outside = self.numbers.get("O", 0)
        tags = np.full(len(targets["number"]), NO_PIECE)
        seen = targets["number"] != NO_PIECE
        tags[seen] = kept[targets["number"][seen], 0]
        tags[targets["empty"]] = outside
        values = {}
        for example, first, last in zip(examples, targets["sentences"][:-1], targets["sentences"][1:], strict=True):
            row = tags[first:last]
            lost = np.flatnonzero(row == NO_PIECE)
            end = lost[0] if len(lost) else len(row)
            values[example["id"]] = [self.labels[tag] for tag in row[:end]]
        return Predictions(values, {}, {})
