"""One subject of MMLU (Hendrycks et al., 2021): csv files without a header, ``question,A,B,C,D,letter``.

The paper applies the model tuned on MedQA without further training (section 6.2): with the archive of MedQA in the role
``medqa``, its train and dev stand here as train and dev. Without it they are the subject's own 5 and 31 questions.
"""

import csv
from collections.abc import Iterator

from linkbert.tasks.base import Dataset, Example, Source
from linkbert.tasks.medqa import questions

ROLES = frozenset({"archive", "medqa", "dev", "val", "test"})
OPTIONS = frozenset({"subject"})
KIND = "choice"


def read(source: Source) -> Dataset:
    """Read a subject, professional medicine unless the option ``subject`` names another."""
    subject = source.options.get("subject", "professional_medicine")
    if source.has("medqa"):
        splits = {split: list(questions(source, "medqa", split)) for split in ("train", "dev")}
        about = {"split": "train and dev are MedQA's"}
    else:
        splits = {"train": list(_rows(source, "dev", subject)), "dev": list(_rows(source, "val", subject))}
        about = {"split": "train is the subject's dev file, dev its val file"}
    return Dataset(KIND, splits | {"test": list(_rows(source, "test", subject))}, about=about)


def _rows(source: Source, role: str, subject: str) -> Iterator[Example]:
    lines = (line + "\n" for line in source.lines(role, f"{subject}_{role}.csv"))
    for number, row in enumerate(csv.reader(lines)):
        if len(row) == 6 and row[5].strip() in ("A", "B", "C", "D"):
            yield {
                "id": f"{role}-{number}",
                "question": row[0],
                "choices": row[1:5],
                "label": "ABCD".index(row[5].strip()),
            }
        elif row:
            split = {"dev": "train", "val": "dev", "test": "test"}[role]
            source.drop(split, "broken_row", where=f"row {number + 1}")
