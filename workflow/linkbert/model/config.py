"""The shape of a BERT, and how Hugging Face writes it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linkbert.errors import UserError, unknown

# Logit bias of padding words: their probability is exactly 0 in fp32 and bf16.
NEVER = -1e4


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
