"""Where a model comes from: what every folder between the downloads and its weights says of itself."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from linkbert.files import fingerprint, read_json, read_meta, sha256_of, write_json

VERSION = 1


def record(
    model: str, results: Path, folders: Iterable[str], output: Path, commit: str | None, downloads: Iterable[str] = ()
) -> dict[str, Any]:
    """Write the lineage of a model: the ``meta.json`` of its folder and of those before it, nearest first.

    A folder that is gone is listed without. Documents name the checksums of what they read: whole files, or parts of
    one that several shards share; `downloads` are such files, whose whole checksum is taken here.

    Raises:
        UserError: the model itself is not there.
    """
    read_meta(results / "models" / model, "pretrain")  # raises where there is no such model
    stages = []
    for folder in folders:
        path = results / folder / "meta.json"
        meta = read_json(path) if path.exists() else None
        stages.append({"folder": folder, "fingerprint": fingerprint(meta) if meta else None, "meta": meta})
    training = results / "models" / model / "training.json"
    measured = ("steps", "tokens", "seconds", "device", "processes", "versions", "utilization")
    trained = read_json(training) if training.exists() else {}
    lineage = {
        "version": VERSION,
        "model": model,
        "commit": commit,
        "downloads": {
            name: sha256_of(results / "downloads" / name)
            for name in downloads
            if (results / "downloads" / name).exists()
        },
        "training": {key: trained[key] for key in measured if key in trained},
        "stages": stages,
    }
    write_json(output, lineage)
    return lineage
