"""The demo's world: valid in each publisher's format, true to its own facts, the same bytes for the same seed."""

import bz2
import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

import make_world as script
from linkbert.errors import UserError
from linkbert.world import vocabulary
from linkbert.world.draw import Draw
from linkbert.world.facts import World
from linkbert.world.generate import create, make_world
from linkbert.world.hub import CHECKPOINTS, SIZES, Size, sizes_from
from linkbert.world.mrqa import SETS, tokens
from linkbert.world.wordings import QUESTIONS, SENTENCES, fill

TAGGING = ("BC5CDR-chem", "BC5CDR-disease", "NCBI-disease", "BC2GM", "JNLPBA")
FILES = {
    "enwiki-pages-articles-multistream.xml.bz2",
    "bookcorpus.txt.gz",
    "bookcorpus.tar.bz2",
    "pubmed25n0001.xml.gz",
    "pubmed25n0002.xml.gz",
    *(f"mrqa-{name}-{split}.jsonl.gz" for name in SETS for split in ("train", "dev")),
    *(f"inhouse_split_{n}.json" for n in ("hotpot", "naturalqa", "newsqa", "searchqa", "squad", "triviaqa")),
    *(f"glue-{n}.zip" for n in ("CoLA", "SST-2", "QQP", "STS-B", "MNLI", "QNLI", "RTE")),
    *(f"glue-MRPC-{n}" for n in ("train.txt", "test.txt", "dev_ids.tsv")),
    *(f"blurb-{n}-{split}.tsv" for n in TAGGING for split in ("train", "devel", "test")),
    *(f"blurb-EBM-NLP-{split}.txt" for split in ("train", "dev", "test")),
    *(f"blurb-PubMedQA-{n}.json" for n in ("questions", "test")),
    *(f"blurb-{n}.zip" for n in ("ChemProt", "DDI", "GAD", "BIOSSES", "BioASQ")),
    "blurb-HoC.tar.gz",
    "medqa-usmle.zip",
    "mmlu-data.tar",
    "README.md",
    "SHA256SUMS",
}
TRAIN, TEST = 120, 48


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    folder = tmp_path_factory.mktemp("made") / "world"
    return make_world(folder, seed=0, scale="small"), folder


@pytest.fixture(scope="module")
def folder(made: tuple[World, Path]) -> Path:
    return made[1]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rows(content: bytes) -> list[list[str]]:
    return [line.split("\t") for line in content.decode().removeprefix("\ufeff").splitlines()]


def test_the_mirror_is_complete_and_its_checksums_are_right(folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if path.is_file()} == FILES
    listed = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert set(listed) == found
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    assert "hub/michiyasunaga/LinkBERT-base/config.json" in listed
    assert "untrained stand-ins" in (folder / "README.md").read_text()


def test_every_declared_download_is_there(folder: Path) -> None:
    """The demo takes each file of the declarations from the mirror, under its local name."""
    config = Path(script.__file__).parent.parent / "config"
    declared = {
        table: [line.split("\t") for line in (config / table).read_text().splitlines() if line and line[0] != "#"]
        for table in ("downloads.tsv", "hub.tsv")
    }
    names = [row[0] for row in declared["downloads.tsv"][1:] if not row[0].startswith("simplewiki")]
    missing = [name for name in names if not (folder / name.replace("{0001..1274}", "0001")).is_file()]
    assert len(names) > 40 and not missing
    # Data sets of the hub are asked for by config/hub.yaml alone.
    assert {row[1] for row in declared["hub.tsv"][1:] if row[3] == "model"} == set(CHECKPOINTS)


def test_same_seed_same_bytes_in_any_process(tmp_path: Path) -> None:
    sums = []
    for number, seed in enumerate(("7", "7", "8")):
        command = [
            sys.executable,
            script.__file__,
            "--scale",
            "tiny",
            "--seed",
            seed,
            "--output",
            f"{tmp_path}/{number}",
        ]
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, check=True, env=environment, capture_output=True)
        sums.append((tmp_path / str(number) / "SHA256SUMS").read_text())
    assert sums[0] == sums[1]
    different = [a.split()[1] for a, b in zip(sums[0].splitlines(), sums[2].splitlines(), strict=True) if a != b]
    assert "enwiki-pages-articles-multistream.xml.bz2" in different and len(different) > 50


