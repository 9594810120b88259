"""Fetch a model or a data set of the Hugging Face hub, pinned to a commit, into one whole folder."""

import fnmatch
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from linkbert.downloads.download import Expected, Patience, checksum_of, download, local_path, read_checksums, read_text
from linkbert.errors import UserError, unknown
from linkbert.files import atomic_folder, read_json, sha256_of, write_meta

TOKENIZER = ("vocab.txt", "tokenizer*.json", "special_tokens_map.json")
PATTERNS = {
    "model": ("config.json", "*.safetensors", "pytorch_model*.bin", *TOKENIZER),
    "dataset": ("*.parquet", "*.jsonl", "*.jsonl.gz", "*.json", "*.csv", "*.csv.gz", "*.tsv"),
}


def needed(files: Iterable[str], kind: str) -> list[str]:
    """The files of a repository that this workflow reads, sorted.

    Models: configuration, tokenizer and weights of the top folder, as safetensors where there are any (pickles only
    where there are none). Data sets: tables at any depth.

    >>> needed(["config.json", "model.safetensors", "pytorch_model.bin", "onnx/config.json"], "model")
    ['config.json', 'model.safetensors']
    """
    if kind not in PATTERNS:
        raise unknown("hub", "kind", kind, PATTERNS)
    chosen = sorted(file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in PATTERNS[kind]))
    if kind == "model":
        chosen = [file for file in chosen if "/" not in file]
        if any(file.endswith(".safetensors") for file in chosen):
            chosen = [file for file in chosen if not file.endswith(".bin")]
    return chosen


