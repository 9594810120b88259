"""Hallmarks of Cancer (Baker et al., 2016) from the raw corpus: an abstract has the hallmarks of its sentences.

Only the ten top-level hallmarks count; abstracts without any stay (BLURB keeps them, BLUE does not). BLURB's lists of
1,295/186/371 abstracts can be given in the role ``split`` (units are PMIDs); without them as many are drawn by seed.
"""

from pathlib import PurePosixPath

from linkbert.tasks.base import Dataset, Example, Source
from linkbert.tasks.members import decode, read_members

ROLES = frozenset({"archive", "split"})
OPTIONS: frozenset[str] = frozenset()
KIND = "multilabel"
BLURB = {"train": 1295, "dev": 186, "test": 371}
LABELS = [
    "Activating invasion and metastasis",
    "Avoiding immune destruction",
    "Cellular energetics",
    "Enabling replicative immortality",
    "Evading growth suppressors",
    "Genomic instability and mutation",
    "Inducing angiogenesis",
    "Resisting cell death",
    "Sustaining proliferative signaling",
    "Tumor promoting inflammation",
]


def read(source: Source) -> Dataset:
    """Join texts and labels by file name; the unit is the PMID."""
    path = source.path("archive")
    members = read_members(path, lambda name: name.endswith(".txt") and _folder(name) in ("text", "labels"))
    content = {(_folder(name), PurePosixPath(name).stem): decode(data, path / name) for name, data in members.items()}
    abstracts: list[Example] = []
    for pmid in sorted({pmid for _, pmid in content}):
        if ("text", pmid) not in content or ("labels", pmid) not in content:
            source.drop("all", "text_or_labels_missing", where=f"abstract {pmid}")
            continue
        sentences = [line.strip() for line in content["text", pmid].split("\n") if line.strip()]
        # One line, "< labels of sentence 1< labels of sentence 2...", each "Hallmark--detail AND Hallmark--detail".
        fields = content["labels", pmid].split("<")[1:]
        if len(fields) != len(sentences):
            source.drop("all", "sentences_without_labels", where=f"abstract {pmid}")
            continue
        named = {part.split("--")[0].strip() for field in fields for part in field.split("AND")} - {"", "NULL"}
        labels = sorted(named)
        abstracts.append({"id": pmid, "text_a": " ".join(sentences), "labels": labels, "unit": pmid})
    splits = source.divide("all", abstracts, BLURB)
    by = "the index file" if source.has("split") else "seed"
    return Dataset(KIND, splits, LABELS, "multilabel_f1", {"split": f"1295 : 186 : 371 abstracts, by {by}"})


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name