def test_an_unknown_scale_or_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown scale 'huge'"):
        make_world(tmp_path / "w", scale="huge")
    with pytest.raises(UserError, match="expected num_layers"):
        sizes_from({"base": {"layers": 2}})
    assert not (tmp_path / "w").exists()


def test_facts_are_consistent(made: tuple[World, Path]) -> None:
    world, _ = made
    titles = [entity.title for entity in world.pages()]
    assert len(titles) == len(set(titles)) and len(titles) > 380
    names = Counter(entity.name for entity in world.pages())
    assert sum(count > 1 for count in names.values()) >= 10, "homonyms"
    assert {fact.relation for fact in world.facts if fact.subject.title} == set(SENTENCES)
    assert set(QUESTIONS) <= set(SENTENCES)
    for relation in set(QUESTIONS) - {"partner"}:
        subjects = [fact.subject for fact in world.facts if fact.relation == relation]
        assert len(subjects) == len(set(subjects)), f"one answer to each question about {relation}"
    for company in world.kinds["company"]:
        for fact in world.about(company, "partner"):
            assert company in [other.object for other in world.about(fact.object, "partner")]


def test_fill_knows_where_the_fields_stand() -> None:
    text, spans = fill("{o} was set up by {s}.", {"s": "Elka Norley", "o": "it"})
    assert text == "It was set up by Elka Norley."
    assert [text[start:end] for start, end in (spans["s"], spans["o"])] == ["Elka Norley", "It"]


# --- corpora


@pytest.fixture(scope="module")
def dump(folder: Path) -> list[etree._Element]:
    content = (folder / "enwiki-pages-articles-multistream.xml.bz2").read_bytes()
    streams, rest = [], content
    while rest:
        decompressor = bz2.BZ2Decompressor()
        streams.append(decompressor.decompress(rest))
        rest = decompressor.unused_data
    assert len(streams) > 10 and b"<page>" not in streams[0] and all(s.count(b"<page>") <= 20 for s in streams)
    root = etree.fromstring(b"".join(streams))
    assert etree.QName(root).namespace == "http://www.mediawiki.org/xml/export-0.11/"
    return root.findall("{*}page")


def wikitext(page: etree._Element) -> str:
    return page.findtext("{*}revision/{*}text") or ""


def test_wiki_dump_is_valid_and_has_a_hub(made: tuple[World, Path], dump: list[etree._Element]) -> None:
    world, _ = made
    titles = [page.findtext("{*}title") for page in dump]
    assert len(titles) == len(set(titles))
    by_title = dict(zip(titles, dump, strict=True))
    assert {entity.title for entity in world.pages()} <= set(titles)
    hub = world.kinds["country"][0].key
    articles = [by_title[entity.title] for entity in world.pages()]
    assert all(f"[[{hub}" in wikitext(page) for page in articles)
    assert all(int(page.find("{*}revision/{*}text").get("bytes")) == len(wikitext(page).encode()) for page in dump)
    assert 120 < np.median([len(wikitext(page).split()) for page in articles]) < 400


def test_wiki_redirects_chains_and_a_loop(dump: list[etree._Element]) -> None:
    target = {
        page.findtext("{*}title"): page.find("{*}redirect").get("title")
        for page in dump
        if page.find("{*}redirect") is not None
    }
    titles = {page.findtext("{*}title") for page in dump}
    assert len(target) > 25
    assert any(aim in target and target[aim] not in target for aim in target.values()), "a chain"
    assert any(target.get(aim) == source for source, aim in target.items()), "a loop"
    assert any(aim not in titles for aim in target.values()), "a redirect to nothing"


