"""Attention among the tokens of each sequence of a packed batch.

On CUDA in half precision this is variable-length flash attention. Elsewhere sequences of similar length are gathered
into padded blocks for `scaled_dot_product_attention`; both gathers have gathers as their gradients. That function's
dropout would tie results to the batch, so there dropout of attention weights is written out. The flash kernel draws its
dropout from a counter, which is set for each layer to the number of the batch's first sequence.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from linkbert.model.dropout import Dropout
from linkbert.model.packing import Block, Grouping, PackedBatch, group_sequences
from linkbert.model.rows import Rearrange
from linkbert.rng import key_of

# How far the counter of the flash kernel goes on for one head of one sequence.
FLASH_DRAWS = 32


class _Unpad(torch.autograd.Function):
    """The rows that lie in `cells` of x."""

    @staticmethod
    def forward(ctx, x: Tensor, cells: Tensor) -> Tensor:
        ctx.save_for_backward(cells)
        ctx.cells = len(x)
        return x.index_select(0, cells)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        whole = gradient.new_zeros(ctx.cells, gradient.shape[1])
        return whole.index_copy_(0, ctx.saved_tensors[0], gradient), None


class _Dropped(torch.autograd.Function):
    """Softmax attention [b, h, M, d] with given keep masks of its weights; few temporaries, as they cost more than the
    arithmetic on them."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None, keep: Tensor) -> Tensor:
        query = query / math.sqrt(query.shape[-1])
        scores = query @ key.transpose(2, 3)
        if valid is not None:
            scores.masked_fill_(~valid, float("-inf"))
        weights = torch._softmax(scores, -1, False)  # in its own type, also under autocast
        kept = torch.mul(weights, keep, out=scores)
        ctx.save_for_backward(query, key, value, weights, kept, keep)
        return kept @ value

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query, key, value, weights, kept, keep = ctx.saved_tensors
        d_value = kept.transpose(2, 3) @ gradient
        d_weights = (gradient @ value.transpose(2, 3)).mul_(keep)
        d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
        return (d_scores @ key).div_(math.sqrt(query.shape[-1])), d_scores.transpose(2, 3) @ query, d_value, None, None


class _FlashDropout(torch.autograd.Function):
    """PyTorch's flash kernel over packed sequences [T, h, d], with the dropout that `varlen_attn` does not hand on."""

    @staticmethod
    def forward(
        ctx, query: Tensor, key: Tensor, value: Tensor, cu_q: Tensor, cu_k: Tensor, longest: int, probability: float
    ) -> Tensor:
        context, normalizer, state, unused, _ = torch.ops.aten._flash_attention_forward(
            query, key, value, cu_q, cu_k, longest, longest, probability, False, False
        )
        ctx.save_for_backward(query, key, value, context, normalizer, cu_q, cu_k, state, unused)
        ctx.longest, ctx.probability = longest, probability
        return context

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None, None]:
        query, key, value, context, normalizer, cu_q, cu_k, state, unused = ctx.saved_tensors
        gradients = torch.ops.aten._flash_attention_backward(
            gradient.contiguous(),
            query,
            key,
            value,
            context,
            normalizer,
            cu_q,
            cu_k,
            ctx.longest,
            ctx.longest,
            ctx.probability,
            False,
            state,
            unused,
        )
        return *gradients, None, None, None, None


