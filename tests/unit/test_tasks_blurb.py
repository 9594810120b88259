"""BLURB's raw corpora, in invented miniatures of the publishers' formats."""

import json
import zipfile

import pytest

from linkbert.errors import UserError
from linkbert.tasks.dummies import dummify
from linkbert.tasks.prepare import prepare, read_examples

SPLITS = ("train", "dev", "test")


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return {"archive": folder}


def ids(folder):
    return {split: [example["id"] for example in read_examples(folder, split)] for split in SPLITS}


NER = '-DOCSTART-\tO\n\nFlu\tB-Disease\nvirus\tI-Disease\n\n"\tO\nGout\tB\u2013x\n\nBad\n.\tO\n\n'


def test_ner_keeps_the_first_letter_of_tags_and_whole_sentences(tmp_path):
    files = write(tmp_path / "ner", {"train.tsv": NER, "devel.tsv": "Flu\tB\n", "test.tsv": NER + "End\tO"})
    meta = prepare("n", "ner", files, {}, 0, tmp_path / "out")
    assert [(e["tokens"], e["tags"]) for e in read_examples(tmp_path / "out", "train")] == [
        (["Flu", "virus"], ["B", "I"]),
        (['"', "Gout"], ["O", "B"]),
    ]
    assert meta["labels"] == ["B", "I", "O"]
    assert meta["counts"]["train_mentions"] == 2
    assert meta["counts"]["test"] == 3
    assert meta["dropped"] == {"train.broken_row": 1, "test.broken_row": 1}
    meta = prepare("n", "ner", files, {"typed": True}, 0, tmp_path / "typed")
    assert "B-Disease" in meta["labels"]


PICO = "-DOCSTART- (1)\n\nAdults NN O I-PAR\nslept NN O O\n. NN O O\n\nWell NN O I-OUT\n"