@pytest.mark.parametrize(
    "pattern",
    [
        r"\{\{Infobox company\n",
        r"<ref[^>]*/>",
        r"<ref>\{\{cite web",
        r"\[\[File:[^\]]*\[\[[^\]]*\]\]",
        r"\[\[Category:",
        r"\[\[de:",
        r"&nbsp;",
        r"\[\[[^\]|]*_[^\]|]*\|",
        r"\[\[[a-z]\w+\]\]",
        r"\[\[[^\]|]*%[0-9A-F]{2}",
        r"\[\[[^\]|]*#History",
        r"\[\[[a-z]+\]\]s",
        r"\[\[Archive of lost notes\]\]",
        r"\{\{disambiguation\}\}",
        r"\[\[unclosed link",
        r"\{\| class=\"wikitable\"",
        r"<!--.*\[\[",
        r"<nowiki>\[\[",
        r"\[\[ \w+ \]\]",
        r"\[\[:[A-Z]",
        r"\[\[\w+son, |#REDIRECT|#redirect",
        r"[é-ü]",
    ],
)
def test_wiki_has_the_traps_of_real_wikitext(dump: list[etree._Element], pattern: str) -> None:
    assert any(re.search(pattern, wikitext(page)) for page in dump)


def test_wiki_has_other_namespaces_self_links_and_empty_pages(dump: list[etree._Element]) -> None:
    assert {page.findtext("{*}ns") for page in dump} >= {"0", "1", "4", "6", "10", "14"}
    assert any(f"[[{page.findtext('{*}title')}]]" in wikitext(page) for page in dump)
    assert any(not wikitext(page) for page in dump)


def test_books_are_sentences_by_line(made: tuple[World, Path]) -> None:
    world, folder = made
    books = gzip.decompress((folder / "bookcorpus.txt.gz").read_bytes()).decode().split("\n\n")
    assert len(books) == world.scale.books
    for book in books:
        lines = book.strip("\n").split("\n")
        assert len(lines) >= 60 and all(line[-1] in '."?' for line in lines)
    with tarfile.open(folder / "bookcorpus.tar.bz2") as archive:
        parts = {member.name: archive.extractfile(member).read().decode() for member in archive}
    assert set(parts) == {"books_large_p1.txt", "books_large_p2.txt"}
    plain = [line for part in parts.values() for line in part.splitlines()]
    assert len(plain) == sum(len(book.strip("\n").split("\n")) for book in books)
    assert all(line == line.lower() and line[-2] == " " for line in plain)


def medline(folder: Path) -> list[etree._Element]:
    return [etree.fromstring(gzip.decompress((folder / f"pubmed25n000{n}.xml.gz").read_bytes())) for n in (1, 2)]


