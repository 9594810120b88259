"""Variants of a data set that are rows of ``tasks.tsv``: divided splits, few-shot training sets, smaller splits."""

from collections.abc import Mapping

from linkbert.errors import UserError, unknown
from linkbert.rng import generator
from linkbert.tasks.base import SPLITS, Dataset, Source, drawn


def divide(source: Source, dataset: Dataset, plan: Mapping[str, Mapping[str, float]]) -> None:
    """Cut splits into parts by seed: ``{"dev": {"train": 0.8, "dev": 0.2}}`` cuts a train out of dev.

    Units (documents, contexts) stay whole. Made for sets of which only a part can be had.
    """
    for name, sizes in plan.items():
        if name not in dataset.splits:
            raise unknown(f"{source.task}: option divide", "split", name, dataset.splits)
        if dataset.test_is_dev and name in ("dev", "test"):
            raise UserError(f"{source.task}: option divide: test is dev here, so '{name}' cannot be divided by itself.")
        clash = next(
            (part for part in sizes if part not in SPLITS or (part != name and dataset.splits.get(part))), None
        )
        if clash is not None or not sizes or min(sizes.values()) <= 0:
            raise UserError(
                f"{source.task}: option divide: '{clash or dict(sizes)}' is no empty split or no positive size."
            )
        whole = dataset.splits.pop(name)
        units = [str(example.get("unit", example.get("context", example.get("id")))) for example in whole]
        part_of = drawn(sorted(set(units)), sizes, generator(source.seed, "divide", source.reader, name))
        for part in sizes:
            dataset.splits[part] = [e for e, unit in zip(whole, units, strict=True) if part_of[unit] == part]
        shares = " : ".join(f"{part} {size:g}" for part, size in sizes.items())
        dataset.about.setdefault("divided", {})[name] = f"{shares}, by seed"


def keep_fraction(source: Source, dataset: Dataset, fraction: float) -> None:
    """Keep a share of the training examples (questions, not contexts), drawn by seed; at least one.

    Smaller shares are subsets of larger ones under the same seed.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"{source.task}: option fraction is {fraction}; it must lie in (0, 1].")
    _keep(source, dataset, "train", max(round(fraction * len(dataset.splits["train"])), 1), "few-shot")


def keep_limit(source: Source, dataset: Dataset, limit: Mapping[str, int]) -> None:
    """Keep at most so many examples of a split, drawn by seed: ``{"train": 2000, "test": 500}``."""
    for split, number in limit.items():
        if split not in dataset.splits:
            raise unknown(f"{source.task}: option limit", "split", split, dataset.splits)
        if not isinstance(number, int) or number < 1:
            raise UserError(f"{source.task}: option limit: {split} is {number!r}; it must be a whole number above 0.")
        _keep(source, dataset, split, number, "limit")


def _keep(source: Source, dataset: Dataset, split: str, number: int, purpose: str) -> None:
    examples = dataset.splits[split]
    if number >= len(examples):
        return
    # dev and test of a GLUE task are the same examples, and stay so: the draw knows no split but train.
    part = "train" if split == "train" else "evaluation"
    chosen = generator(source.seed, purpose, source.reader, part).permutation(len(examples))[:number]
    dataset.splits[split] = [examples[place] for place in sorted(chosen)]
