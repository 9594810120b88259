"""PubMedQA, expert-labelled part (Jin et al., 2019): question and abstract without its conclusion; yes, no or maybe.

The publisher names the 500 test questions. Of the others BLURB takes fold 0 (450/50), whose list can be given in the
role ``split`` (units are PMIDs, train and dev); without it as many are drawn by seed.
"""

from linkbert.errors import UserError
from linkbert.tasks.base import Dataset, Example, Source

ROLES = frozenset({"questions", "test_ids", "split", "archive"})
OPTIONS: frozenset[str] = frozenset()
LABELS = ["maybe", "no", "yes"]


def read(source: Source) -> Dataset:
    """Read all questions and divide those that are not in the test set; the unit is the PMID."""
    questions = source.json("questions", "ori_pqal.json")
    test = set(source.json("test_ids", "test_ground_truth.json"))
    if not isinstance(questions, dict):
        raise UserError(f"{source.task}: ori_pqal.json is not an object of questions by PMID.")
    split_of = source.divide(questions.keys() - test, {"train": 450, "dev": 50}) | dict.fromkeys(test, "test")
    splits: dict[str, list[Example]] = {"train": [], "dev": [], "test": []}
    for pmid, question in questions.items():
        if pmid not in split_of:
            source.drop("train", "not_in_index_file")
            continue
        try:
            contexts = question["CONTEXTS"]
            example = {
                "id": pmid,
                "text_a": question["QUESTION"],
                "text_b": " ".join(contexts) if isinstance(contexts, list) else None,
                "label": question["final_decision"],
            }
        except (KeyError, TypeError):
            source.drop(split_of[pmid], "broken_row", where=f"question {pmid}")
            continue
        splits[split_of[pmid]].append(example)
    by = "the index file" if source.has("split") else "seed"
    about = {"split": f"the publisher's test questions; the others 450 : 50, by {by}"}
    return Dataset("classification", splits, LABELS, "accuracy", about)
