"""Extractive question answering: windows over the context, start and end logits, the best span over all windows."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from linkbert.finetune.features import Features, PieceTokenizer, WordPieces, distinct, ranges, with_specials
from linkbert.finetune.method import Inputs, Method, Predictions, pad, pad_index
from linkbert.finetune.tasks import Example

LONG_QUESTION = 64  # tokens kept of a question that would leave no room for windows, as in BERT's own script


def windows(
    questions: np.ndarray, contexts: np.ndarray, length: int, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut contexts [n] of tokens into windows beside questions [n] of tokens.

    Returns the question lengths used [n], and for each window its example, its first token in the context and its
    number of tokens. Equal to Hugging Face's ``only_second`` truncation with ``stride``: neighbours share `stride`
    tokens and the last window ends with the context. A question that leaves a window no longer than the overlap, where
    Hugging Face stops with an error, is cut to 64 tokens; should that not be enough, the overlap is halved to fit.
    """
    overflows = questions + contexts > length - 3
    tight = overflows & (length - 3 - questions <= stride)
    kept = np.where(tight, np.minimum(questions, min(LONG_QUESTION, length // 2)), questions)
    room = length - 3 - kept
    step = room - np.where(room > stride, stride, room // 2)
    count = np.where(overflows, 1 + np.maximum(0, -((room - contexts) // np.maximum(step, 1))), 1)
    example = np.repeat(np.arange(len(contexts)), count)
    first = step[example] * ranges(np.zeros(len(count), np.int64), count)
    return kept, example, first, np.minimum(room[example], contexts[example] - first)


class Span(Method):
    """A linear layer on every token: logits of start and end (Devlin et al., 2019)."""

    kind, pooled, dropout = "span", False, False

    @property
    def outputs(self) -> int:
        return 2

    def features(self, examples: Sequence[Example], tokenizer: PieceTokenizer) -> Features:
        n = len(examples)
        texts, index = distinct([*(one["question"] for one in examples), *(one["context"] for one in examples)])
        words = tokenizer.encode(texts, characters=True)
        starts, lengths = words.offsets[:-1][index], np.diff(words.offsets)[index]
        question, example, first, count = windows(lengths[:n], lengths[n:], self.recipe.length, self.recipe.stride)
        b_start = starts[n:][example] + first
        targets = _targets(examples, example, index[n:], words, b_start, count)
        targets["first"] = question[example] + 2
        for name in ("start", "end"):
            targets[name] = np.where(targets[name] < 0, 0, targets[name] + targets["first"])
        cut = int((question < lengths[:n]).sum())
        features = Features(
            with_specials(words.ids, tokenizer),
            starts[:n][example],
            question[example],
            b_start,
            count,
            np.arange(len(example) + 1),
            targets,
            {
                "windows": len(example),
                "windows_with_answer": int((targets["start"] > 0).sum()),
                **({"questions_cut": cut} if cut else {}),
            },
        )
        targets["characters"] = np.stack([words.starts, words.ends])
        targets["example"] = example
        return features

    def inputs(self, features: Features, units: np.ndarray, keys: np.ndarray | None = None) -> Inputs:
        batch = features.pack(units, None if keys is None else keys[units])
        chosen = {name: torch.from_numpy(features.targets[name][units]) for name in ("start", "end", "first")}
        return Inputs(batch, None, units, {"cells": pad_index(features.lengths[units]), **chosen})

    def loss(self, logits: Tensor, inputs: Inputs) -> Tensor:
        targets = inputs.targets
        whole = pad(logits, targets["cells"]).logsumexp(1)
        begin = inputs.batch.cls_rows.long()
        gold = logits[begin + targets["start"], 0] + logits[begin + targets["end"], 1]
        return (whole.sum() - gold.sum()) / 2

    def weight(self, features: Features, units: np.ndarray) -> int:
        return len(units)

    def keep(self, logits: Tensor, inputs: Inputs) -> Tensor:
        """The best span of each window: score, first and last token, as [B, 3]."""
        lengths = inputs.batch.cu_seqlens.diff().long()
        return best_spans(
            pad(logits, inputs.targets["cells"]),
            inputs.targets["first"],
            lengths - 1,
            self.recipe.n_best,
            self.recipe.max_answer_length,
        )

    def decode(self, kept: np.ndarray, features: Features, examples: Sequence[Example]) -> Predictions:
        example = features.targets["example"]
        # Windows of an example are neighbours; the first of equals wins, as in a stable sort.
        edges = np.flatnonzero(np.r_[True, example[1:] != example[:-1]])
        top = np.maximum.reduceat(kept[:, 0], edges)
        place = np.where(kept[:, 0] == top[example], np.arange(len(kept)), len(kept))
        window = np.minimum.reduceat(place, edges)
        base = features.b_start[window] - features.targets["first"][window]
        found = np.isfinite(top)
        pieces = np.where(found[:, None], base[:, None] + kept[window, 1:].astype(np.int64), 0)
        starts, ends = features.targets["characters"]
        values = {
            one["id"]: one["context"][starts[first] : ends[last]] if ok else ""
            for one, (first, last), ok in zip(examples, pieces, found, strict=True)
        }
        missing = int((~found).sum())
        return Predictions(values, {}, {"without_span": missing} if missing else {})


def best_spans(logits: Tensor, first: Tensor, last: Tensor, n_best: int, longest: int) -> Tensor:
    """The best span of each window, as the usual SQuAD post-processing finds it.

    The `n_best` starts and ends of largest logit over all tokens of a window are paired; a pair counts where both lie
    in the context, ``first <= start <= end < last``, and it has at most `longest` tokens. Of equals the one with the
    better start wins.

    Args:
        logits: fp32 [B, L, 2], -inf where padded.
        first, last: int64 [B], the context's range of tokens.

    Returns:
        [B, 3]: sum of the two logits, start, end; -inf where no pair counts.
    """
    n = min(n_best, logits.shape[1])
    (start_logit, end_logit), (start, end) = (
        torch.stack(parts) for parts in zip(*(logits[..., side].topk(n) for side in (0, 1)), strict=True)
    )
    start, end = start[:, :, None], end[:, None, :]
    first, last = first[:, None, None], last[:, None, None]
    allowed = (start >= first) & (end < last) & (end >= start) & (end - start < longest)
    score = (start_logit[:, :, None] + end_logit[:, None, :]).masked_fill(~allowed, -torch.inf).flatten(1)
    best, place = score.max(1)
    chosen_start = start.expand(-1, n, n).flatten(1).gather(1, place[:, None])[:, 0]
    chosen_end = end.expand(-1, n, n).flatten(1).gather(1, place[:, None])[:, 0]
    return torch.stack([best, chosen_start.to(best.dtype), chosen_end.to(best.dtype)], 1)


def _targets(
    examples: Sequence[Example],
    example: np.ndarray,
    contexts: np.ndarray,
    words: WordPieces,
    b_start: np.ndarray,
    count: np.ndarray,
) -> dict[str, np.ndarray]:
    """First and last piece of the answer, counted in each window; -1 where the window does not hold all of it.

    The first answer of an example is the one to learn. `contexts` [n] are the numbers of the contexts among the texts.
    """
    n = len(examples)
    answers = [one["answers"][0] if one["answers"] else None for one in examples]
    begin = np.fromiter((-1 if one is None else one["start"] for one in answers), np.int64, n)
    stop = begin + np.fromiter((0 if one is None else len(one["text"]) for one in answers), np.int64, n)
    # Texts stand one after the other, so (text, character) sorts all pieces and one search finds every answer.
    text = np.repeat(np.arange(len(words.offsets) - 1), np.diff(words.offsets)) << 32
    first_piece = np.searchsorted(text + words.starts, (contexts << 32) + begin, side="right") - 1
    last_piece = np.searchsorted(text + words.ends, (contexts << 32) + stop, side="left")
    b_last = b_start + count - 1
    inside = (begin[example] >= 0) & (count > 0)
    whole = inside.copy()
    whole[inside] &= words.starts[b_start[inside]] <= begin[example][inside]
    whole[inside] &= words.ends[b_last[inside]] >= stop[example][inside]
    return {
        name: np.where(whole, np.clip(piece[example], b_start, b_last) - b_start, -1)
        for name, piece in (("start", first_piece), ("end", last_piece))
    }
