"""Training only those word embeddings that the training set holds.

The row of a word that never occurs gets no gradient: Adam leaves it alone, and weight decay shrinks it by the same
factor as any other such row. So a run trains a smaller table, with the same result but for rounding, and saves the
optimizer a pass over the whole vocabulary in every step: most of a small model's parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from linkbert.finetune.features import Features
from linkbert.model.bert import BertEncoder


@contextmanager
def occurring_words(encoder: BertEncoder, features: Features, kept: float) -> Iterator[Features]:
    """Let the encoder hold the embeddings of the words in `features` alone, and give the features in their numbers.

    At the end of the block the encoder has its whole table again, with the trained rows in it. After an error it has
    the table of before.

    Args:
        kept: what weight decay leaves of the other rows at the end; 1 without any.
    """
    whole = encoder.words
    present = np.bincount(features.pieces, minlength=whole.num_embeddings) > 0
    numbers = (np.cumsum(present) - 1).astype(features.pieces.dtype)
    rows = torch.from_numpy(np.flatnonzero(present)).to(whole.weight.device)
    trained = nn.Embedding.from_pretrained(whole.weight.detach()[rows], freeze=False)
    encoder.words = trained
    try:
        yield replace(features, pieces=numbers[features.pieces])
    finally:
        encoder.words = whole
    with torch.no_grad():
        whole.weight.mul_(kept).index_copy_(0, rows, trained.weight)
