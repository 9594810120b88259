"""GLUE's files and their traps: quotation marks, broken rows, files without a header, MRPC's two shapes."""

import pytest

from linkbert.errors import UserError
from linkbert.tasks.base import GLUE_TASKS
from linkbert.tasks.prepare import prepare, read_examples

TRAP = '" unbalanced  he said '  # csv's quoting would swallow the next rows
NLI = (
    "index\tsentence1\tsentence2\tlabel\n0\tIt rained.\tIt was dry.\tnot_entailment\n1\tIt rains.\tRain.\tentailment\n"
)
MNLI = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
    "0\t1\t1n\tfiction\t(x)\tIt rains.\tRain.\tentailment\tentailment\n"
    "1\t1\t1n\tfiction\t(x)\tIt rains.\tSnow.\tneutral\t-\n"
    "2\t1\t1n\tfiction\t(x)\tIt rains.\tSun.\tcontradiction\tcontradiction\n"
)
PARAPHRASES = (
    "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
    f"1\t10\t11\t{TRAP}\tHe said so .\r\n0\t20\t21\tA cat .\tA dog .\r\n1\t30\t31\tRed .\tIt is red .\r\n"
)
FILES = {
    "cola": {"train.tsv": f"gj04\t1\t\t{TRAP}\ngj04\t0\t*\tSlept cat.\n", "dev.tsv": "gj04\t1\t\tA cat slept."},
    "sst2": {"train.tsv": f"sentence\tlabel\n{TRAP}\t1\nbleak \t0\n", "dev.tsv": "sentence\tlabel\nfine \t1\n"},
    "mrpc": {"msr_paraphrase_train.txt": PARAPHRASES, "dev_ids.tsv": "20\t21\n"},
    "qqp": {
        "train.tsv": f"id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\t{TRAP}\tWhy?\t0\n1\tbroken\n"
        "2\t3\t4\tHow?\t\t1\n",
        "dev.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWho?\tWhy?\t0\n",
    },
    "stsb": {
        "train.tsv": f"index\tgenre\tsentence1\tsentence2\tscore\n0\tx\t{TRAP}\tHe.\t2.500\n1\tx\tA.\tB.\tn/a\n",
        "dev.tsv": "index\tgenre\tsentence1\tsentence2\tscore\n0\tx\tA.\tA.\t5.000\n",
    },
    "mnli": {"train.tsv": MNLI, "dev_matched.tsv": MNLI, "dev_mismatched.tsv": MNLI},
    "qnli": {
        f"{split}.tsv": f"index\tquestion\tsentence\tlabel\n0\tWho?\tHe, {split}.\tentailment\n"
        for split in ("train", "dev")
    },
    "rte": {"train.tsv": NLI, "dev.tsv": NLI.replace("rain", "hail")},
}


def glue_folder(path, task):
    (path / task).mkdir()
    for name, text in FILES[task].items():
        (path / task / name).write_text(text, encoding="utf-8", newline="")
    return {"archive": path / task}


def test_a_limit_leaves_test_the_same_examples_as_dev(tmp_path):
    files = glue_folder(tmp_path, "sst2")
    (tmp_path / "sst2" / "dev.tsv").write_text("sentence\tlabel\n" + "".join(f"film {n}\t1\n" for n in range(40)))
    prepare("sst2", "glue_sst2", files, {"limit": {"dev": 9, "test": 9}}, 0, tmp_path / "out")
    dev, test = (read_examples(tmp_path / "out", split) for split in ("dev", "test"))
    assert len(dev) == 9 and dev == test


@pytest.mark.parametrize("task", GLUE_TASKS)
def test_every_task_is_read_and_its_test_is_dev(tmp_path, task):
    meta = prepare(task, f"glue_{task}", glue_folder(tmp_path, task), {}, 0, tmp_path / "out")
    assert meta["test_is_dev"] is True
    assert read_examples(tmp_path / "out", "dev") == read_examples(tmp_path / "out", "test")
    assert meta["kind"] == ("regression" if task == "stsb" else "classification")
    for example in read_examples(tmp_path / "out", "train"):
        assert ("text_b" in example) == (task not in ("cola", "sst2"))
        assert isinstance(example["label"], float) if task == "stsb" else example["label"] in meta["labels"]


