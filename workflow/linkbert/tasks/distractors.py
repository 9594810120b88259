"""Other documents before or after the context of a question (section 5.4: SQuAD with distractors).

The paper adds "1-2 distracting documents" to each question and says no more. Here: how many is drawn uniformly, the
documents are other contexts of the same split (train, dev and test are all modified), each goes before or after with
equal chance, a blank line stands between documents, and answers move with their context. Nothing excludes a document
that happens to hold the answer's words.
"""

from collections.abc import Sequence

import numpy as np

from linkbert.errors import UserError
from linkbert.rng import key_of, uniform
from linkbert.tasks.base import Dataset, Example, Source

GAP = "\n\n"


def add_distractors(source: Source, dataset: Dataset, numbers: Sequence[int]) -> None:
    """Add one of `numbers` distractors to every question; the draw for a question depends on its id and the pool."""
    if dataset.kind != "span":
        raise UserError(f"{source.task}: option distractors is for tasks of kind 'span', not '{dataset.kind}'.")
    if not numbers or not all(isinstance(number, int) and number > 0 for number in numbers):
        raise UserError(f"{source.task}: option distractors is {numbers}; it must list whole numbers, such as [1, 2].")
    for split, examples in dataset.splits.items():
        pool = list(dict.fromkeys(example["context"] for example in examples))
        if len(pool) <= max(numbers):
            raise UserError(f"{source.task}, {split}: {len(pool)} contexts are too few for {max(numbers)} distractors.")
        place = {context: number for number, context in enumerate(pool)}
        for example in examples:
            _add(source.seed, split, example, pool, place[example["context"]], numbers)


def _add(seed: int, split: str, example: Example, pool: list[str], own: int, numbers: Sequence[int]) -> None:
    most = max(numbers)
    draw = uniform(key_of(seed, "distractors", split, example["id"]), np.arange(1 + 2 * most))
    number = numbers[int(draw[0] * len(numbers))]
    chosen: list[int] = []
    for value in draw[1 : 1 + number]:
        # Without replacement: a place among the contexts that are still free.
        place = int(value * (len(pool) - 1 - len(chosen)))
        for taken in sorted([own, *chosen]):
            place += place >= taken
        chosen.append(place)
    sides = draw[1 + most : 1 + most + number] < 0.5
    before = [pool[place] for place, first in zip(chosen, sides, strict=True) if first]
    after = [pool[place] for place, first in zip(chosen, sides, strict=True) if not first]
    shift = sum(len(text) + len(GAP) for text in before)
    example["context"] = GAP.join([*before, example["context"], *after])
    example["answers"] = [answer | {"start": answer["start"] + shift} for answer in example["answers"]]
