"""Look-ups of rows whose gradients are look-ups too; PyTorch's are sums, and may sort."""

import torch
from torch import Tensor


class Rearrange(torch.autograd.Function):
    """Rows of x [N, H] laid out as `rows` [M] says. Row n's own place is ``back[n]`` [N], which alone passes a gradient
    back: other places are padding that repeats some row."""

    @staticmethod
    def forward(ctx, x: Tensor, rows: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, ctx.saved_tensors[0]), None, None


class TakeRows(torch.autograd.Function):
    """Distinct rows [Q] of x [N, H], ascending."""

    @staticmethod
    def forward(ctx, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.total = len(x)
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        taken = rows.new_zeros(ctx.total).index_fill_(0, rows, 1)
        place = taken.cumsum(0) * taken  # from 1 on; at 0 stands a row of zeros
        return torch.cat([gradient.new_zeros(1, gradient.shape[1]), gradient]).index_select(0, place), None
