"""BERT over packed sequences: encoder, pooler and the heads of pretraining.

Equal to Hugging Face's `BertForPreTraining` in outputs and gradients, without padding, with the last layer and the
language-model head computed only where they are used.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linkbert.errors import UserError
from linkbert.model.attention import Attention
from linkbert.model.config import NEVER, ModelConfig
from linkbert.model.dropout import Dropout, Masks
from linkbert.model.packing import PackedBatch
from linkbert.model.precision import narrow, wide
from linkbert.model.rows import TakeRows

# Document relations in the order of `instances.npy`; NSP knows the first two.
RELATIONS = ("contiguous", "random", "linked")


def initialize(module: nn.Module, deviation: float) -> None:
    """BERT's initialization: normal weights, zero biases, identity norms."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=deviation)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
        if isinstance(part, nn.Linear | nn.LayerNorm) and part.bias is not None:
            nn.init.zeros_(part.bias)


class BertLayer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, config: ModelConfig, number: int):
        super().__init__()
        self.site = 4 * number + 1  # of attention's dropout; the two after it are this layer's too
        self.last = number == config.num_layers - 1  # heads may want its states in fp32
        size, eps = config.hidden_size, config.layer_norm_eps
        self.qkv = nn.Linear(size, 3 * size)
        self.output = nn.Linear(size, size)
        self.attention_norm = nn.LayerNorm(size, eps)
        self.up = nn.Linear(size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, size)
        self.output_norm = nn.LayerNorm(size, eps)

    def forward(self, hidden: Tensor, attention: Attention, masks: Masks | None, rows: Tensor | None) -> Tensor:
        """Hidden states [T, H] to [T, H], or to [Q, H] for the given ascending rows only.

        Args:
            masks: of dropout after attention and at the end; None for none.
        """
        if rows is None:
            context = attention(self.qkv(hidden), None, None, self.site)
        else:
            size = hidden.shape[1]
            weight, other_weight = narrow(self.qkv.weight).split((size, 2 * size))
            bias, other_bias = narrow(self.qkv.bias).split((size, 2 * size))
            keys_values = F.linear(hidden, other_weight, other_bias)
            hidden = TakeRows.apply(hidden, rows)
            masks = masks.rows(rows) if masks else None
            context = attention(keys_values, F.linear(hidden, weight, bias), rows, self.site)
        return self.finish(hidden, context, masks)

    def finish(self, hidden: Tensor, context: Tensor, masks: Masks | None) -> Tensor:
        """All that follows attention [Q, H], row by row: the part that the compiler takes (`compile_rows`)."""
        mixed = self.output(context)
        hidden = narrow(self.attention_norm(hidden + (masks(mixed, 0) if masks else wide(mixed))))
        mixed = self.down(F.gelu(self.up(hidden)))
        hidden = self.output_norm(hidden + (masks(mixed, 1) if masks else wide(mixed)))
        return hidden if self.last else narrow(hidden)


