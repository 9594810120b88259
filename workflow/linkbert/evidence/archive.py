"""Scores in one file: tables, figures and claims are drawn from it on a machine without data, models or GPU.

A zip file with a README for people, ``MANIFEST.json`` (experiment, configuration, checksums) and the files of
``results/<experiment>/scores``. The same files give the same bytes: names are sorted, times are those of 1980.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from linkbert import STAGE, __version__
from linkbert.declarations import check
from linkbert.errors import UserError
from linkbert.files import atomic_file, sha256_of

KIND, VERSION = "linkbert scores", 1
MANIFEST, README = "MANIFEST.json", "README.md"
_TIME = (1980, 1, 1, 0, 0, 0)
# What a damaged zip file raises; a flipped bit may ask for a method or an encryption that nobody knows.
_DAMAGED = (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_FILE = {"type": "object", "required": ["sha256"], "properties": {"sha256": {"type": "string"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["experiment", "config", "files"],
    "properties": {
        "experiment": {"type": "string", "description": "the name of the experiment"},
        "config": {"type": "object", "description": "its configuration"},
        "files": {"type": "object", "additionalProperties": _FILE, "description": "checksums and sizes by name"},
    },
}


@dataclass(frozen=True)
class Archive:
    """An archive's table of contents; `files` maps names, such as ``scores/bert-tiny/…``, to checksums and sizes."""

    path: Path
    experiment: str
    config: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    about: Mapping[str, Any]

    def check(self, experiment: str, scores: Iterable[str]) -> None:
        """Raise a UserError where the archive is of another experiment, or none of these score files is in it."""
        if experiment != self.experiment:
            raise UserError(
                f"{self.path}: holds the scores of the experiment '{self.experiment}', but this is '{experiment}'. "
                "Give its configuration with --configfile, the one that was used for `snakemake export_scores`."
            )
        wanted = set(scores)
        if not wanted & self.files.keys():
            raise UserError(
                f"{self.path}: holds {len(self.files)} files of '{experiment}', but none of the {len(wanted)} score "
                "files that this configuration wants: it was made with other settings, or with another version of the "
                f"code (linkbert {self.about.get('linkbert')}; here {__version__})."
            )

    def read(self, name: str) -> bytes:
        """The bytes of a file, checked against its checksum."""
        try:
            with zipfile.ZipFile(self.path) as content:
                data = content.read(name)
        except _DAMAGED as error:
            raise UserError(f"{self.path}: {name} cannot be read, the archive is damaged ({error}).") from None
        if hashlib.sha256(data).hexdigest() != self.files[name]["sha256"]:
            raise UserError(f"{self.path}: {name} is not what {MANIFEST} says; the archive is damaged.")
        return data

    def extract(self, names: Iterable[str], folder: Path) -> None:
        """Write some of the files below a folder, under their names; each whole or not at all."""
        for name in names:
            data = self.read(name)
            with atomic_file(folder / name) as temporary:
                temporary.write_bytes(data)


def open_archive(path: str | Path) -> Archive:
    """An archive of `export_scores`.

    Raises:
        UserError: no such file, not an archive of scores, or one of another version.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as content:
            about = json.loads(content.read(MANIFEST))
            stored = set(content.namelist())
    except FileNotFoundError:
        raise UserError(f"{path}: no such archive of scores.") from None
    except _DAMAGED as error:
        raise UserError(f"{path}: not an archive of `snakemake export_scores`, or damaged ({error}).") from None
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise UserError(f"{path}: a zip file, but not one of `snakemake export_scores`.")
    if about.get("version") != VERSION:
        raise UserError(f"{path}: an archive of version {about.get('version')}; this is version {VERSION}.")
    check(f"{path}: {MANIFEST}", about, SCHEMA)
    for name in about["files"]:
        parts = PurePosixPath(name).parts
        if parts[:1] != ("scores",) or ".." in parts or "\\" in name:
            raise UserError(f"{path}: '{name}' is not a place for a score; the archive is not to be trusted.")
        if name not in stored:
            raise UserError(f"{path}: {name} is in {MANIFEST} but not in the archive; the archive is damaged.")
    return Archive(path, about["experiment"], about["config"], about["files"], about)


def pack(
    output: Path, results: Path, files: Iterable[Path], config: Mapping[str, Any], absent: Iterable[str] = ()
) -> Archive:
    """Write an archive.

    Args:
        output: the zip file.
        results: the folder of the experiment.
        files: what to pack, all below ``<results>/scores``.
        config: the whole configuration of the experiment.
        absent: score files of the experiment that do not exist; the README counts them.

    Raises:
        UserError: there is nothing to pack.
    """
    names = {path.relative_to(results).as_posix(): path for path in files}
    if not names:
        raise UserError(f"{results}: no scores yet, so there is nothing to pack. Make some first: snakemake tables")
    about = {
        "kind": KIND,
        "version": VERSION,
        "linkbert": __version__,
        "stages": dict(STAGE),
        "experiment": config["experiment"],
        "config": _portable(config),
        "files": {
            name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for name, path in sorted(names.items())
        },
        "absent": sorted(absent),
    }
    with atomic_file(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as content:
        _add(content, README, _readme(about).encode())
        _add(content, MANIFEST, (json.dumps(about, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
        for name, path in sorted(names.items()):
            _add(content, name, path.read_bytes())
    return open_archive(output)


def _add(content: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _TIME)
    member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    content.writestr(member, data)


def _portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without the places of one machine; whether checksums were replaced is part of scores' names."""
    kept = {key: value for key, value in config.items() if key != "scores"}
    checksums = "SHA256SUMS" if config["downloads"].get("checksums") else ""
    return kept | {"downloads": {"mirror": "", "checksums": checksums}}


def _readme(about: Mapping[str, Any]) -> str:
    names = list(about["files"])
    kinds = {
        "score files: what each fine-tuning run scored, with recipe, device, versions and time": [
            name for name in names if name.endswith(".json") and "/training-" not in name and "/lineage-" not in name
        ],
        "evidence files: what a score needs of each test example, for intervals": [
            name for name in names if name.endswith(".npz")
        ],
        "training records: curves of the pretraining": [name for name in names if "/training-" in name],
        "lineages: what every folder between the downloads and a model says of itself": [
            name for name in names if "/lineage-" in name
        ],
    }
    size = sum(file["bytes"] for file in about["files"].values())
    lines = [
        f"# Scores of the experiment '{about['experiment']}'",
        "",
        f"{len(names)} files, {size / 1e6:.1f} MB unpacked, of linkbert {about['linkbert']}:",
        "",
        *(f"- {len(found)} {kind}" for kind, found in kinds.items()),
        "",
        "Every table, figure and claim can be drawn from them again, without data, models or a GPU. In a clone of the",
        "repository, with the configuration of the experiment:",
        "",
        f"    snakemake tables figures --cores 1 --configfile CONFIG --config scores={about['experiment']}-scores.zip",
        f"    python scripts/trace.py --scores {about['experiment']}-scores.zip TABLE MODEL TASK",
        "",
        f"`{MANIFEST}` has the configuration and the SHA-256 of every file.",
    ]
    if about["absent"]:
        lines += ["", f"Not computed yet: {len(about['absent'])} score files; their cells will be empty."]
    return "\n".join(lines) + "\n"
