"""The paired bootstrap over test examples (Efron, 1979; Koehn, 2004): what another test set of this size could say.

Every model that was tested on the same examples is scored on the same resamples, so differences are paired; the draws
depend on the examples alone, so that cells of different tables can be compared. Within a resample a model's score is
the mean over its seeds: the interval is about the choice of test examples, the spread over seeds about training.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from linkbert import rng
from linkbert.evidence.statistics import Joint, Statistics

RESAMPLES = 10_000
LEVEL = 0.95
_CELLS = 500_000  # drawn at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Sample:
    """The runs of a cell: for each seed the statistics of the test examples; `examples` identifies these in order."""

    examples: str
    by_seed: Mapping[int, Statistics]

    @property
    def number(self) -> int:
        """Test examples."""
        return len(next(iter(self.by_seed.values())).rows)


@dataclass(frozen=True)
class Replicates:
    """The resampled scores of a cell, in percent, float64 [resamples], and the number of examples behind them."""

    scores: np.ndarray
    number: int


def replicate(samples: Iterable[Sample], resamples: int = RESAMPLES) -> list[Replicates]:
    """The resampled scores of each sample; samples of the same examples share their draws, which are made once."""
    samples = list(samples)
    scores = [np.zeros(resamples) for _ in samples]
    for examples in dict.fromkeys(sample.examples for sample in samples):
        mine = [index for index, sample in enumerate(samples) if sample.examples == examples]
        runs = [(index, one) for index in mine for one in samples[index].by_seed.values()]
        joint = Joint([one for _, one in runs])
        start = 0
        for weights in draws(examples, samples[mine[0]].number, resamples):
            stop = start + len(weights)
            for (index, _), values in zip(runs, joint.scores(weights), strict=True):
                scores[index][start:stop] += values / len(samples[index].by_seed)
            start = stop
    return [Replicates(values, sample.number) for values, sample in zip(scores, samples, strict=True)]


def draws(examples: str, number: int, resamples: int) -> Iterable[np.ndarray]:
    """How often each of `number` examples occurs in each resample: float64 [some, number], `resamples` rows in all."""
    generator = rng.generator("bootstrap", examples)
    # Blocks do not depend on the machine: the stream of draws is one, whatever its pieces.
    block = max(1, _CELLS // number)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, number, (rows, number), dtype=np.int32)
        drawn = drawn.astype(np.int64) + number * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * number).reshape(rows, number).astype(float)


def interval(differences: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of resampled differences."""
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
