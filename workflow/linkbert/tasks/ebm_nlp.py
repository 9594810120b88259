"""EBM PICO (Nye et al., 2018) in SciBERT's layout: ``token POS chunk tag``, tags I-PAR, I-INT, I-OUT and O.

Every tagged token is an entity of its own, so that the score is word level (`linkbert.metrics`, ``word_macro_f1``).
Units are abstracts.
"""

from linkbert.tasks.base import Dataset, Source
from linkbert.tasks.ner import MEMBERS, sentences

ROLES = frozenset({"train", "dev", "test", "archive"})
OPTIONS: frozenset[str] = frozenset()
KIND = "tagging"
LABELS = ["I-INT", "I-OUT", "I-PAR", "O"]


def read(source: Source) -> Dataset:
    """Read the splits that exist; a missing one can be cut from another with the option ``divide``."""
    splits = {
        split: list(sentences(source, split, source.lines(split, *names)))
        for split, names in MEMBERS.items()
        if source.holds(split, *names)
    }
    return Dataset(KIND, splits, LABELS, "word_macro_f1")
