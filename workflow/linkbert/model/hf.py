"""The trained model in Hugging Face's classes, with the whole three-way head."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.models.bert.modeling_bert import BertLMPredictionHead
from transformers.utils import ModelOutput

from linkbert.model.bert import RELATIONS


@dataclass
class LinkBertOutput(ModelOutput):
    """Loss and logits of pretraining."""

    loss: Tensor | None = None
    prediction_logits: Tensor | None = None  # [b, L, V]
    relation_logits: Tensor | None = None  # [b, 3]


class LinkBertHeads(nn.Module):
    """Language-model head, and document relations."""

    def __init__(self, config: BertConfig):
        super().__init__()
        self.predictions = BertLMPredictionHead(config)
        self.document_relation = nn.Linear(config.hidden_size, len(RELATIONS))


class LinkBertForPreTraining(BertPreTrainedModel):
    """`BertForPreTraining` whose second head tells contiguous, random and linked segments apart.

    Loads the folders of this project: ``LinkBertForPreTraining.from_pretrained(folder)``.
    """

    _tied_weights_keys = {  # noqa: RUF012 (the library's own convention)
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    _keys_to_ignore_on_load_unexpected = [r"cls\.seq_relationship"]  # noqa: RUF012

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = BertModel(config)
        self.cls = LinkBertHeads(config)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        """The layer that is tied to the word embeddings."""
        return self.cls.predictions.decoder

    def set_output_embeddings(self, embeddings: nn.Linear) -> None:
        """Replace the output layer, as when words are added."""
        self.cls.predictions.decoder = embeddings
        self.cls.predictions.bias = embeddings.bias

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        relation_labels: Tensor | None = None,
    ) -> LinkBertOutput:
        """Logits, and the sum of both mean cross-entropies where both labels are given (-100 is not a label)."""
        output = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        words = self.cls.predictions(output.last_hidden_state)
        relations = self.cls.document_relation(output.pooler_output)
        loss = None
        if labels is not None and relation_labels is not None:
            loss = F.cross_entropy(words.flatten(0, 1), torch.flatten(labels)) + F.cross_entropy(
                relations, relation_labels
            )
        return LinkBertOutput(loss, words, relations)
