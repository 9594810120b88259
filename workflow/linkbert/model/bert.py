"""BERT over packed sequences: encoder, pooler and the heads of pretraining.

Equal to Hugging Face's `BertForPreTraining` in outputs and gradients, without padding, with the last layer and the
language-model head computed only where they are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linkbert.errors import UserError, unknown
from linkbert.model.attention import Attention
from linkbert.model.dropout import Dropout, Masks
from linkbert.model.packing import PackedBatch

# Logit bias of padding words: their probability is exactly 0 in fp32 and bf16.
NEVER = -1e4
# Document relations in the order of `instances.npy`; NSP knows the first two.
RELATIONS = ("contiguous", "random", "linked")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a BERT."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_positions: int = 512
    type_vocab_size: int = 2
    dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    # Words are padded to a multiple of this inside the model: matrix units like it, files never see it.
    vocabulary_multiple: int = 64

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_heads:
            raise UserError(
                f"model: hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}; "
                "choose sizes where it is."
            )

    @property
    def padded_vocab_size(self) -> int:
        """Words inside the model."""
        return -(-self.vocab_size // self.vocabulary_multiple) * self.vocabulary_multiple

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> "ModelConfig":
        """From the content of a Hugging Face `config.json` of type `bert`.

        Raises:
            UserError: for another architecture, activation or kind of positions.
        """
        for key, wanted in (("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
            if config.get(key, wanted) != wanted:
                raise unknown("config.json", key, config[key], [wanted])
        try:
            return cls(
                config["vocab_size"],
                config["hidden_size"],
                config["num_hidden_layers"],
                config["num_attention_heads"],
                config["intermediate_size"],
                config.get("max_position_embeddings", 512),
                config.get("type_vocab_size", 2),
                config.get("hidden_dropout_prob", 0.1),
                config.get("attention_probs_dropout_prob", 0.1),
                config.get("layer_norm_eps", 1e-12),
                config.get("initializer_range", 0.02),
            )
        except KeyError as missing:
            raise UserError(f"config.json: the key {missing} is missing; it is no BERT configuration.") from None

    def to_hf(self) -> dict[str, Any]:
        """The content of a Hugging Face `config.json`."""
        return {
            "model_type": "bert",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_positions,
            "type_vocab_size": self.type_vocab_size,
            "hidden_act": "gelu",
            "position_embedding_type": "absolute",
            "hidden_dropout_prob": self.dropout,
            "attention_probs_dropout_prob": self.attention_dropout,
            "layer_norm_eps": self.layer_norm_eps,
            "initializer_range": self.initializer_range,
            "pad_token_id": 0,
        }


def initialize(module: nn.Module, deviation: float) -> None:
    """BERT's initialization: normal weights, zero biases, identity norms."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=deviation)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
        if isinstance(part, nn.Linear | nn.LayerNorm) and part.bias is not None:
            nn.init.zeros_(part.bias)


class _FewRows(torch.autograd.Function):
    """A look-up [T, H] in a table of few rows. Its gradient is a product: summing up how often each row was taken, one
    term after another, takes a GPU as long as a layer."""

    @staticmethod
    def forward(ctx, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows = len(table)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        taken = torch.arange(ctx.rows, device=gradient.device)[:, None] == ctx.saved_tensors[0]
        return taken.to(gradient.dtype) @ gradient, None


class BertLayer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, config: ModelConfig, number: int):
        super().__init__()
        self.site = 4 * number + 1  # of attention's dropout; the two after it are this layer's too
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
        size = hidden.shape[1]
        if rows is None:
            queries, keys_values = self.qkv(hidden).split((size, 2 * size), dim=1)
        else:
            keys_values = F.linear(hidden, self.qkv.weight[size:], self.qkv.bias[size:])
            hidden = hidden.index_select(0, rows)
            queries = F.linear(hidden, self.qkv.weight[:size], self.qkv.bias[:size])
            masks = masks.rows(rows) if masks else None
        return self.finish(hidden, attention(queries, keys_values, rows, self.site), masks)

    def finish(self, hidden: Tensor, context: Tensor, masks: Masks | None) -> Tensor:
        """All that follows attention [Q, H], row by row: the part that the compiler takes (`compile_rows`)."""
        mixed = self.output(context)
        hidden = self.attention_norm(hidden + (masks(mixed, 0) if masks else mixed))
        mixed = self.down(F.gelu(self.up(hidden)))
        return self.output_norm(hidden + (masks(mixed, 1) if masks else mixed))


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
        segments = _FewRows.apply(self.segments.weight, batch.segments)
        parts = (self.words(batch.tokens), segments, self.positions(batch.positions))
        hidden = self.begin(*parts, masks.of(0) if masks else None)
        for number, layer in enumerate(self.layers, 1):
            own = masks.of(2 * number - 1, 2 * number) if masks else None
            hidden = layer(hidden, attention, own, rows if number == len(self.layers) else None)
        return hidden

    def begin(self, words: Tensor, segments: Tensor, positions: Tensor, masks: Masks | None) -> Tensor:
        """What follows the look-up of embeddings [T, H], row by row."""
        hidden = self.norm(words + segments + positions)
        return masks(hidden, 0) if masks else hidden

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

    These parts are whole graphs without a break, and one graph serves all layers: what differs between layers reaches
    them as tensors. The compiler would otherwise make a graph for each layer, and none beyond its eighth.
    """
    settings: dict[str, Any] = {"dynamic": True, "fullgraph": True, "backend": backend}
    encoder.begin = torch.compile(encoder.begin, **settings)  # type: ignore[method-assign]
    for layer in encoder.layers:
        layer.finish = torch.compile(layer.finish, **settings)


def load_encoder(folder: str | Path, **overrides: float) -> tuple[BertEncoder, Pooler | None]:
    """Encoder and pooler from a Hugging Face folder of a BERT (safetensors or PyTorch file, any of its usual names).

    The pooler is None where the folder holds none: some models are released without.

    Args:
        overrides: fields of `ModelConfig`, e.g. ``dropout=0.0``.

    Raises:
        UserError: for a missing file, a missing tensor or one of another shape.
    """
    from linkbert.model.weights import load_into, read_config, read_weights

    config = replace(read_config(folder), **overrides)
    weights = read_weights(folder)
    encoder = BertEncoder(config)
    load_into(encoder, weights, "encoder.", str(folder))
    if not any(name.startswith("pooler.") for name in weights):
        return encoder, None
    pooler = Pooler(config)
    load_into(pooler, weights, "pooler.", str(folder))
    return encoder, pooler
