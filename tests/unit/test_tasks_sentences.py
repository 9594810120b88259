"""ChemProt's pairs depend on where sentences end: the declared task takes BLURB's splitter."""

from pathlib import Path

from linkbert.declarations import options_of, read_table
from linkbert.tasks.prepare import prepare, read_examples

TASKS = Path(__file__).resolve().parents[2] / "config" / "tasks.tsv"
# Punkt ends a sentence behind "approx.", our own rules do not.
ABSTRACT = "Zaprol blocks Qin. Bexin (approx. 5 nM) raises Rulase."


def corpus(folder):
    """A corpus of one abstract in each part, with two pairs to be found in it."""
    folder.mkdir()
    for number, part in enumerate(("training", "development", "test")):
        title = f"Title {number}."
        text = f"{title}\t{ABSTRACT}"
        mentions = (("T1", "CHEMICAL", "Zaprol"), ("T2", "GENE-Y", "Qin"))
        mentions += (("T3", "CHEMICAL", "Bexin"), ("T4", "GENE-N", "Rulase"))
        entities = (
            f"7\t{name}\t{kind}\t{(at := text.index(word))}\t{at + len(word)}\t{word}\n"
            for name, kind, word in mentions
        )
        label = f"CPR:{number + 3}"
        tables = {
            "abstracts": f"7\t{title}\t{ABSTRACT}\n",
            "entities": "".join(entities),
            "relations": f"7\t{label}\tY \tX\tArg1:T1\tArg2:T2\n7\tCPR:9\tY \tX\tArg1:T3\tArg2:T4\n",
        }
        for table, lines in tables.items():
            (folder / f"chemprot_{part}_{table}.tsv").write_text(lines, encoding="utf-8")
    return folder


def test_the_declared_task_ends_sentences_where_blurb_does(tmp_path):
    files = {"archive": corpus(tmp_path / "corpus")}
    declared = next(options_of(row) for _, row in read_table(TASKS) if row["task"] == "chemprot")
    for options, pairs in ((declared, ["7.T1.T2"]), ({}, ["7.T1.T2", "7.T3.T4"])):
        meta = prepare("chemprot", "chemprot", files, options, 0, tmp_path / str(len(pairs)))
        assert [example["id"] for example in read_examples(tmp_path / str(len(pairs)), "test")] == pairs
        assert meta["dropped"] == (
            {} if len(pairs) == 2 else {f"{s}.relation_across_sentences": 1 for s in ("dev", "test", "train")}
        )