def test_ebm_nlp_counts_words_and_divides_by_abstract(tmp_path):
    dev = "".join(
        PICO.replace("(1)", f"({n})").replace("Adults", f"Adults{n}").replace("Well", f"Well{n}") for n in range(5)
    )
    files = write(tmp_path / "pico", {"dev.txt": dev, "test.txt": PICO})
    options = {"divide": {"dev": {"train": 4, "dev": 1}}, "expected": {"test_words": 2}}
    meta = prepare("p", "ebm_nlp", files, options, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [8, 2, 2]
    assert meta["counts"]["train_words"] == 8
    assert (meta["metric"], meta["labels"], meta["warnings"]) == ("word_macro_f1", ["I-INT", "I-OUT", "I-PAR", "O"], [])
    assert read_examples(tmp_path / "out", "dev")[0]["tokens"][0].startswith("Adults")


TITLE, ABSTRACT = "Zaprol binds kinase Qin.", "Zaprol blocks Qin. Bexin raises zaprolase. Bexin acts. Qin rests."
TEXT = f"{TITLE}\t{ABSTRACT}"


def chemprot_part(part, order="{part}_{table}"):
    mentions = [
        ("T1", "CHEMICAL", 0, "Zaprol"),
        ("T2", "GENE-Y", 13, "kinase Qin"),
        ("T3", "CHEMICAL", TEXT.index("Zaprol blocks"), "Zaprol"),
        ("T4", "GENE-N", TEXT.index("Qin. Bexin"), "Qin"),
        ("T5", "CHEMICAL", TEXT.index("Bexin raises"), "Bexin"),
        ("T6", "CHEMICAL", TEXT.index("zaprolase"), "zaprol"),
        ("T7", "GENE-Y", TEXT.index("zaprolase"), "zaprolase"),
        ("T8", "CHEMICAL", TEXT.index("Bexin acts"), "Bexin"),
        ("T9", "GENE-Y", 3, "misplaced"),
    ]
    entities = "".join(f"77\t{name}\t{kind}\t{at}\t{at + len(word)}\t{word}\n" for name, kind, at, word in mentions)
    first = {"training": "CPR:6", "development": "CPR:5"}.get(part, "CPR:4")  # equal splits would be refused
    relations = [(first, "T1", "T2"), ("CPR:10", "T3", "T4"), ("CPR:3", "T5", "T7"), ("CPR:9", "T8", "T4")]
    relations += [("CPR:2", "T6", "T7"), ("CPR:5", "T6", "T7")]
    lines = "".join(f"77\t{label}\tY \tX\tArg1:{one}\tArg2:{two}\n" for label, one, two in relations)
    tables = {"abstracts": f"77\t{TITLE}\t{ABSTRACT}\n", "entities": entities, "relations": lines}
    return {f"{part}/chemprot_" + order.format(part=part, table=t) + ".tsv": text for t, text in tables.items()}


def test_chemprot_pairs_within_sentences(tmp_path):
    parts = {**chemprot_part("training"), **chemprot_part("development"), **chemprot_part("test", "{part}_{table}_gs")}
    meta = prepare("c", "chemprot", write(tmp_path / "c", parts), {}, 0, tmp_path / "out")
    examples = read_examples(tmp_path / "out", "test")
    assert {e["id"]: (e["text_a"], e["label"]) for e in examples} == {
        "77.T1.T2": ("@CHEMICAL$ binds @GENE$.", "CPR:4"),
        "77.T3.T4": ("@CHEMICAL$ blocks @GENE$.", "false"),  # CPR:10 is not evaluated
        "77.T5.T7": ("@CHEMICAL$ raises @GENE$.", "CPR:3"),
        "77.T6.T7": ("Bexin raises @CHEM-GENE$.", "CPR:5"),  # overlapping; the last relation decides
    }
    assert meta["dropped"]["train.relation_across_sentences"] == 1
    assert meta["dropped"]["train.entity_not_at_offset"] == 1
    assert "test: 1 relation lines contradict an earlier one of their pair; the last decides" in meta["warnings"]
    with pytest.raises(UserError, match="unknown option sentences 'spacy'"):
        prepare("c", "chemprot", {"archive": tmp_path / "c"}, {"sentences": "spacy"}, 0, tmp_path / "x")


def test_chemprot_as_the_publishers_zip_of_zips(tmp_path):
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as outer:
        for part, prefix in (("training", "training"), ("development", "development"), ("test", "test_gs")):
            with zipfile.ZipFile(tmp_path / "part.zip", "w") as inner:
                for name, text in chemprot_part(part, f"{prefix}_{{table}}").items():
                    inner.writestr(name, text)
            outer.write(tmp_path / "part.zip", f"ChemProt_Corpus/chemprot_{part}.zip")
    meta = prepare("c", "chemprot", {"archive": tmp_path / "corpus.zip"}, {}, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [4, 4, 4]


def test_dummies_in_any_order_and_touching():
    names = (("CHEMICAL", "GENE"), "CHEM-GENE")
    assert dummify("Q binds\tZap.", (8, 11), (0, 1), *names) == "@GENE$ binds @CHEMICAL$."
    assert dummify("ZapQ.", (0, 3), (3, 4), *names) == "@CHEMICAL$@GENE$."  # neighbours do not overlap
    assert dummify("ZapQ.", (0, 4), (3, 4), *names) == "@CHEM-GENE$."


def ddi_document(name, pairs):
    entities = (
        f'<entity id="{name}.s0.e0" charOffset="0-4" type="drug" text="Zapro"/>'
        f'<entity id="{name}.s0.e1" charOffset="10-14" type="drug" text="Bexin"/>'
        f'<entity id="{name}.s0.e2" charOffset="0-2;6-8" type="group" text="Zap and"/>'
    )
    lines = "".join(
        f'<pair id="{name}.s0.p{n}" e1="{name}.s0.{one}" e2="{name}.s0.{two}" {rest}/>'
        for n, (one, two, rest) in enumerate(pairs)
    )
    sentence = f'<sentence id="{name}.s0" text="Zapro and Bexin &lt;2 &amp; more.">{entities}{lines}</sentence>'
    return f'<?xml version="1.0" encoding="UTF-8"?><document id="{name}">{sentence}</document>'


def test_ddi_pairs_labels_and_parts(tmp_path):
    pairs = [("e0", "e1", 'ddi="true" type="effect"'), ("e1", "e0", 'ddi="false"'), ("e0", "e2", 'ddi="true"')]
    broken = [("e0", "e9", 'ddi="false"')]
    files = {f"DDI/Train/MedLine/{n}.xml": ddi_document(f"M.d{n}", pairs) for n in range(20)}
    files["DDI/Test/Test for DDI Extraction task/DrugBank/a b.xml"] = ddi_document("T.d0", pairs[:2] + broken)
    files["DDI/Test/Test for DrugNER task/DrugBank/a b.xml"] = ddi_document("N.d0", pairs)
    archive = write(tmp_path / "ddi", files)
    meta = prepare("d", "ddi", archive, {}, 0, tmp_path / "out")
    assert [(e["text_a"], e["label"]) for e in read_examples(tmp_path / "out", "test")] == [
        ("@DRUG$ and @DRUG$ <2 & more.", "DDI-effect"),
        ("@DRUG$ and @DRUG$ <2 & more.", "DDI-false"),
    ]
    train = read_examples(tmp_path / "out", "train")
    assert train[2]["text_a"] == "@DRUG-DRUG$ Bexin <2 & more."
    assert train[2]["label"] == "DDI-int"
    assert meta["dropped"] == {"test.broken_row": 1}
    assert "train: 20 pairs that interact have no type; they are labelled DDI-int" in meta["warnings"]
    assert [meta["counts"][split] for split in SPLITS] == [51, 9, 2]  # 17 : 3 documents, as 624 : 90
    documents = [{name.split(".s")[0] for name in names} for names in ids(tmp_path / "out").values()]
    assert not documents[0] & documents[1]
    # The publisher's own test documents may stand in the lists; a training document among them may not.
    lists = {"train": ["M.d0", "M.d2"], "dev": ["M.d1", "M.d99"], "test": ["T.d0"]}
    (tmp_path / "lists.json").write_text(json.dumps(lists))
    meta = prepare("d", "ddi", archive | {"split": tmp_path / "lists.json"}, {}, 0, tmp_path / "own")
    assert [meta["counts"][split] for split in SPLITS] == [6, 3, 2]
    assert meta["dropped"] == {"train.not_in_index_file": 51, "test.broken_row": 1}
    assert "the index file lists 1 of 4 units that the data do not hold" in meta["warnings"]
    (tmp_path / "lists.json").write_text(json.dumps(lists | {"test": ["T.d0", "M.d3", "M.d4"]}))
    with pytest.raises(UserError, match=r"2 units are listed as 'test', such as 'M.d3', .* divides into train and dev"):
        prepare("d", "ddi", archive | {"split": tmp_path / "lists.json"}, {}, 0, tmp_path / "x")
    write(tmp_path / "ddi", {"DDI/Train/MedLine/3.xml": "<document><sentence>"})
    with pytest.raises(UserError, match=r"Train/MedLine/3.xml: not valid XML"):
        prepare("d", "ddi", archive, {}, 0, tmp_path / "x")


def test_gad_has_a_header_in_one_file_and_keeps_its_order(tmp_path):
    train = "".join(f"@GENE$ and @DISEASE$ {n}.\t{n % 2}\n" for n in range(18))
    test = "index\tsentence\tlabel\n0\t@GENE$ alone.\t1\n1\tShort.\t2\n"
    files = write(tmp_path / "gad", {"GAD/1/train.tsv": train, "GAD/1/test.tsv": test, "euadr/1/train.tsv": "x\t1\n"})
    meta = prepare("g", "gad", files, {}, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [16, 2, 1]
    assert read_examples(tmp_path / "out", "dev")[0]["text_a"] == "@GENE$ and @DISEASE$ 16."
    assert [(e["text_a"], e["label"]) for e in read_examples(tmp_path / "out", "test")] == [("@GENE$ alone.", "1")]
    assert meta["dropped"] == {"test.unknown_label": 1}


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def word_file(path, rows):
    def cell(text):
        runs = "".join(f"<w:r><w:t>{part}</w:t></w:r>" for part in text.split("|"))
        return f"<w:tc><w:p>{runs}</w:p></w:tc>"

    table = "".join("<w:tr>" + "".join(cell(text) for text in row) + "</w:tr>" for row in rows)
    with zipfile.ZipFile(path, "w") as archive:
        xml = f'<w:document xmlns:w="{W}"><w:body><w:tbl>{table}</w:tbl></w:body></w:document>'
        archive.writestr("word/document.xml", xml)


def biosses(folder, pairs=10, annotators=5):
    folder.mkdir(exist_ok=True)
    rows = [[f"{n} ", f"Cells |grow {n} .", f"Cells die {n}."] for n in range(1, pairs + 1)]
    word_file(folder / "Annotation-Pairs.docx", [["", "Sentence 1", "Sentence 2"], *rows])
    scores = [[str(n), *("01234"[(n + a) % 5] for a in range(annotators))] for n in range(1, pairs + 1)]
    word_file(folder / "Annotator-Scores.docx", [["Sentence No", *"ABCDE"[:annotators]], *scores])
    return {"archive": folder}


def test_biosses_is_the_mean_of_annotators(tmp_path):
    files = biosses(tmp_path / "b")
    meta = prepare("b", "biosses", files, {}, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [6, 2, 2]
    assert read_examples(tmp_path / "out", "train")[0]["label"] == 2.0
    assert sorted(name for names in ids(tmp_path / "out").values() for name in names) == sorted(
        f"pair-{n}" for n in range(1, 11)
    )
    prepare("b", "biosses", biosses(tmp_path / "two", annotators=2), {}, 0, tmp_path / "mean")
    example = {e["id"]: e for split in SPLITS for e in read_examples(tmp_path / "mean", split)}["pair-4"]
    assert (example["text_a"], example["label"]) == ("Cells grow 4 .", 2.0)  # scores 4 and 0
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for file in (tmp_path / "b").iterdir():
            archive.write(file, f"BIOSSES-Dataset/{file.name}")
    prepare("b", "biosses", {"archive": tmp_path / "both.zip"}, {}, 0, tmp_path / "zip")
    assert ids(tmp_path / "zip") == ids(tmp_path / "out")


def test_biosses_counts_pairs_without_scores_and_refuses_other_files(tmp_path):
    files = biosses(tmp_path / "b")
    word_file(
        tmp_path / "b/Annotator-Scores.docx", [["No", "A"], *([str(n), "x" if n == 1 else "2"] for n in range(1, 10))]
    )
    meta = prepare("b", "biosses", files, {}, 0, tmp_path / "out")
    assert meta["dropped"] == {"all.broken_row": 2}
    (tmp_path / "b/Annotator-Scores.docx").write_text("not a zip")
    with pytest.raises(UserError, match="not a Word file"):
        prepare("b", "biosses", files, {}, 0, tmp_path / "x")


def hoc_files(number):
    files = {}
    for n in range(number):
        files[f"HoC/text/{100 + n}.txt"] = f"Sentence one of {n} .\nSentence two .\n"
        files[f"HoC/labels/{100 + n}.txt"] = "< Inducing angiogenesis--Deep AND Cellular energetics--X< NULL"
    return files


def test_hoc_unites_the_hallmarks_of_sentences(tmp_path):
    files = hoc_files(20) | {"HoC/README.md": "x", "HoC/text/999.txt": "No labels.\n"}
    files["HoC/labels/100.txt"] = "< < "
    files["HoC/labels/101.txt"] = "< "
    files["HoC/labels/102.txt"] = "< Being lazy--Very< "
    files["HoC/labels/103.txt"] = "< < < NULL"
    meta = prepare("h", "hoc", write(tmp_path / "hoc", files), {}, 0, tmp_path / "out")
    examples = {e["id"]: e for split in SPLITS for e in read_examples(tmp_path / "out", split)}
    assert examples["100"]["labels"] == []  # control abstracts stay
    assert examples["105"] == {
        "id": "105",
        "text_a": "Sentence one of 5 . Sentence two .",
        "labels": ["Cellular energetics", "Inducing angiogenesis"],
    }
    assert meta["dropped"]["all.text_or_labels_missing"] == 1
    assert meta["dropped"]["all.sentences_without_labels"] == 2
    assert sum(number for name, number in meta["dropped"].items() if name.endswith("unknown_label")) == 1
    assert len(meta["labels"]) == 10
    assert meta["metric"] == "multilabel_f1"


def test_hoc_takes_blurbs_lists(tmp_path):
    files = write(tmp_path / "hoc", hoc_files(6))
    (tmp_path / "lists.json").write_text(json.dumps({"train": [100, 101], "dev": ["102"], "test": ["103"]}))
    meta = prepare("h", "hoc", files | {"split": tmp_path / "lists.json"}, {}, 0, tmp_path / "out")
    assert ids(tmp_path / "out") == {"train": ["100", "101"], "dev": ["102"], "test": ["103"]}
    assert meta["split"] == "1295 : 186 : 371 abstracts, by the index file"


@pytest.mark.parametrize("reader", ["hoc", "biosses", "bioasq", "pubmedqa"])
def test_what_an_index_file_does_not_list_is_counted(tmp_path, reader):
    questions = {
        str(n): {"QUESTION": f"Is {n}?", "CONTEXTS": ["One."], "final_decision": "yes"} for n in range(101, 131)
    }
    test_ids = {str(n): "yes" for n in range(121, 131)}
    pubmedqa = {"ori_pqal.json": json.dumps(questions), "test_ground_truth.json": json.dumps(test_ids)}
    bioasq = {"training7b.json": bioasq_file(*map(str, range(101, 121))), "7B1_golden.json": bioasq_file("t1")}
    archive, part, units = {
        "hoc": (lambda: write(tmp_path / "raw", hoc_files(20)), "all", range(100, 120)),
        "biosses": (lambda: biosses(tmp_path / "raw"), "all", range(1, 11)),
        "bioasq": (lambda: write(tmp_path / "raw", bioasq), "train", range(101, 121)),
        "pubmedqa": (lambda: write(tmp_path / "raw", pubmedqa), "train", range(101, 121)),
    }[reader]
    names = ("train", "dev", "test") if part == "all" else ("train", "dev")
    index = tmp_path / "index.json"
    index.write_text(json.dumps({name: list(units[place : place + 1]) for place, name in enumerate(names)}))
    meta = prepare("x", reader, archive() | {"split": index}, {}, 0, tmp_path / "out")
    assert meta["dropped"] == {f"{part}.not_in_index_file": len(units) - len(names)}
    assert [meta["counts"][name] for name in names] == [1] * len(names)
    index.write_text(json.dumps({"train": list(units), "validation": []}))
    with pytest.raises(UserError, match=r"index.json: unknown split 'validation'. Known: dev, test, train"):
        prepare("x", reader, archive() | {"split": index}, {}, 0, tmp_path / "out")


def test_pubmedqa_takes_the_publishers_test_questions(tmp_path):
    questions = {
        str(n): {"QUESTION": f"Is {n}?", "CONTEXTS": ["One.", "Two."], "LONG_ANSWER": "It is.", "final_decision": "yes"}
        for n in range(30)
    }
    questions["7"]["final_decision"] = "unsure"
    del questions["8"]["CONTEXTS"]
    test = {str(n): "yes" for n in range(10)}
    files = write(tmp_path / "q", {"ori_pqal.json": json.dumps(questions), "test_ground_truth.json": json.dumps(test)})
    meta = prepare("q", "pubmedqa", files, {}, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [18, 2, 8]
    assert set(ids(tmp_path / "out")["test"]) <= set(test)
    assert read_examples(tmp_path / "out", "train")[0]["text_b"] == "One. Two."  # the conclusion is not in the input
    assert meta["dropped"] == {"test.broken_row": 1, "test.unknown_label": 1}
    roles = {"questions": tmp_path / "q/ori_pqal.json", "test_ids": tmp_path / "q/test_ground_truth.json"}
    prepare("q", "pubmedqa", roles, {}, 0, tmp_path / "roles")
    assert ids(tmp_path / "roles") == ids(tmp_path / "out")


def bioasq_file(*names, answer="yes"):
    def question(name):
        snippets = [{"text": "First\nline."}, {"text": "Second."}]
        return {"id": name, "type": "yesno", "body": f"Is\n{name}?", "exact_answer": answer, "snippets": snippets}

    return json.dumps({"questions": [*map(question, names), {"id": "f", "type": "factoid", "body": "Who?"}]})


def test_bioasq_reads_yes_and_no_and_never_trains_on_test(tmp_path):
    files = {
        "training7b.json": bioasq_file(*(f"a{n}" for n in range(20)), "t1"),
        "sub/7B1_golden.json": bioasq_file("t1", answer=["No"]),
        "7B2_golden.json": bioasq_file("t2", answer="perhaps"),
    }
    archive = write(tmp_path / "b", files)
    meta = prepare("b", "bioasq", archive, {}, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in SPLITS] == [18, 2, 1]
    assert meta["dropped"] == {"train.also_in_test": 1, "test.unknown_label": 1}
    assert read_examples(tmp_path / "out", "test") == [
        {"id": "t1", "text_a": "Is t1?", "text_b": "First line. Second.", "label": "no"}
    ]
    # A dev set of an earlier year lies in the training file too.
    options = {"train": ["*.json"], "dev": ["7B1*"], "test": ["7B3*"]}
    write(tmp_path / "b", {"sub/7B3_golden.json": bioasq_file("a3", "a4"), "6B1_golden.json": bioasq_file("a5")})
    meta = prepare("b", "bioasq", archive, options, 0, tmp_path / "dev")
    found = {split: set(names) for split, names in ids(tmp_path / "dev").items()}
    assert (found["dev"], found["test"]) == ({"t1"}, {"a3", "a4"})
    assert not found["train"] & (found["dev"] | found["test"])
    assert (meta["dropped"]["train.also_in_test"], meta["dropped"]["train.also_in_dev"]) == (4, 2)
    options = {"train": ["training*.json"], "dev": ["7B1*"], "test": ["7B1*"]}
    with pytest.raises(UserError, match="split 'dev' has no examples"):
        prepare("b", "bioasq", archive, options, 0, tmp_path / "x")
    with pytest.raises(UserError, match=r"no file matches 8B\*.json \(test\). It holds: .*7B2_golden.json"):
        prepare("b", "bioasq", archive, {"test": ["8B*.json"]}, 0, tmp_path / "x")