def download_hub(
    repository: str,
    revision: str,
    kind: str,
    output: str | os.PathLike,
    *,
    mirror: str | None = None,
    checksums: str | None = None,
    allow_branch: bool = False,
    endpoint: str | None = None,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Bring ``org/name`` at a commit, or a folder of this machine, to the folder `output`; return its meta.json.

    It holds the sha256 of every file and, from the hub itself, the commit that was found.

    `mirror`: a prefix; the files are those of ``<mirror>/hub/<org>/<name>/`` (over http its ``files.txt`` names them).
    `checksums`: a SHA256SUMS file whose names are relative to the mirror (``hub/<org>/<name>/<file>``).
    `endpoint`: another hub than the public one (default: the environment's HF_ENDPOINT).

    Raises UserError: a revision that can move (unless `allow_branch`), offline mode without a cached copy, a repository
    or a revision that is not there, nothing in it to read, a wrong byte.
    """
    own = repository.startswith("file://")
    if not own and not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError(
            f"repository '{repository}': expected org/name, as in michiyasunaga/LinkBERT-base, or file:///folder."
        )
    if not own and not allow_branch and not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise UserError(
            f"{repository}: revision '{revision}' can move. Give the 40 digits of a commit, or --allow-branch."
        )
    if kind not in PATTERNS:
        raise unknown(repository, "kind", kind, PATTERNS)
    patience = patience or Patience()
    with atomic_folder(output) as folder:
        found = {}
        if own:
            _from_folder(repository, kind, folder)
        elif mirror:
            _from_mirror(repository, kind, folder, mirror.rstrip("/"), checksums, patience)
        else:
            found["commit"] = _from_hub(repository, revision, kind, folder, endpoint)
            _verify(repository, folder, checksums, patience)
        if kind == "model":
            _check_model(repository, folder)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return write_meta(
            folder,
            "download",
            parameters={"repository": repository, "revision": revision, "kind": kind},
            counts={"files": len(files), "bytes": sum(file.stat().st_size for file in files)},
            **found,
            sha256={file.relative_to(folder).as_posix(): sha256_of(file) for file in files},
        )


def _from_folder(repository: str, kind: str, folder: Path) -> None:
    """Copy a folder of this machine, such as a model that was trained here."""
    root = local_path(repository)
    if root is None or not root.is_dir():
        raise UserError(f"{repository}: there is no such folder.")
    for name in _some(
        repository, (file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()), kind
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)


def _from_mirror(
    repository: str, kind: str, folder: Path, mirror: str, checksums: str | None, patience: Patience
) -> None:
    base = f"hub/{repository}"
    root = local_path(f"{mirror}/{base}")
    if root is not None:
        if not root.is_dir():
            raise UserError(f"{repository}: the mirror has no folder {root}.")
        names = [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]
    else:
        names = read_text(f"{mirror}/{base}/files.txt", patience).split("\n")
        names = [name.strip() for name in names if name.strip()]
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{mirror}/{base}/files.txt: '{name}' leads out of the folder.")
    chosen = _some(repository, names, kind)
    known = read_checksums(checksums, patience) if checksums else None
    for name in chosen:
        expected = Expected(sha256=checksum_of(f"{base}/{name}", known, checksums)) if known is not None else Expected()
        download(f"{mirror}/{base}/{name}", folder / name, expected, patience=patience)


def _from_hub(repository: str, revision: str, kind: str, folder: Path, endpoint: str | None) -> str:
    """Fill `folder` and return the commit that the revision stands for.

    Through the hub's own cache, which resumes after a kill and serves offline; then copied, without its links.
    """
    # A slow import (httpx and more) that the mirror does not need.
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    where = {"repo_id": repository, "repo_type": kind, "revision": revision, "endpoint": endpoint}
    try:
        if constants.is_offline_mode():
            cached, chosen = _cached(repository, kind, where)
        else:
            listed = HfApi(endpoint=endpoint).list_repo_files(repository, revision=revision, repo_type=kind)
            chosen = _some(repository, listed, kind)
            cached = Path(snapshot_download(**where, allow_patterns=chosen))
    except UserError:
        raise
    except RevisionNotFoundError:
        raise UserError(f"{repository}: the hub has no revision '{revision}' of it.") from None
    except RepositoryNotFoundError:
        raise UserError(
            f"{repository}: the hub has no such {kind}, or it is gated and you are not logged in."
        ) from None
    except HFValidationError as error:
        raise UserError(f"{repository}: {error}") from None
    except Exception as error:
        # The hub client lets the errors of several HTTP libraries through; all of them mean the same here.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        offline = " HF_HUB_OFFLINE is set and the cache has no copy." if constants.is_offline_mode() else ""
        raise UserError(
            f"{repository}@{revision}: the hub cannot be read ({reason}).{offline} Without a network, put its "
            f"files into hub/{repository}/ of a mirror (downloads.mirror in the config)."
        ) from None
    for name in chosen:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(cached / name, folder / name)
    return cached.name  # the cache names a snapshot by its commit


def _cached(repository: str, kind: str, where: dict[str, Any]) -> tuple[Path, list[str]]:
    """The snapshot in the hub's cache and its files, without the network."""
    from huggingface_hub import snapshot_download

    # The client refuses a snapshot that lacks a wanted file, and pickles are wanted only where they are all there is.
    deeper = ["*/*"] if kind == "model" else []
    for unwanted in ([*deeper, "*.bin"], deeper):
        cached = snapshot_download(
            **where, local_files_only=True, allow_patterns=list(PATTERNS[kind]), ignore_patterns=unwanted
        )
        names = [file.relative_to(cached).as_posix() for file in Path(cached).rglob("*") if file.is_file()]
        if kind != "model" or any(name.endswith(".safetensors") for name in names):
            break
    return Path(cached), _some(repository, names, kind)


def _some(repository: str, files: Iterable[str], kind: str) -> list[str]:
    files = sorted(files)
    chosen = needed(files, kind)
    if not chosen:
        found = ", ".join(files[:8]) or "nothing"
        raise UserError(f"{repository}: none of its files is one that a {kind} is read from. Found: {found}.")
    return chosen


def _verify(repository: str, folder: Path, checksums: str | None, patience: Patience) -> None:
    if not checksums:
        return
    known = read_checksums(checksums, patience)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = f"hub/{repository}/{file.relative_to(folder).as_posix()}"
        expected, found = checksum_of(name, known, checksums), sha256_of(file)
        if found != expected:
            raise UserError(f"{repository}, {file.name}: sha256 expected {expected}, found {found}. Nothing was kept.")


def _check_model(repository: str, folder: Path) -> None:
    """A model is a configuration, weights and a vocabulary; a part of one would only fail later, in a worse place."""
    names = {file.name for file in folder.iterdir()}
    weights = [name for name in names if name.endswith((".safetensors", ".bin"))]
    vocabulary = names & {"vocab.txt", "tokenizer.json"}
    missing = [
        what
        for what, there in (
            ("config.json", "config.json" in names),
            ("weights (*.safetensors or pytorch_model.bin)", weights),
            ("vocab.txt or tokenizer.json", vocabulary),
        )
        if not there
    ]
    if missing:
        raise UserError(f"{repository}: not a model this workflow can load; missing: {', '.join(missing)}.")
    read_json(folder / "config.json")
