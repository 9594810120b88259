import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkbert.errors import UserError
from linkbert.model.attention import Attention
from linkbert.model.dropout import Dropout
from linkbert.model.packing import group_sequences, pack, pack_arrays


def test_pack_concatenates():
    batch = pack([[2, 7, 3], [2, 9]], [[0, 0, 1], [0, 1]])
    assert batch.tokens.tolist() == [2, 7, 3, 2, 9]
    assert batch.segments.tolist() == [0, 0, 1, 0, 1]
    assert batch.positions.tolist() == [0, 1, 2, 0, 1]
    assert batch.cu_seqlens.tolist() == [0, 3, 5]
    assert batch.cu_seqlens.dtype == torch.int32
    assert batch.cls_rows.tolist() == [0, 3]
    assert batch.sequence_of.tolist() == [0, 0, 0, 1, 1]
    assert (batch.max_length, len(batch)) == (3, 2)
    assert pack([[5]]).segments.tolist() == [0]


def test_pack_refuses():
    for wrong in ([], [[1], []]):
        with pytest.raises(UserError, match="at least one"):
            pack(wrong)
    with pytest.raises(UserError, match="one segment number"):
        pack([[1, 2]], [[0]])


def test_padded_form_keeps_every_token():
    batch = pack([[2, 7, 3], [2, 9]], [[0, 0, 1], [0, 1]])
    wide, rows = batch.padded(4)
    assert wide.tokens.view(2, 4).tolist() == [[2, 7, 3, 0], [2, 9, 0, 0]]
    assert torch.equal(wide.tokens[rows], batch.tokens)
    assert torch.equal(wide.segments[rows], batch.segments)
    assert torch.equal(wide.positions[rows], batch.positions)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.integers(0, 1000))
def test_groups_hold_every_row_once(lengths, seed):
    lengths = np.array(lengths)
    counts = np.random.default_rng(seed).integers(0, lengths + 1)
    grouping = group_sequences(lengths, 3, counts)
    for rows, cells, number in (
        (grouping.key_rows, grouping.key_cells, lengths.sum()),
        (grouping.query_rows, grouping.query_cells, counts.sum()),
    ):
        assert torch.equal(rows[cells], torch.arange(number))
        assert len(cells.unique()) == number
    assert sum(block.sequences for block in grouping.blocks) == len(lengths)
    assert sum(block.sequences * block.keys for block in grouping.blocks) == len(grouping.key_rows)
    # Padding stays small: no sequence shares a block with one much longer.
    assert lengths.sum() >= 0.85 * len(grouping.key_rows)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(0, 1000), st.booleans(), st.booleans())
def test_attention_equals_attention_sequence_by_sequence(lengths, seed, subset, dropout):
    generator = torch.Generator().manual_seed(seed)
    total, heads, size = sum(lengths), 2, 8
    batch = pack_arrays(np.zeros(total), np.zeros(total), np.array(lengths))
    queries = torch.randn(total, size, generator=generator)
    pairs = torch.randn(total, 2 * size, generator=generator, requires_grad=True)
    rows = torch.rand(total, generator=generator).lt(0.4).nonzero()[:, 0] if subset else None
    chosen = (queries if rows is None else queries[rows]).requires_grad_()
    if subset and not len(rows):
        return
    probability = 0.3 if dropout else 0.0
    drop = Dropout.of(torch.arange(len(lengths)) + seed, batch.sequence_of, batch.positions)
    got = Attention(batch, heads, probability, drop)(pairs, chosen, rows, 5)
    wanted, first = [], 0
    for length in lengths:
        end = first + length
        inside = torch.arange(total) if rows is None else rows
        inside = (inside >= first) & (inside < end)
        query = chosen[inside].view(1, -1, heads, 4).transpose(1, 2)
        key, value = pairs[first:end].view(1, length, 2, heads, 4).permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(2, 3) / 2).softmax(-1)
        if dropout:
            mine = drop.rows((torch.arange(total) if rows is None else rows)[inside])
            weights = weights * mine.mask(probability, 5, length, weights, heads).view(-1, heads, length).transpose(
                0, 1
            )
        context = weights @ value
        wanted.append(context.transpose(1, 2).reshape(-1, size))
        first = end
    wanted = torch.cat(wanted)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    gradient = torch.randn(got.shape, generator=generator)
    mine = torch.autograd.grad(got, (chosen, pairs), gradient)
    theirs = torch.autograd.grad(wanted, (chosen, pairs), gradient)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