class BertEncoder(nn.Module):
    """Embeddings and layers."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.words = nn.Embedding(config.padded_vocab_size, size)
        self.positions = nn.Embedding(config.max_positions, size)
        self.segments = nn.Embedding(config.type_vocab_size, size)
        self.norm = nn.LayerNorm(size, config.layer_norm_eps)
        self.layers = nn.ModuleList(BertLayer(config, number) for number in range(config.num_layers))
        # Where dropout is drawn for, besides the weights of attention.
        self.sites = (0, *(site for layer in self.layers for site in (layer.site + 1, layer.site + 2)))
        initialize(self, config.initializer_range)
        with torch.no_grad():
            self.words.weight[config.vocab_size :] = 0

    def forward(self, batch: PackedBatch, rows: Tensor | None = None) -> Tensor:
        """Last hidden states [T, H] of all tokens, or [Q, H] of the given rows.

        Args:
            rows: ascending packed rows [Q]; the last layer is computed for them alone.

        Raises:
            UserError: for a sequence longer than the model's positions.
        """
        config = self.config
        if batch.max_length > config.max_positions:
            raise UserError(
                f"A sequence has {batch.max_length} tokens, the model {config.max_positions} positions; "
                "shorten the text."
            )
        drop = self._dropout(batch)
        attention_dropout = config.attention_dropout if self.training else 0.0
        attention = Attention(batch, config.num_heads, attention_dropout, drop)
        masks = drop.at(config.dropout, self.sites) if drop and config.dropout else None
        words, positions = self.words(batch.tokens), self.positions(batch.positions)
        hidden = self.begin(words, batch.segments, positions, masks.of(0) if masks else None)
        for number, layer in enumerate(self.layers, 1):
            own = masks.of(2 * number - 1, 2 * number) if masks else None
            hidden = layer(hidden, attention, own, rows if number == len(self.layers) else None)
        return hidden

    def begin(self, words: Tensor, segments: Tensor, positions: Tensor, masks: Masks | None) -> Tensor:
        """What follows the look-up of words and positions [T, H], row by row.

        Args:
            segments: their numbers [T]. They are few: a sum over rows is their gradient, and no table is looked up.
        """
        first, *others = self.segments.weight.unbind()
        added = first
        for number, other in enumerate(others, 1):
            added = torch.where((segments == number)[:, None], other, added)
        hidden = self.norm(words + added + positions)
        return narrow(masks(hidden, 0) if masks else hidden)

    def _dropout(self, batch: PackedBatch) -> Dropout | None:
        if not self.training or not (self.config.dropout or self.config.attention_dropout):
            return None
        keys = batch.keys
        if keys is None:
            keys = torch.randint(-(2**63), 2**63 - 1, (len(batch),)).to(batch.tokens.device)
        return Dropout.of(keys, batch.sequence_of, batch.positions)


class Pooler(nn.Module):
    """A dense layer and tanh on the state of [CLS]."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        initialize(self, config.initializer_range)

    def forward(self, states: Tensor) -> Tensor:
        """States of [CLS] [B, H] to [B, H]."""
        return torch.tanh(self.dense(states))


class LanguageModelHead(nn.Module):
    """Dense, GELU and norm; then logits by the word embeddings themselves."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        initialize(self, config.initializer_range)
        self.bias = nn.Parameter(torch.zeros(config.padded_vocab_size))
        with torch.no_grad():
            self.bias[config.vocab_size :] = NEVER

    def forward(self, states: Tensor) -> Tensor:
        """States [K, H] to what the word embeddings are multiplied with [K, H]."""
        return self.norm(F.gelu(self.dense(states)))


class BertForPreTraining(nn.Module):
    """Encoder, pooler, language-model head tied to the embeddings, and document relations.

    Args:
        relations: 3 for document relation prediction, 2 for next sentence prediction.
    """

    def __init__(self, config: ModelConfig, relations: int = len(RELATIONS)):
        super().__init__()
        self.config = config
        self.encoder = BertEncoder(config)
        self.pooler = Pooler(config)
        self.mlm = LanguageModelHead(config)
        self.relation = nn.Linear(config.hidden_size, relations)
        initialize(self.relation, config.initializer_range)

    def logits(self, states: Tensor) -> Tensor:
        """Logits over the padded vocabulary [K, V'] of states [K, H]."""
        return F.linear(self.mlm(states), self.encoder.words.weight, self.mlm.bias)

    def relation_logits(self, states: Tensor) -> Tensor:
        """Logits of relations [B, 2 or 3] of the states of [CLS] [B, H]."""
        return self.relation(self.pooler(states))


def compile_rows(encoder: BertEncoder, backend: str = "inductor") -> None:
    """Let PyTorch's compiler take what is computed row by row, between the look-ups and the attention kernels.

    These parts are whole graphs without a break, and one graph serves all layers but the last: what differs between
    layers reaches them as tensors. The compiler would otherwise make a graph for each, and none beyond its eighth.
    """
    # Training or not, the last layer or not, few rows or many: the compiler's limit of 8 versions is too near.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 32)
    settings: dict[str, Any] = {"dynamic": True, "fullgraph": True, "backend": backend}
    encoder.begin = torch.compile(encoder.begin, **settings)  # type: ignore[method-assign]
    for layer in encoder.layers:
        layer.finish = torch.compile(layer.finish, **settings)