def test_quotation_marks_are_text_and_ends_are_stripped(tmp_path):
    for task, field in {
        "cola": "text_a",
        "sst2": "text_a",
        "qqp": "text_a",
        "stsb": "text_a",
        "mrpc": "text_a",
    }.items():
        prepare(task, f"glue_{task}", glue_folder(tmp_path, task), {}, 0, tmp_path / f"out-{task}")
        assert read_examples(tmp_path / f"out-{task}", "train")[0][field] == TRAP.strip()


def test_broken_rows_and_labels_are_counted(tmp_path):
    qqp = prepare("qqp", "glue_qqp", glue_folder(tmp_path, "qqp"), {}, 0, tmp_path / "qqp-out")
    assert qqp["dropped"] == {"train.broken_row": 1}
    assert qqp["warnings"] == ["train: 1 empty texts are kept"]
    stsb = prepare("stsb", "glue_stsb", glue_folder(tmp_path, "stsb"), {}, 0, tmp_path / "stsb-out")
    assert stsb["dropped"] == {"train.label_not_a_number": 1}


def test_mnli_has_two_groups(tmp_path):
    meta = prepare("mnli", "glue_mnli", glue_folder(tmp_path, "mnli"), {}, 0, tmp_path / "out")
    groups = [example["group"] for example in read_examples(tmp_path / "out", "test")]
    assert groups == ["matched"] * 2 + ["mismatched"] * 2
    assert (meta["counts"]["test_matched"], meta["counts"]["test_mismatched"]) == (2, 2)
    assert meta["dropped"]["train.unknown_label"] == 1
    assert meta["metric"] == "group_accuracy"


def test_mrpc_takes_the_publishers_file_or_the_unpacked_ones(tmp_path):
    files = glue_folder(tmp_path, "mrpc")
    prepare("mrpc", "glue_mrpc", files, {}, 0, tmp_path / "a")
    assert [e["label"] for e in read_examples(tmp_path / "a", "train")] == ["1", "1"]
    assert [e["text_b"] for e in read_examples(tmp_path / "a", "dev")] == ["A dog ."]
    roles = {"train": tmp_path / "mrpc/msr_paraphrase_train.txt", "dev_ids": tmp_path / "mrpc/dev_ids.tsv"}
    prepare("mrpc", "glue_mrpc", roles, {}, 0, tmp_path / "b")
    assert read_examples(tmp_path / "a", "train") == read_examples(tmp_path / "b", "train")
    for split in ("train", "dev"):
        text = PARAPHRASES.replace("Red", "Blue") if split == "dev" else PARAPHRASES
        (tmp_path / f"{split}.tsv").write_text(text, encoding="utf-8", newline="")
    meta = prepare("mrpc", "glue_mrpc", {s: tmp_path / f"{s}.tsv" for s in ("train", "dev")}, {}, 0, tmp_path / "c")
    assert [meta["counts"][split] for split in ("train", "dev", "test")] == [3, 3, 3]
    assert meta["warnings"] == ["dev: 2 of 3 inputs stand in train too"]
    assert meta["counts"]["test_inputs_in_train"] == 2


def test_a_dev_set_alone_is_divided_without_overlap(tmp_path):
    rows = "".join(f"{n}\tWho is {n}?\tHe is {n}.\tentailment\n" for n in range(10))
    (tmp_path / "dev.tsv").write_text("index\tquestion\tsentence\tlabel\n" + rows)
    options = {"divide": {"dev": {"train": 0.6, "dev": 0.2, "test": 0.2}}}
    meta = prepare("qnli", "glue_qnli", {"dev": tmp_path / "dev.tsv"}, options, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in ("train", "dev", "test")] == [6, 2, 2]
    assert meta["test_is_dev"] is False
    texts = [{e["text_a"] for e in read_examples(tmp_path / "out", split)} for split in ("train", "dev", "test")]
    assert len(set.union(*texts)) == 10


def test_a_wrong_header_is_named(tmp_path):
    files = glue_folder(tmp_path, "rte")
    (tmp_path / "rte/train.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(UserError, match="rte, train: the header has no column label, sentence1, sentence2"):
        prepare("rte", "glue_rte", files, {}, 0, tmp_path / "out")
