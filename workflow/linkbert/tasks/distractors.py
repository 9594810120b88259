"""Other documents before or after the context of a question (section 5.4: SQuAD with distractors).

The paper adds "1-2 distracting documents" to each question and says no more. Here: how many is drawn uniformly; they
are other contexts of the same split that do not hold a gold answer's words; each goes before or after with equal
chance; a blank line stands between documents; answers move with their context. Train, dev and test are all modified.
"""

from collections.abc import Sequence

import numpy as np

from linkbert.errors import UserError
from linkbert.rng import key_of, uniform
from linkbert.tasks.base import Dataset, Example, Source

GAP = "\n\n"
TRIES = 32  # draws for a question; an answer such as "a" is in every context


def add_distractors(source: Source, dataset: Dataset, numbers: Sequence[int]) -> None:
    """Add one of `numbers` distractors to every question; the draw for a question depends on its id and the pool.

    Where too few contexts without the answer are met, contexts with it fill up, and their number is a warning.
    """
    if dataset.kind != "span":
        raise UserError(f"{source.task}: option distractors is for tasks of kind 'span', not '{dataset.kind}'.")
    if not numbers or not all(isinstance(number, int) and number > 0 for number in numbers):
        raise UserError(f"{source.task}: option distractors is {numbers}; it must list whole numbers, such as [1, 2].")
    for split, examples in dataset.splits.items():
        pool = list(dict.fromkeys(example["context"] for example in examples))
        if len(pool) <= max(numbers):
            raise UserError(f"{source.task}, {split}: {len(pool)} contexts are too few for {max(numbers)} distractors.")
        lowered = [context.lower() for context in pool]
        place = {context: number for number, context in enumerate(pool)}
        holding = 0
        for example in examples:
            draw = uniform(
                key_of(source.seed, "distractors", split, example["id"]), np.arange(1 + max(numbers) + TRIES)
            )
            number = numbers[int(draw[0] * len(numbers))]
            sides, draw = draw[1 : 1 + number] < 0.5, draw[1 + max(numbers) :]
            chosen, without = _choose(lowered, place[example["context"]], example["golds"], number, draw)
            holding += number - without
            _join(example, [pool[one] for one in chosen], sides)
        if holding:
            source.warn(f"{split}: {holding} distractors hold the answer's words: too few contexts do not")


def _choose(
    lowered: Sequence[str], own: int, golds: Sequence[str], number: int, draw: np.ndarray
) -> tuple[list[int], int]:
    """Places in the pool, and how many of them hold no gold answer (those come first)."""
    answers = [gold.lower() for gold in golds]
    met = [place for place in dict.fromkeys((draw * len(lowered)).astype(int).tolist()) if place != own]
    without = [place for place in met if not any(answer in lowered[place] for answer in answers)][:number]
    if len(without) == number:
        return without, number
    filling = dict.fromkeys(place for place in (*met, *range(len(lowered))) if place != own and place not in without)
    return [*without, *filling][:number], len(without)


def _join(example: Example, distractors: Sequence[str], sides: np.ndarray) -> None:
    before = [text for text, first in zip(distractors, sides, strict=True) if first]
    after = [text for text, first in zip(distractors, sides, strict=True) if not first]
    shift = sum(len(text) + len(GAP) for text in before)
    example["context"] = GAP.join([*before, example["context"], *after])
    example["answers"] = [answer | {"start": answer["start"] + shift} for answer in example["answers"]]
