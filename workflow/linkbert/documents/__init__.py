"""Raw dumps to documents with links: MediaWiki XML, PubMed XML, plain books, JSON Lines (docs/design.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from linkbert.documents.options import parse
from linkbert.documents.writer import Tally, Writer
from linkbert.errors import UserError, unknown
from linkbert.files import atomic_folder, write_meta

FORMATS = ("mediawiki", "pubmed", "books", "jsonl")


def extract(
    format_name: str,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    shard: int = 0,
    shards: int = 1,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write one shard's folder of documents and return its ``meta.json``.

    `inputs` are all files of the corpus, in corpus order; the shard chooses its part of them. `options` are those of
    the format's ``Options``. A UserError leaves no folder behind.
    """
    if format_name not in FORMATS:
        raise unknown("documents", "format", format_name, FORMATS)
    if not 0 <= shard < shards:
        raise UserError(f"documents: shard {shard} of {shards}: shards are numbered from 0 to {max(shards - 1, 0)}.")
    paths = [Path(path) for path in inputs]
    if not paths:
        raise UserError("documents: no input file is given.")
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file. Download it first, or mend the corpus declaration.")
    reader = import_module(f"linkbert.documents.{format_name}")
    chosen = parse(reader.Options, options or {}, f"documents, format {format_name}")
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(chosen).items()}
    tally = Tally()
    with atomic_folder(output) as folder:
        with Writer(folder, tally) as writer:
            hashes = reader.extract(paths, shard, shards, chosen, writer, tally)
        return write_meta(
            folder,
            "documents",
            inputs=hashes,
            parameters={"format": format_name, "shard": shard, "shards": shards, "options": values},
            counts=dict(sorted(tally.counts.items())),
            dropped=dict(sorted(tally.dropped.items())),
        )
