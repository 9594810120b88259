"""GAD (Bravo et al., 2015), BioBERT's first fold, entities already dummified; as BLURB, the first rows are train."""

from collections.abc import Iterator

from linkbert.tasks.base import Dataset, Example, Source, cut_points, table_rows

ROLES = frozenset({"train", "test", "archive"})
OPTIONS: frozenset[str] = frozenset()
KIND = "classification"
LABELS = ["0", "1"]
BLURB = (4261, 535)  # of the 4,796 training rows, in their order


def read(source: Source) -> Dataset:
    """Read fold 1: the training file is cut into train and dev in BLURB's proportion, in order."""
    rows = list(_examples(source, "train"))
    cut = cut_points(len(rows), BLURB)[0]
    splits = {"train": rows[:cut], "dev": rows[cut:], "test": list(_examples(source, "test"))}
    about = {"split": "the first 4,261 of 4,796 training rows are train, as in BLURB; fewer rows in that proportion"}
    return Dataset(KIND, splits, LABELS, "relation_f1", about)


def _examples(source: Source, split: str) -> Iterator[Example]:
    # The test file has a header and a column of numbers before the sentence, the training file has neither.
    rows = table_rows(
        source, split, source.lines(split, f"GAD/1/{split}.tsv", f"1/{split}.tsv", f"{split}.tsv"), 2, header=False
    )
    for number, row in enumerate(rows):
        if number == 0 and row[-1].strip().lower() == "label":
            continue
        yield {"id": f"{split}-{number}", "text_a": row[-2].strip(), "label": row[-1].strip()}
