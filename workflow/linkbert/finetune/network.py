"""An encoder under a new head, and the weights that every run of a job starts from."""

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from linkbert.finetune.features import PieceTokenizer
from linkbert.finetune.method import Inputs, Method
from linkbert.model.bert import BertEncoder, Pooler
from linkbert.model.config import ModelConfig
from linkbert.model.dropout import Dropout
from linkbert.model.precision import autocast
from linkbert.model.weights import load_encoder
from linkbert.rng import generator

# The head's place among those that dropout is drawn for; the encoder uses 0 to 4 times its layers.
HEAD = 1 << 20
log = logging.getLogger("linkbert.finetune")


class Network(nn.Module):
    """Encoder, pooler where the method wants it, dropout where it wants it, and a linear head."""

    def __init__(self, encoder: BertEncoder, pooler: Pooler, method: Method):
        super().__init__()
        self.encoder = encoder
        self.pooler = pooler if method.pooled else None
        self.drops = method.dropout
        self.head = nn.Linear(encoder.config.hidden_size, method.outputs)

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits [R, outputs] in fp32, for the rows of the inputs."""
        batch, rows = inputs.batch, inputs.rows
        hidden = self.encoder(batch, rows if inputs.everywhere else None)
        if rows is not None and not inputs.everywhere:
            hidden = hidden.index_select(0, rows)
        if self.pooler is not None:
            hidden = self.pooler(hidden)
        probability = self.encoder.config.dropout
        if self.drops and self.training and probability:
            sequences, positions = batch.sequence_of, batch.positions
            if rows is not None:
                sequences, positions = sequences[rows], positions[rows]
            hidden = Dropout.of(batch.keys, sequences, positions)(hidden, probability, HEAD)
        # bf16 would round the outputs that are scored: ties, and correlations of rounded numbers.
        with autocast(hidden.device, False):
            return self.head(hidden.float())


class Checkpoint:
    """A model's folder in memory: read once, and given fresh to every run."""

    def __init__(self, folder: Path, device: torch.device):
        self.folder, self.device = Path(folder), device
        encoder, pooler = load_encoder(folder)
        if pooler is None:
            log.warning("%s has no pooler: each run draws a fresh one by its seed", self.folder.name)
        self.fresh_pooler = pooler is None
        self.encoder, self.pooler = encoder.to(device), (pooler or Pooler(encoder.config)).to(device)
        self.tokenizer = PieceTokenizer(self.folder)
        self._parameters = [*self.encoder.parameters(), *self.pooler.parameters()]
        self._initial = [parameter.detach().clone() for parameter in self._parameters]

    @property
    def config(self) -> ModelConfig:
        """The shape of the model."""
        return self.encoder.config

    def network(self, method: Method, seed: int) -> Network:
        """The pretrained weights under a new head; networks of one checkpoint share memory, so one lives at a time."""
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self._initial)
        network = Network(self.encoder, self.pooler, method).to(self.device)
        self._draw(network.head, seed, "head", method.kind)
        if self.fresh_pooler:
            self._draw(self.pooler.dense, seed, "pooler")
        network.zero_grad(set_to_none=True)
        return network

    @torch.no_grad()
    def _draw(self, linear: nn.Linear, *names: str | int) -> None:
        """BERT's initialization, by seed and purpose."""
        draws = generator(*names).standard_normal(tuple(linear.weight.shape), "float32")
        linear.weight.copy_(torch.from_numpy(draws) * self.config.initializer_range)
        linear.bias.zero_()
