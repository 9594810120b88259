"""PubMedQA, expert-labelled part (Jin et al., 2019): question and abstract without its conclusion; yes, no or maybe.

The publisher names the 500 test questions. Of the others BLURB takes fold 0 (450/50), whose list can be given in the
role ``split`` (units are PMIDs, train and dev); without it as many are drawn by seed.
"""

from linkbert.errors import UserError
from linkbert.tasks.base import Dataset, Example, Source

ROLES = frozenset({"questions", "test_ids", "split", "archive"})
OPTIONS: frozenset[str] = frozenset()
KIND = "classification"
LABELS = ["maybe", "no", "yes"]


def read(source: Source) -> Dataset:
    """Read all questions and divide those that are not in the test set; the unit is the PMID."""
    questions = source.json("questions", "ori_pqal.json")
    test = set(source.json("test_ids", "test_ground_truth.json"))
    if not isinstance(questions, dict):
        raise UserError(f"{source.task}: ori_pqal.json is not an object of questions by PMID.")
    read: dict[str, list[Example]] = {"train": [], "test": []}
    for pmid, question in questions.items():
        part = "test" if pmid in test else "train"
        try:
            contexts = question["CONTEXTS"]
            example = {
                "id": pmid,
                "text_a": question["QUESTION"],
                "text_b": " ".join(contexts) if isinstance(contexts, list) else None,
                "label": question["final_decision"],
                "unit": pmid,
            }
        except (KeyError, TypeError):
            source.drop(part, "broken_row", where=f"question {pmid}")
            continue
        read[part].append(example)
    splits = source.divide("train", read["train"], {"train": 450, "dev": 50}, among=questions.keys() - test)
    by = "the index file" if source.has("split") else "seed"
    about = {"split": f"the publisher's test questions; the others 450 : 50, by {by}"}
    return Dataset(KIND, splits | {"test": read["test"]}, LABELS, "accuracy", about)
