"""The training objective of one micro-batch: masked language modeling plus document relations (paper, equation 1)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from linkbert.model.bert import BertForPreTraining
from linkbert.model.rows import Rearrange
from linkbert.pretraining.data import MicroBatch
from linkbert.pretraining.loss import CHUNK, cross_entropy_sum


@dataclass(frozen=True)
class Techniques:
    """What makes training fast without changing its result; each can be switched off to measure it."""

    packed: bool = True  # no padding
    masked_only: bool = True  # vocabulary logits of hidden positions only
    last_layer_subset: bool = True  # last layer at hidden positions and [CLS] only
    chunked_loss: bool = True  # cross-entropy without the whole matrix of logits
    padded_vocabulary: bool = True  # a multiple of 64 words inside
    fused_optimizer: bool = True  # AdamW in one kernel
    prefetch: bool = True  # batches made by a thread beside the training
    compiled: bool = True  # one kernel for what is computed row by row, where the recipe has it compiled


def losses(
    model: BertForPreTraining, micro: MicroBatch, techniques: Techniques, relations: bool, width: int = 512
) -> tuple[Tensor, Tensor]:
    """Sums over a micro-batch: cross-entropy of hidden tokens, and of relations (0 where not `relations`).

    Args:
        width: length of padded sequences where not `techniques.packed`.
    """
    batch, rows = micro.batch, micro.rows
    cells = None
    if not techniques.packed:
        batch, cells = batch.padded(width)
        rows = cells[rows]
    if techniques.last_layer_subset and techniques.masked_only:
        states = model.encoder(batch, rows)
        everywhere = None
    else:
        everywhere = model.encoder(batch)
        states = everywhere.index_select(0, rows)
    cls, chosen = Rearrange.apply(states, micro.places, micro.order).split((len(batch), len(micro.labels)))
    head, words = model.mlm, model.encoder.words.weight
    if techniques.masked_only:
        kind = states.device.type
        chunk = CHUNK.get(kind, CHUNK["cuda"]) if techniques.chunked_loss else None
        half = torch.is_autocast_enabled(kind)
        mlm = cross_entropy_sum(head(chosen), words, head.bias, micro.labels, chunk, half, techniques.compiled)
    else:
        labels = torch.full((len(batch.tokens),), -100, device=states.device)
        labels[rows[micro.hidden]] = micro.labels
        mlm = F.cross_entropy(F.linear(head(everywhere), words, head.bias).float(), labels, reduction="sum")
    if not relations:
        return mlm, mlm.new_zeros(())
    logits = model.relation_logits(cls)
    return mlm, F.cross_entropy(logits.float(), micro.relations, reduction="sum")