@dataclass
class Attention:
    """Attends within the sequences of one batch; made once for a forward pass and used by all layers.

    Args:
        heads: number of attention heads.
        dropout: of attention weights, and where from.
    """

    batch: PackedBatch
    heads: int
    probability: float = 0.0
    dropout: Dropout | None = None
    groupings: dict[bool, Grouping] = field(default_factory=dict)

    def __call__(self, projected: Tensor, queries: Tensor | None, rows: Tensor | None, site: int) -> Tensor:
        """Context [Q, H] of queries [Q, H] among the keys and values of all tokens.

        Args:
            projected: queries, keys and values [T, 3 H]; only keys and values [T, 2 H] where queries are given.
            rows: ascending packed rows [Q] of the given queries; None for all.
            site: the place in the model that dropout is drawn for.
        """
        size = projected.shape[1] // (3 if queries is None else 2)
        if self.batch.real is None and self.has_flash(projected):
            *own, keys, values = projected.split(size, dim=1)
            return self._flash(own[0] if queries is None else queries, keys, values, rows, site)
        if queries is None:
            queries, projected = projected.split((size, 2 * size), dim=1)
        return self._grouped(queries, projected, rows, site)

    @staticmethod
    def has_flash(x: Tensor) -> bool:
        """Whether there is a flash kernel for such a tensor."""
        return x.is_cuda and x.dtype in (torch.float16, torch.bfloat16)

    def _flash(self, queries: Tensor, keys: Tensor, values: Tensor, rows: Tensor | None, site: int) -> Tensor:
        width = queries.shape[1] // self.heads
        queries, keys, values = (part.view(-1, self.heads, width) for part in (queries, keys, values))
        cu_keys, longest = self.batch.cu_seqlens, self.batch.max_length
        cu_queries = cu_keys if rows is None else torch.searchsorted(rows, cu_keys.to(rows.dtype)).int()
        if self.probability:
            self._set_counter(queries.device, site)
            context = _FlashDropout.apply(queries, keys, values, cu_queries, cu_keys, longest, self.probability)
        else:
            from torch.nn.attention.varlen import varlen_attn

            context = varlen_attn(queries, keys, values, cu_queries, cu_keys, longest, longest)
        return context.reshape(len(context), -1)

    def _set_counter(self, device: torch.device, site: int) -> None:
        """Let the flash kernel draw what belongs to these sequences, in whatever batch they are."""
        if self.batch.seed is not None:
            generator = torch.cuda.default_generators[device.index]
            generator.manual_seed(key_of(self.batch.seed, "attention", site))
            generator.set_offset(self.batch.first * self.heads * FLASH_DRAWS)

    def _grouping(self, rows: Tensor | None) -> Grouping:
        subset = rows is not None
        if subset not in self.groupings:
            counts = None
            if rows is not None:
                ends = np.searchsorted(rows.cpu().numpy(), self.batch.lengths.cumsum())
                counts = np.diff(ends, prepend=0)
            self.groupings[subset] = group_sequences(
                self.batch.lengths, self.heads, counts, self.batch.tokens.device, self.batch.real
            )
        return self.groupings[subset]

    def _grouped(self, queries: Tensor, keys_values: Tensor, rows: Tensor | None, site: int) -> Tensor:
        grouping, hidden = self._grouping(rows), queries.shape[1]
        keys_values = Rearrange.apply(keys_values, grouping.key_rows, grouping.key_cells)
        queries = Rearrange.apply(queries, grouping.query_rows, grouping.query_cells)
        drop = None
        if self.probability and self.dropout is not None:
            drop = self.dropout if rows is None else self.dropout.rows(rows)
            drop = drop.rows(grouping.query_rows)
        # One split, not a slice for each block: its gradient is one concatenation.
        key_blocks = keys_values.split([block.sequences * block.keys for block in grouping.blocks])
        query_sizes = [block.sequences * block.queries for block in grouping.blocks]
        query_blocks, contexts, first = queries.split(query_sizes), [], 0
        for block, query, pair in zip(grouping.blocks, query_blocks, key_blocks, strict=True):
            shape = (block.sequences, -1, self.heads, hidden // self.heads)
            query = query.view(shape).transpose(1, 2)
            key, value = pair.view(*shape[:2], 2, *shape[2:]).permute(2, 0, 3, 1, 4).unbind(0)
            if drop is None:
                context = F.scaled_dot_product_attention(query, key, value, attn_mask=block.valid)
            else:
                some = drop.between(first, first + block.sequences * block.queries)
                context = self._explicit(query, key, value, block, some, site)
            contexts.append(context.transpose(1, 2).reshape(-1, hidden))
            first += block.sequences * block.queries
        return _Unpad.apply(torch.cat(contexts), grouping.query_cells)

    def _explicit(self, query: Tensor, key: Tensor, value: Tensor, block: Block, drop: Dropout, site: int) -> Tensor:
        """Attention of one block [b, h, M, d] with dropout of its weights."""
        keep = drop.mask(self.probability, site, block.keys, query, places=self.heads)
        keep = keep.view(block.sequences, block.queries, self.heads, block.keys).transpose(1, 2)
        return _Dropped.apply(query, key, value, block.valid, keep)