def test_pubmed_files_have_citations_versions_and_deletions(folder: Path) -> None:
    first, second = medline(folder)
    for root in (first, second):
        assert root.getroottree().docinfo.root_name == "PubmedArticleSet"
    articles = [*first.iter("PubmedArticle"), *second.iter("PubmedArticle")]
    pmids = [article.findtext("MedlineCitation/PMID") for article in articles]
    assert len(articles) > 250 and len(pmids) - len(set(pmids)) == 1
    versions = [article.find("MedlineCitation/PMID").get("Version") for article in articles]
    assert versions.count("2") == 1
    assert second.findtext("DeleteCitation/PMID") in pmids[: len(pmids) // 2]
    comments = [
        n.text for root in (first, second) for n in root.iterfind(".//CommentsCorrections[@RefType='Cites']/PMID")
    ]
    listed = [n.text for root in (first, second) for n in root.iterfind(".//Reference//ArticleId[@IdType='pubmed']")]
    for cited in (comments, listed):
        inside = sum(pmid in set(pmids) for pmid in cited)
        assert inside > 400 and inside < len(cited)
    abstracts = [article.find(".//Abstract") for article in articles]
    assert 0 < sum(abstract is None for abstract in abstracts) < 40
    labels = [bool(abstract.findall("AbstractText[@Label]")) for abstract in abstracts if abstract is not None]
    assert 0.2 < np.mean(labels) < 0.6
    assert any(abstract is not None and abstract.find(".//i") is not None for abstract in abstracts)
    lengths = [len("".join(a.itertext()).split()) for a in abstracts if a is not None]
    assert 80 < np.median(lengths) < 250


def test_pubmed_dates_cross_the_cut_and_no_study_cites_the_future(folder: Path) -> None:
    roots = medline(folder)
    articles = [article for root in roots for article in root.iter("PubmedArticle")]
    date = {}
    for article in articles:
        published = article.find(".//PubDate")
        text = published.findtext("Year") or published.findtext("MedlineDate")
        date[article.findtext("MedlineCitation/PMID")] = int(text[:4])
    assert min(date.values()) <= 2002 and max(date.values()) == 2021
    assert sum(year >= 2020 for year in date.values()) > 10
    for article in articles:
        own = date[article.findtext("MedlineCitation/PMID")]
        for node in article.iterfind(".//Reference//ArticleId[@IdType='pubmed']"):
            assert date.get(node.text, own) <= own


def test_pubmed_parser_reads_the_files(folder: Path) -> None:
    import pubmed_parser

    found = pubmed_parser.parse_medline_xml(str(folder / "pubmed25n0002.xml.gz"), reference_list=True)
    kept = [article for article in found if not article["delete"]]
    assert len(kept) > 120
    assert any(article["references"] for article in kept)
    assert all(re.match(r"20\d\d", article["pubdate"]) for article in kept)


# --- question answering


def lines_of(folder: Path, name: str, split: str) -> tuple[dict, list[dict]]:
    text = gzip.decompress((folder / f"mrqa-{name}-{split}.jsonl.gz").read_bytes()).decode()
    header, *lines = map(json.loads, text.splitlines())
    return header, lines


@pytest.mark.parametrize("name", SETS)
def test_mrqa_offsets_and_sizes(folder: Path, name: str) -> None:
    contexts = {}
    for split, number in (("train", TRAIN), ("dev", 2 * TEST)):
        header, lines = lines_of(folder, name, split)
        assert header == {"header": {"dataset": SETS[name][0], "split": split}}
        contexts[split] = {line["context"] for line in lines}
        questions = [qa for line in lines for qa in line["qas"]]
        assert len(questions) == number and len({qa["qid"] for qa in questions}) == number
        for line in lines:
            context, words = line["context"], line["context_tokens"]
            assert all(context[start : start + len(word)] == word for word, start in words)
            for qa in line["qas"]:
                assert qa["question_tokens"] == tokens(qa["question"])
                for answer in qa["detected_answers"]:
                    assert answer["char_spans"] and answer["text"] in qa["answers"]
                    for (start, end), (first, last) in zip(answer["char_spans"], answer["token_spans"], strict=True):
                        assert context[start : end + 1] == answer["text"]
                        assert words[first][1] == start
                        assert words[last][1] + len(words[last][0]) == end + 1
    assert not contexts["train"] & contexts["dev"]


@pytest.mark.parametrize("name", SETS)
def test_mrqa_index_files_cover_the_dev_lines(folder: Path, name: str) -> None:
    _, lines = lines_of(folder, name, "dev")
    split = json.loads((folder / f"inhouse_split_{SETS[name][1]}.json").read_text())
    assert set(split) == {"dev", "test"}
    assert sorted(split["dev"] + split["test"]) == list(range(len(lines)))
    assert len(split["dev"]) == len(split["test"])


def test_mrqa_styles(folder: Path) -> None:
    first = {name: lines_of(folder, name, "train")[1] for name in SETS}
    assert all(line["context"].count("[PAR] [TLE] ") == 2 and "[SEP]" in line["context"] for line in first["hotpotqa"])
    assert all(line["context"].startswith("[DOC] [TLE] ") for line in first["triviaqa"] + first["searchqa"])
    assert all(line["context"].startswith("<P> ") for line in first["naturalquestions"])
    assert any(len(a["char_spans"]) > 1 for line in first["triviaqa"] for a in line["qas"][0]["detected_answers"])
    assert any(len(qa["answers"]) > 1 for lines in first.values() for line in lines for qa in line["qas"])
    assert not any(line["qas"][0]["question"].endswith("?") for line in first["searchqa"])


def test_a_hotpot_question_needs_both_documents(made: tuple[World, Path]) -> None:
    """The page in the question does not name the thing that is asked about, but names the page that does."""
    _, folder = made
    linked = 0
    lines = lines_of(folder, "hotpotqa", "train")[1]
    for line in lines:
        parts = line["context"].split("[PAR] [TLE] ")[1:]
        pages = {part.split(" [SEP] ")[0]: part for part in parts}
        asked = [title for title in pages if title.split(" (")[0] in line["qas"][0]["question"]]
        others = [title.split(" (")[0] for title in pages if title not in asked]
        linked += any(other in pages[title] for title in asked for other in others)
    assert linked >= 0.95 * len(lines)


# --- GLUE


@pytest.mark.parametrize(
    ("task", "columns", "header"),
    [
        ("CoLA", 4, None),
        ("SST-2", 2, "sentence\tlabel"),
        ("QQP", 6, "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"),
        ("STS-B", 10, "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"),
        ("MNLI", 12, None),
        ("QNLI", 4, "index\tquestion\tsentence\tlabel"),
        ("RTE", 4, "index\tsentence1\tsentence2\tlabel"),
    ],
)
def test_glue_layout(folder: Path, task: str, columns: int, header: str | None) -> None:
    found = members(folder / f"glue-{task}.zip")
    train = rows(found[f"{task}/train.tsv"])
    assert {len(row) for row in train} == {columns}
    if header:
        assert "\t".join(train[0]) == header
    body = train if task == "CoLA" else train[1:]
    assert len(body) == TRAIN
    label = 1 if task == "CoLA" else columns - 1
    counts = Counter(row[label] for row in body)
    if task != "STS-B":
        assert max(counts.values()) == min(counts.values()) == TRAIN // len(counts)
    for name in ("dev_matched", "dev_mismatched") if task == "MNLI" else ("dev",):
        dev = rows(found[f"{task}/{name}.tsv"])
        assert len(dev) - (task != "CoLA") == TEST
        if task == "MNLI":
            assert dev[0][-1] == "gold_label" and len(dev[0]) == 16
    tests = [name for name in found if "/test" in name]
    assert tests and all(len(rows(found[name])[0]) < max(columns, 6) or task == "MNLI" for name in tests)


def test_glue_quotation_marks_do_not_balance(folder: Path) -> None:
    for task in ("QQP", "STS-B", "MNLI", "QNLI", "RTE", "SST-2"):
        found = members(folder / f"glue-{task}.zip")
        assert any(line.count(b'"') % 2 for line in found[f"{task}/train.tsv"].splitlines()), task


def test_glue_paraphrases_are_in_microsofts_files(folder: Path) -> None:
    header, *train = rows((folder / "glue-MRPC-train.txt").read_bytes())
    assert (folder / "glue-MRPC-train.txt").read_bytes().startswith(b"\xef\xbb\xbfQuality")
    assert header == ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    assert len(train) == TRAIN + TEST and {len(row) for row in train} == {5}
    dev = {tuple(row) for row in rows((folder / "glue-MRPC-dev_ids.tsv").read_bytes())}
    labels = Counter(row[0] for row in train if tuple(row[1:3]) in dev)
    assert labels == {"0": TEST // 2, "1": TEST // 2}
    assert any((row[3] + row[4]).count('"') % 2 for row in train)


def test_glue_scores_of_similarity(folder: Path) -> None:
    scores = [float(row[9]) for row in rows(members(folder / "glue-STS-B.zip")["STS-B/train.tsv"])[1:]]
    assert min(scores) == 0 and max(scores) == 5 and len(set(scores)) > 5


# --- BLURB


@pytest.mark.parametrize("name", TAGGING)
def test_tagging_sets(made: tuple[World, Path], name: str) -> None:
    world, folder = made
    kinds = {"BC5CDR-chem": ["drug"], "BC5CDR-disease": ["disease"], "NCBI-disease": ["disease"]}.get(name, ["gene"])
    known = {" ".join(re.findall(r"\w+|[^\w\s]", e.name)).lower() for kind in kinds for e in world.kinds[kind]}
    for split, number in (("train", TRAIN), ("devel", TEST), ("test", TEST)):
        sentences = (folder / f"blurb-{name}-{split}.tsv").read_text().strip("\n").split("\n\n")
        assert len(sentences) == number
        mentions = []
        for sentence in sentences:
            previous = "O"
            for line in sentence.split("\n"):
                word, tag = line.split("\t")
                assert tag in "BIO" and not (tag == "I" and previous == "O")
                if tag == "B":
                    mentions.append(word)
                elif tag == "I":
                    mentions[-1] += f" {word}"
                previous = tag
        assert len(mentions) > number / 2
        assert sum(mention.lower() in known for mention in mentions) > len(mentions) / 3


def test_ebm_nlp(folder: Path) -> None:
    for split, number in (("train", TRAIN // 2), ("dev", TEST // 2), ("test", TEST // 2)):
        text = (folder / f"blurb-EBM-NLP-{split}.txt").read_text()
        assert text.count("-DOCSTART- (") == number
        lines = [line.split(" ") for line in text.splitlines() if line and not line.startswith("-DOCSTART-")]
        assert {len(line) for line in lines} == {4}
        assert {line[3] for line in lines} == {"O", "I-PAR", "I-INT", "I-OUT"}


def test_chemprot_offsets_and_groups(folder: Path) -> None:
    found = members(folder / "blurb-ChemProt.zip")
    for split in ("training", "development", "test_gs"):
        tables = {
            name: rows(found[f"ChemProt/chemprot_{split}_{name}.tsv"])
            for name in ("abstracts", "entities", "relations", "gold_standard")
        }
        text = {pmid: f"{title} {abstract}" for pmid, title, abstract in tables["abstracts"]}
        kind = {}
        for pmid, number, name, start, end, mention in tables["entities"]:
            assert text[pmid][int(start) : int(end)] == mention
            kind[pmid, number] = name
        for pmid, group, scored, _, one, two in tables["relations"]:
            assert kind[pmid, one.removeprefix("Arg1:")] == "CHEMICAL"
            assert kind[pmid, two.removeprefix("Arg2:")].startswith("GENE-")
            assert (group in ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9")) == (scored == "Y ")
        scored = [row for row in tables["relations"] if row[2] == "Y "]
        assert len(scored) == len(tables["gold_standard"]) < len(tables["entities"]) / 2
    groups = Counter(row[1] for row in rows(found["ChemProt/chemprot_training_gold_standard.tsv"]))
    assert set(groups) == {"CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"} and min(groups.values()) >= 5


def test_ddi_documents(folder: Path) -> None:
    found = members(folder / "blurb-DDI.zip")
    places = Counter(name.rsplit("/", 1)[0] for name in found)
    for place in (
        "Train/DrugBank",
        "Train/MedLine",
        *(f"Test/Test for DDI Extraction task/{s}" for s in ("DrugBank", "MedLine")),
    ):
        assert places[f"DDICorpus/{place}"] > 4
    types: Counter[str | None] = Counter()
    for name, content in found.items():
        root = etree.fromstring(content)
        for sentence in root.iter("sentence"):
            entities = {}
            for entity in sentence.iter("entity"):
                start, end = map(int, entity.get("charOffset").split("-"))
                assert sentence.get("text")[start : end + 1] == entity.get("text")
                entities[entity.get("id")] = entity
            pairs = list(sentence.iter("pair"))
            if "Extraction" in name:
                assert len(pairs) == len(entities) * (len(entities) - 1) // 2
            for pair in pairs:
                assert {pair.get("e1"), pair.get("e2")} <= set(entities)
                assert (pair.get("ddi") == "true") == (pair.get("type") is not None)
                types[pair.get("type")] += 1
    assert set(types) == {None, "mechanism", "effect", "advise", "int"}


def test_gad_folds(folder: Path) -> None:
    found = members(folder / "blurb-GAD.zip")
    train, test = rows(found["GAD/1/train.tsv"]), rows(found["GAD/1/test.tsv"])
    assert test[0] == ["index", "sentence", "label"] and len(test) == TEST + 1 and len(train) == TRAIN + TEST
    assert all(row[0].count("@GENE$") == row[0].count("@DISEASE$") == 1 for row in train)
    assert Counter(row[1] for row in train) == {"0": len(train) // 2, "1": len(train) // 2}


def test_hoc_labels_match_sentences(folder: Path) -> None:
    with tarfile.open(folder / "blurb-HoC.tar.gz") as archive:
        found = {member.name: archive.extractfile(member).read().decode() for member in archive}
    texts = {name.rsplit("/", 1)[1]: text for name, text in found.items() if "/text/" in name}
    labels = {name.rsplit("/", 1)[1]: text for name, text in found.items() if "/labels/" in name}
    assert set(texts) == set(labels) and len(texts) == TRAIN + 2 * TEST
    tops, none = Counter(), 0
    for name, text in texts.items():
        sentences = [line for line in text.split("\n") if line.strip()]
        per_sentence = labels[name].split("<")[1:]
        assert len(sentences) == len(per_sentence)
        hallmarks = {p.split("--")[0].strip() for one in per_sentence for p in one.split("AND") if "--" in p}
        tops.update(hallmarks)
        none += not hallmarks
    assert len(tops) == 10 and none >= len(texts) // 8


def test_biosses_documents_hold_a_table_each(folder: Path) -> None:
    found = members(folder / "blurb-BIOSSES.zip")
    tables = {}
    for name in ("Annotation-Pairs", "Annotator-Scores"):
        with zipfile.ZipFile(io.BytesIO(found[f"{name}.docx"])) as archive:
            root = etree.fromstring(archive.read("word/document.xml"))
            assert etree.fromstring(archive.read("[Content_Types].xml")) is not None
        word = "{" + root.nsmap["w"] + "}"
        tables[name] = [
            ["".join(text.text for text in cell.iter(f"{word}t")) for cell in row.iter(f"{word}tc")]
            for row in root.iter(f"{word}tr")
        ]
    pairs, scores = tables["Annotation-Pairs"], tables["Annotator-Scores"]
    assert len(pairs) == len(scores) == 101
    assert pairs[0][1:] == ["Sentence 1", "Sentence 2"] and scores[0][1] == "Annotator A"
    assert [row[0].strip() for row in pairs[1:]] == [row[0] for row in scores[1:]]
    values = np.array([row[1:] for row in scores[1:]], dtype=float)
    assert values.shape == (100, 5) and values.min() == 0 and values.max() == 4
    assert all(row[1].endswith(".") and row[2].endswith(".") for row in pairs[1:])


def test_pubmedqa_and_bioasq(folder: Path) -> None:
    questions = json.loads((folder / "blurb-PubMedQA-questions.json").read_text())
    test = json.loads((folder / "blurb-PubMedQA-test.json").read_text())
    assert len(questions) == TRAIN + 2 * TEST and len(test) == TEST
    assert all(questions[pmid]["final_decision"] == answer for pmid, answer in test.items())
    assert set(test.values()) == {"yes", "no", "maybe"}
    assert all(len(q["CONTEXTS"]) == len(q["LABELS"]) and q["LONG_ANSWER"] for q in questions.values())
    found = members(folder / "blurb-BioASQ.zip")
    assert set(found) == {f"BioASQ/{n}.json" for n in ("training7b", *(f"7B{i}_golden" for i in range(1, 6)))}
    for content in found.values():
        batch = json.loads(content)["questions"]
        yes_no = [question for question in batch if question["type"] == "yesno"]
        assert {question["exact_answer"] for question in yes_no} == {"yes", "no"}
        assert len(yes_no) < len(batch) and all(q["snippets"][0]["text"] for q in batch)
    training = json.loads(found["BioASQ/training7b.json"])["questions"]
    assert len({question["id"] for question in training}) == len(training)


# --- exams


def test_medqa_and_mmlu(made: tuple[World, Path]) -> None:
    world, folder = made
    found = members(folder / "medqa-usmle.zip")
    for split, number in (("train", TRAIN), ("dev", TEST), ("test", TEST)):
        lines = found[f"questions/US/4_options/phrases_no_exclude_{split}.jsonl"].decode().splitlines()
        assert len(lines) == number
        for line in map(json.loads, lines):
            assert list(line["options"]) == list("ABCD") and len(set(line["options"].values())) == 4
            assert line["options"][line["answer_idx"]] == line["answer"]
            for disease in world.kinds["disease"]:
                if f"{disease.name.capitalize()} is diagnosed" in line["question"]:
                    assert line["answer"] == world.the("choice", disease).name
    with tarfile.open(folder / "mmlu-data.tar") as archive:
        texts = {member.name: archive.extractfile(member).read().decode() for member in archive}
    assert set(texts) == {f"data/{s}/professional_medicine_{s}.csv" for s in ("dev", "val", "test")}
    for name, text in texts.items():
        table = list(csv.reader(io.StringIO(text)))
        assert all(len(row) == 6 and row[5] in "ABCD" for row in table)
        assert len(table) == {"dev": 5, "val": TEST // 4, "test": TEST}[name.split("/")[1]]


# --- hub


@pytest.mark.parametrize("repository", CHECKPOINTS)
def test_checkpoints_load(folder: Path, repository: str) -> None:
    import torch
    from transformers import AutoModel, AutoModelForPreTraining, AutoTokenizer

    path = folder / "hub" / repository
    assert set((path / "files.txt").read_text().split()) == {p.name for p in path.iterdir()} - {"files.txt"}
    size, _, lowercase, heads = CHECKPOINTS[repository]
    model, found = AutoModel.from_pretrained(path, output_loading_info=True)
    assert not found["missing_keys"] and bool(found["unexpected_keys"]) == heads
    assert model.config.hidden_size == SIZES[size].hidden_size
    assert len(model.encoder.layer) == SIZES[size].num_layers
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert len(tokenizer) == model.config.vocab_size
    batch = tokenizer("Where is Aldmere Mills based?", "It is in [Marhaven] {x}.", return_tensors="pt")
    assert tokenizer.unk_token_id not in batch["input_ids"]
    assert batch["token_type_ids"].sum() > 0
    pieces = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    assert (pieces[0], pieces[-1]) == ("[CLS]", "[SEP]")
    assert any(piece[0].isupper() for piece in pieces[1:-1]) != lowercase
    with torch.no_grad():
        assert torch.isfinite(model(**batch).last_hidden_state).all()
    if heads:
        _, found = AutoModelForPreTraining.from_pretrained(path, output_loading_info=True)
        assert not found["missing_keys"] and not found["unexpected_keys"]


def test_checkpoint_sizes_are_a_choice(tmp_path: Path) -> None:
    small = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "max_positions": 64}
    sizes = sizes_from({"base": small, "tiny": {"whatever": 1}})
    assert sizes == {"base": Size(1, 16, 2, 32, 64), "large": SIZES["large"]}
    arguments = ["--scale", "tiny", "--sizes", json.dumps({"base": small}), "--output", str(tmp_path / "world")]
    script.main(arguments)
    config = json.loads((tmp_path / "world/hub/michiyasunaga/LinkBERT-base/config.json").read_text())
    assert (config["hidden_size"], config["max_position_embeddings"]) == (16, 64)


def test_vocabulary_is_learned_and_stable() -> None:
    texts = ["Lower lowest low", "low low löwer", "unrelated words"]
    pieces = vocabulary.learn(texts, 200, lowercase=True)
    assert pieces[:5] == list(vocabulary.SPECIAL) and len(pieces) == len(set(pieces))
    assert "low" in pieces and "lower" in pieces and "unrelated" not in pieces
    assert pieces == vocabulary.learn(reversed(texts), 200, lowercase=True)
    assert "Lower" not in pieces and "ö" in vocabulary.learn(["ö ö"], 300, lowercase=False)
    assert len(vocabulary.learn(["ab" * n + " " + "ab" * n for n in range(1, 60)], 140, lowercase=True)) == 140


def test_choices_by_name_do_not_disturb_each_other() -> None:
    alone = Draw(0, "a")
    expected = [alone.whole(0, 99) for _ in range(5)]
    Draw(0, "b").shuffled(range(10))
    again = Draw(0, "a")
    assert [again.whole(0, 99) for _ in range(5)] == expected
    assert sorted(Draw(1, "c").shuffled(range(10))) == list(range(10))
    assert len(Draw(1, "d").some(["x", "y"], 5)) == 2
    assert create(0, "tiny").facts == create(0, "tiny").facts != create(1, "tiny").facts
