"""Held-out evaluation: the same instances and masks for every model that shares corpus and tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from linkbert.model.bert import RELATIONS, BertForPreTraining
from linkbert.pretraining.data import Rows, Source, assemble, micro_batches
from linkbert.pretraining.distributed import World
from linkbert.pretraining.masking import Masking, Vocabulary

# Rows of logits alive at once.
ROWS = 1024


@dataclass(frozen=True)
class Heldout:
    """What is evaluated on. Masks are BERT's whatever the training's are, so that losses compare between models."""

    sources: Sequence[Source]
    rows: Rows
    vocabulary: Vocabulary
    identity: str = ""  # of the instances; an evaluation on others is not this one
    masking: Masking = field(default_factory=Masking)


def ratio(totals: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    """The ratio of two sums over instances [n] with its standard error, instances being the independent draws."""
    number = counts.sum()
    if not number:
        return {"value": None, "error": None, "count": 0}
    value = totals.sum() / number
    error = np.sqrt(((totals - value * counts) ** 2).sum()) / number
    return {"value": float(value), "error": float(error), "count": int(number)}


def measure(
    model: BertForPreTraining, heldout: Heldout, tokens: int, device: torch.device, world: World
) -> torch.Tensor:
    """Sums of loss, hits and hidden tokens, and the predicted relation, of each instance: fp64 [4, instances].

    Instances of other ranks are 0: the sum over ranks is the whole.

    Args:
        tokens: of a batch, at most.
    """
    rows = heldout.rows
    result = np.zeros((4, len(rows)))
    order = np.argsort(-rows.lengths, kind="stable")[world.rank :: world.size]
    done = 0
    training = model.training
    model.eval()
    with torch.no_grad():
        for part in micro_batches(rows.take(order), tokens):
            which = order[done : done + len(part)]
            done += len(which)
            micro = assemble(part, heldout.sources, heldout.vocabulary, heldout.masking)
            owner = micro.batch.sequence_of[micro.rows[micro.hidden]].numpy()
            micro = micro.to(device)
            states = model.encoder(micro.batch, micro.rows)
            hidden = model.mlm(states.index_select(0, micro.hidden))
            loss, hit = [], []
            for some, label in zip(hidden.split(ROWS), micro.labels.split(ROWS), strict=True):
                logits = F.linear(some, model.encoder.words.weight, model.mlm.bias).float()
                loss.append(F.cross_entropy(logits, label, reduction="none"))
                hit.append(logits.argmax(1) == label)
            size = len(which)
            for line, values in ((0, torch.cat(loss)), (1, torch.cat(hit))):
                result[line, which] = np.bincount(owner, values.double().cpu().numpy(), minlength=size)
            result[2, which] = np.bincount(owner, minlength=size)
            result[3, which] = model.relation_logits(states.index_select(0, micro.cls)).argmax(1).cpu().numpy()
    model.train(training)
    return torch.from_numpy(result).to(device)


def summarize(result: np.ndarray, rows: Rows, relations: int) -> dict[str, Any]:
    """Losses and accuracies with standard errors, from what `measure` gave.

    ``mlm`` and ``mlm_by_relation`` hold the mean loss and the accuracy over hidden tokens; ``relation`` the accuracy
    and ``confusion[true][predicted]`` over the relations that the objective tells apart (NSP does not see linked).

    Args:
        relations: 3, 2, or 0 without relations.
    """
    loss, hits, counts, predicted = result

    def language(chosen: np.ndarray) -> dict[str, Any]:
        return {
            "loss": ratio(loss[chosen], counts[chosen]),
            "accuracy": ratio(hits[chosen], counts[chosen]),
            "instances": int(chosen.sum()),
        }

    report: dict[str, Any] = {
        "mlm": language(np.ones(len(loss), bool)),
        "mlm_by_relation": {name: language(rows.relation == number) for number, name in enumerate(RELATIONS)},
    }
    if relations:
        seen = rows.relation < relations
        correct = (predicted == rows.relation)[seen].astype(float)
        confusion = np.zeros((relations, relations), np.int64)
        np.add.at(confusion, (rows.relation[seen], predicted[seen].astype(np.int64)), 1)
        report["relation"] = {"accuracy": ratio(correct, np.ones(len(correct))), "confusion": confusion.tolist()}
    return report
