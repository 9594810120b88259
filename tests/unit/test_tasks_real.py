"""The publishers' real files: every count that was published, or the difference named."""

from pathlib import Path

import pytest

from linkbert.declarations import options_of, read_table
from linkbert.tasks.prepare import prepare, read_examples

pytestmark = pytest.mark.real
CONFIG = Path(__file__).resolve().parents[2] / "config"

SHIFTS = {"split_by_article": [0.8, 0.1, 0.1]}
EMPTY = {"dropped": {}, "warnings": []}


def seen(**splits):
    """The warnings of inputs that the publishers' own splits share: split -> "how many of how many"."""
    return [f"{split}: {numbers} inputs stand in train too" for split, numbers in splits.items()]


# task: (reader, files, options with the published counts, what meta.json must say of the rest)
TASKS = {
    "cola": (
        "glue_cola",
        {"archive": "glue/CoLA"},
        {"expected": {"train": 8551, "dev": 1043}},
        {"dropped": {}, "warnings": seen(dev="16 of 1,043")},
    ),
    "sst2": ("glue_sst2", {"archive": "glue/SST-2"}, {"expected": {"train": 67349, "dev": 872}}, EMPTY),
    "mrpc": ("glue_mrpc", {"archive": "glue/MRPC"}, {"expected": {"train": 3668, "dev": 408}}, EMPTY),
    "stsb": (
        "glue_stsb",
        {"archive": "glue/STS-B"},
        {"expected": {"train": 5749, "dev": 1500}},
        {"dropped": {}, "warnings": seen(dev="6 of 1,500")},
    ),
    "rte": ("glue_rte", {"archive": "glue/RTE"}, {"expected": {"train": 2490, "dev": 277}}, EMPTY),
    "qnli": ("glue_qnli", {"archive": "glue/QNLI"}, {"divide": {"dev": {"train": 8, "dev": 1, "test": 1}}}, EMPTY),
    "new_wiki": ("squad", {"data": "qa/squadshifts_new_wiki.json.gz"}, SHIFTS, EMPTY),
    "amazon": ("squad", {"data": "qa/squadshifts_amazon.json.gz"}, SHIFTS, EMPTY),
    "reddit": ("squad", {"data": "qa/squadshifts_reddit.json.gz"}, {"split_by_context": [8, 1, 1]}, EMPTY),
    "bc5_chem": (
        "ner",
        {"archive": "blurb/NER/BC5CDR-chem"},
        {"expected": {"train_mentions": 5203, "dev_mentions": 5347, "test_mentions": 5385}},
        {"dropped": {}, "warnings": seen(dev="19 of 4,581", test="16 of 4,797")},
    ),
    # Two mentions more in dev than Gu et al. (2021) print, in the publisher's own file.
    "bc5_disease": (
        "ner",
        {"archive": "blurb/NER/BC5CDR-disease"},
        {"expected": {"train_mentions": 4182, "dev_mentions": 4244, "test_mentions": 4424}},
        {
            "dropped": {},
            "warnings": [
                "dev_mentions: 4,246 read, 4,244 published",
                *seen(dev="19 of 4,581", test="16 of 4,797"),
            ],
        },
    ),
    "ncbi_disease": (
        "ner",
        {"archive": "blurb/NER/NCBI-disease"},
        {"expected": {"train_mentions": 5134, "dev_mentions": 787, "test_mentions": 960}},
        {"dropped": {}, "warnings": seen(dev="5 of 923", test="1 of 940")},
    ),
    # BLURB divides the training documents by its own lists; test is the publisher's.
    "ddi": (
        "ddi",
        {"archive": "blurb/DDI/DDICorpus-2013.zip"},
        {"expected": {"test": 5716}},
        {
            "dropped": {},
            "warnings": [
                "train: 1 pairs that interact have no type; they are labelled DDI-int",
                *seen(dev="148 of 2,704", test="99 of 5,716"),
            ],
        },
    ),
    "gad": (
        "gad",
        {"archive": "blurb/GAD"},
        {"expected": {"train": 4261, "dev": 535, "test": 534}},
        {"dropped": {}, "warnings": seen(dev="39 of 535", test="8 of 534")},
    ),
    "biosses": ("biosses", {"archive": "blurb/BIOSSES"}, {"expected": {"train": 64, "dev": 16, "test": 20}}, EMPTY),
    "hoc": ("hoc", {"archive": "blurb/HoC.tar.gz"}, {"expected": {"train": 1295, "dev": 186, "test": 371}}, EMPTY),
    "pubmedqa": (
        "pubmedqa",
        {"archive": "blurb/PubMedQA"},
        {"expected": {"train": 450, "dev": 50, "test": 500}},
        EMPTY,
    ),
    "bioasq": (
        "bioasq",
        {"archive": "blurb/BioASQ"},
        {"train": ["4B*", "5B*"], "test": ["6B*"], "expected": {"test": 130}},
        EMPTY,
    ),
    "medqa": (
        "medqa",
        {"archive": "medqa"},
        {"divide": {"dev": {"train": 9, "dev": 1}}, "expected": {"test": 1273}},
        EMPTY,
    ),
    "mmlu": ("mmlu", {"archive": "mmlu"}, {"expected": {"train": 5, "dev": 31, "test": 272}}, EMPTY),
}


