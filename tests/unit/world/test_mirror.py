"""The world as a mirror of all downloads: complete, with right checksums, the same bytes for the same seed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import make_world as script
from linkbert.errors import UserError
from linkbert.world.generate import make_world
from linkbert.world.hub import CHECKPOINTS, sizes_from
from linkbert.world.mrqa import SETS

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
    "linkbert-data.zip",
    "README.md",
    "SHA256SUMS",
}


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
