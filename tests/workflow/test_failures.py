"""A mistake in the input ends in one clear sentence, in the log and on the screen, and leaves nothing at its output."""

import bz2
import gzip
import hashlib
import re
import shutil
from pathlib import Path

import pytest

DUMP = "enwiki-pages-articles-multistream.xml.bz2"


@pytest.fixture
def site(clone, world, tmp_path) -> Path:
    """A copy of the repository with a world of its own, to be spoiled."""
    folder = clone(tmp_path / "a site")
    shutil.copytree(world, folder / "results" / "demo" / "world")
    return folder


def mirror(site: Path) -> Path:
    return site / "results" / "demo" / "world"


def declare(path: Path) -> None:
    """Let the mirror's checksums be those of a spoiled file, so that only its reader can notice."""
    sums = path.parent / "SHA256SUMS"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text, count = re.subn(rf"^[0-9a-f]{{64}}(?=  {re.escape(path.name)}$)", digest, sums.read_text(), flags=re.M)
    assert count == 1
    sums.write_text(text)


def fails(demo, site: Path, target: str, log: str, sentence: str, config: str = "") -> None:
    """Check that a target fails with a sentence, on the screen and in the log, and that nothing is left behind."""
    done = demo(site, f"results/demo/{target}", config=config)
    assert done.returncode != 0
    text = (site / "results" / "demo" / "logs" / f"{log}.log").read_text()
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and re.search(sentence, errors[0]), text
    assert errors[0] in done.stderr, done.stderr
    assert "Traceback" not in text + done.stderr
    output = site / "results" / "demo" / target
    assert not output.exists()
    # Neither under another name; folders up to it are Snakemake's.
    assert not output.parent.exists() or not [path for path in output.parent.iterdir() if output.name in path.name]


def test_a_damaged_file_is_not_taken(site, demo):
    with (mirror(site) / "glue-RTE.zip").open("ab") as file:
        file.write(b"x")
    sentence = "glue-RTE.zip: not the declared file .sha256: expected [0-9a-f]{64}, found [0-9a-f]{64}"
    fails(demo, site, "downloads/glue-RTE.zip", "download_file/glue-RTE.zip", sentence)


def test_a_damaged_model_is_not_taken(site, demo):
    weights = mirror(site) / "hub" / "google-bert" / "bert-base-cased" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    fails(demo, site, "hub/bert-base-cased", "download_hub/bert-base-cased", "model.safetensors: not the declared file")


def test_a_missing_file_is_named(site, demo):
    (mirror(site) / "glue-CoLA.zip").unlink()
    sentence = "results/demo/world/glue-CoLA.zip: no such file"
    fails(demo, site, "tasks/cola", "download_file/glue-CoLA.zip", sentence)


def test_a_file_that_only_a_person_can_get_says_so(site, demo):
    sentence = r"blurb-BioASQ.zip: cannot be fetched by itself .*downloads\.mirror"
    nowhere = 'downloads={mirror: "", checksums: ""}'
    fails(demo, site, "downloads/blurb-BioASQ.zip", "download_file/blurb-BioASQ.zip", sentence, nowhere)


def cut_in_a_stream(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def cut_between_streams(data: bytes) -> bytes:
    """Without the last stream, which holds the end of the XML: every stream that is left is whole."""
    return data[: data.rindex(b"BZh91AY&SY")]


def cut_before_compression(data: bytes) -> bytes:
    text = bz2.decompress(data)
    return bz2.compress(text[: len(text) * 2 // 3])


@pytest.mark.parametrize(
    ("cut", "shards", "sentence"),
    [
        (cut_in_a_stream, 2, "the bzip2 data end too early: the file is truncated near byte [0-9,]+ of the file"),
        (cut_between_streams, 2, "broken XML after page .*The file is truncated or damaged"),
        (cut_before_compression, 1, "broken XML after page .*The file is truncated or damaged"),
    ],
)
def test_a_truncated_dump_is_refused(site, demo, cut, shards, sentence):
    dump = mirror(site) / DUMP
    dump.write_bytes(cut(dump.read_bytes()))
    declare(dump)
    last = f"{shards - 1:04d}"
    config = f"overrides={{corpora: {{enwiki: {{shards: {shards}}}}}}}"
    fails(demo, site, f"documents/enwiki/{last}", f"extract_documents/enwiki-{last}", f"{DUMP}: {sentence}", config)


def test_truncated_citations_are_refused(site, demo):
    file = mirror(site) / "pubmed25n0002.xml.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-2000]))
    declare(file)
    sentence = "pubmed25n0002.xml.gz: broken XML after record .*The file is truncated or damaged"
    fails(demo, site, "documents/pubmed/0001", "extract_documents/pubmed-0001", sentence)


def test_a_truncated_task_is_refused(site, demo):
    file = mirror(site) / "mrqa-squad-dev.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-200])
    declare(file)
    fails(demo, site, "tasks/squad", "prepare_task/squad", "mrqa-squad-dev.jsonl.gz: the file is damaged or cut short")


def test_the_tokenizer_of_a_larger_model_is_refused(site, demo):
    """A released model whose row names another tokenizer, with words that the model has no embeddings for."""
    config = "overrides={models: {pubmedbert-base: {tokenizer: bert_cased}}}"
    sentence = "its embeddings have [0-9]+ rows, but the tokenizer bert_cased has [0-9]+ words"
    fails(demo, site, "models/pubmedbert-base", "adopt_model/pubmedbert-base", sentence, config)