@pytest.mark.parametrize("task", TASKS)
def test_published_counts(real, tmp_path, task):
    reader, files, options, said = TASKS[task]
    meta = prepare(task, reader, {role: real / path for role, path in files.items()}, options, 0, tmp_path / "out")
    assert {"dropped": meta["dropped"], "warnings": meta["warnings"]} == said


def totals(meta):
    return sum(meta["counts"][split] for split in ("train", "dev", "test"))


def test_totals_of_what_is_divided(real, tmp_path):
    for name, number in (("new_wiki", 7938), ("amazon", 9885)):
        data = {"data": real / f"qa/squadshifts_{name}.json.gz"}
        assert totals(prepare(name, "squad", data, SHIFTS, 0, tmp_path / name)) == number
    meta = prepare("ddi", "ddi", {"archive": real / "blurb/DDI/DDICorpus-2013.zip"}, {}, 0, tmp_path / "ddi")
    assert meta["counts"]["train"] + meta["counts"]["dev"] == 25296 + 2496
    meta = prepare(
        "bioasq",
        "bioasq",
        {"archive": real / "blurb/BioASQ"},
        {"train": ["[45]B*"], "test": ["6B*"]},
        0,
        tmp_path / "b",
    )
    assert totals(meta) == 393


CHEMPROT = {"train": 18035, "dev": 11268, "test": 15745}


def test_chemprot_with_our_sentences_is_near_blurb(real, tmp_path):
    meta = prepare("c", "chemprot", {"archive": real / "blurb/ChemProt"}, {}, 0, tmp_path / "out")
    for split, number in CHEMPROT.items():
        assert meta["counts"][split] == pytest.approx(number, rel=0.03)
        assert meta["dropped"].get(f"{split}.entity_not_at_offset", 0) == 0


def test_chemprot_with_blurbs_sentence_splitter_is_blurb(real, tmp_path):
    row = next(row for _, row in read_table(CONFIG / "tasks.tsv") if row["task"] == "chemprot")
    meta = prepare("c", "chemprot", {"archive": real / "blurb/ChemProt"}, options_of(row), 0, tmp_path / "out")
    assert {split: meta["counts"][split] for split in CHEMPROT} == meta["published"] == CHEMPROT


def test_mrpc_has_the_row_that_the_unpacked_file_lacks(real, tmp_path):
    roles = {split: real / f"glue/MRPC/{split}.tsv" for split in ("train", "dev")}
    meta = prepare("mrpc", "glue_mrpc", roles, {"expected": {"train": 3668}}, 0, tmp_path / "out")
    assert meta["warnings"] == ["train: 3,667 read, 3,668 published"]


def test_biosses_has_blurbs_pairs(real, tmp_path):
    files = {"archive": real / "blurb/BIOSSES", "split": CONFIG / "splits" / "biosses.json"}
    meta = prepare("b", "biosses", files, {"expected": {"train": 64, "dev": 16, "test": 20}}, 0, tmp_path / "out")
    assert {"dropped": meta["dropped"], "warnings": meta["warnings"]} == EMPTY
    found = [example["id"] for split in ("dev", "test") for example in read_examples(tmp_path / "out", split)]
    dev = (2, 8, 9, 24, 40, 41, 47, 63, 68, 72, 80, 82, 88, 90, 91, 100)
    test = (7, 20, 22, 23, 25, 33, 38, 49, 52, 57, 59, 64, 69, 70, 71, 81, 83, 89, 96, 97)
    assert found == [f"pair-{number}" for number in (*dev, *test)]


def test_mrqa_newsqa_sample(real, tmp_path):
    file = real / "qa/mrqa_newsqa_sample.jsonl"
    meta = prepare("n", "mrqa", {"train": file, "dev": file}, {}, 0, tmp_path / "out")
    assert meta["counts"]["train"] == meta["counts"]["dev"] + meta["counts"]["test"] == 17
    assert meta["dropped"] == {}
    assert meta["counts"]["dev_inputs_in_train"] == meta["counts"]["dev"]  # one file for both


def test_pico_and_jnlpba_name_the_difference_to_blurb(real, tmp_path):
    options = {"divide": {"dev": {"train": 4, "dev": 1}}, "expected": {"test_words": 16364}}
    meta = prepare("p", "ebm_nlp", {"archive": real / "blurb/EBM-NLP"}, options, 0, tmp_path / "p")
    shared = seen(dev="6 of 1,435", test="3 of 2,064")
    assert meta["warnings"] == ["test_words: 11,908 read, 16,364 published", *shared]
    files, options = {"archive": real / "blurb/NER/JNLPBA"}, {"expected": {"test_mentions": 8662}}
    meta = prepare("j", "ner", files, options, 0, tmp_path / "j")
    shared = seen(dev="22 of 3,856", test="97 of 3,856")
    assert meta["warnings"] == ["test_mentions: 6,241 read, 8,662 published", *shared]


def test_squad_distractors_on_real_contexts(real, tmp_path):
    options = {**SHIFTS, "distractors": [1, 2], "limit": {"train": 500, "dev": 200, "test": 200}}
    meta = prepare("s", "squad", {"data": real / "qa/squadshifts_new_wiki.json.gz"}, options, 0, tmp_path / "s")
    for split in ("train", "dev", "test"):
        for example in read_examples(tmp_path / "s", split):
            assert example["context"].count("\n\n") >= 1
            assert example["answers"]
    assert meta["dropped"] == {}
