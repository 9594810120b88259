"""Fetch one file and never let a wrong byte pass.

Sources: http(s) (see `linkbert.downloads.transfer`), ``file://`` and local paths, or a mirror of them. Size and
checksum are verified before the rename, so a file that exists is a file that was verified.
"""

import hashlib
import logging
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linkbert.downloads.transfer import BLOCK, Patience, fetch, fetch_text
from linkbert.errors import UserError
from linkbert.files import atomic_file
from linkbert.progress import Progress

log = logging.getLogger(__name__)

_MD5 = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32}(?![0-9a-fA-F])")


@dataclass(frozen=True)
class Expected:
    """What the file must be: each is checked where it is known."""

    sha256: str | None = None
    md5: str | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        for name, digits in (("sha256", 64), ("md5", 32)):
            value = getattr(self, name)
            if value is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value):
                raise UserError(f"{name} '{value}': not {digits} hexadecimal digits.")

    def mismatches(self, path: Path) -> list[tuple[str, object, object]]:
        """The ``(what, expected, found)`` of everything that is wrong with a file."""
        wrong: list[tuple[str, object, object]] = []
        if self.size is not None and path.stat().st_size != self.size:
            wrong.append(("bytes", self.size, path.stat().st_size))
        for name in ("sha256", "md5"):
            value = getattr(self, name)
            if value is not None:
                found = _digest(path, name)
                if found != value.lower():
                    wrong.append((name, value.lower(), found))
        return wrong


def download(
    url: str,
    output: str | os.PathLike,
    expected: Expected | None = None,
    *,
    mirror: str | None = None,
    checksums: str | None = None,
    md5_url: str | None = None,
    patience: Patience | None = None,
) -> Path:
    """Bring `url` to `output`: verified, atomically, resuming what an earlier process left in ``<output>.part``.

    `mirror`: a prefix (http(s)://, file://, or a folder); the file is ``<mirror>/<name of output>`` instead of `url`,
    and the companion of `md5_url` is looked for there, too. `checksums`: a SHA256SUMS file (path or URL) that replaces
    every other expectation, for a mirror whose bytes differ from the publisher's on purpose. `md5_url`: the publisher's
    own ``.md5`` companion. An output that stands already and passes its checksum is left alone.

    A `url` of the form ``provided:<note>`` is a file that only a person can get: an error without a mirror.

    Raises UserError: wrong bytes (the bad file is removed), no such file, or a network that stays away.
    """
    output, expected, patience = Path(output), expected or Expected(), patience or Patience()
    source = _joined(mirror, output.name) if mirror else url
    if source.startswith("provided:"):
        raise UserError(
            f"{output.name}: cannot be fetched by itself ({source.removeprefix('provided:')}). "
            "Put it into a folder under this name and set downloads.mirror in the configuration to that folder."
        )
    if checksums:
        expected = Expected(sha256=checksum_of(output.name, read_checksums(checksums, patience), checksums))
    elif md5_url:
        companion = _joined(mirror, _last(md5_url)) if mirror else md5_url
        digest = _md5_in(read_text(companion, patience), _last(url), companion)
        expected = Expected(expected.sha256, digest, expected.size)
    if (expected.sha256 or expected.md5) and output.is_file() and not expected.mismatches(output):
        log.info("%s: already here and verified", output)
        return output
    local = local_path(source)
    if local is None:
        fetch(source, output, patience, lambda part: _verify(source, part, expected))
    else:
        _copy(source, local, output, expected)
    return output


def local_path(source: str) -> Path | None:
    """The path behind a ``file://`` URL or a plain path; None for http(s). UserError for any other scheme."""
    parts = urllib.parse.urlsplit(source)
    if parts.scheme in ("http", "https"):
        return None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise UserError(
                f"{source}: a file URL has three slashes (file:///folder/name), found host '{parts.netloc}'."
            )
        return Path(urllib.request.url2pathname(parts.path))
    if parts.scheme and "://" in source:
        raise UserError(f"{source}: unknown scheme '{parts.scheme}'. Known: http, https, file, or a path.")
    return Path(source)


def read_text(source: str, patience: Patience | None = None) -> str:
    """A small text file from a path or a URL, with the same patience as `download`."""
    local = local_path(source)
    if local is None:
        return fetch_text(source, patience or Patience())
    try:
        return local.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror}).") from None


def read_checksums(source: str, patience: Patience | None = None) -> dict[str, str]:
    """A SHA256SUMS file (lines ``hex  name`` or ``hex *name``) as {name: hex}; a leading ``./`` is dropped."""
    known = {}
    for number, line in enumerate(read_text(source, patience).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)", line.rstrip())
        if not match:
            raise UserError(f"{source}, line {number}: expected 'sha256  name', found '{line[:80]}'.")
        known[match[2]] = match[1].lower()
    return known


def checksum_of(name: str, known: Mapping[str, str], source: str) -> str:
    """The checksum of a name; a UserError where the list has none."""
    if name not in known:
        raise UserError(
            f"{source}: no checksum for '{name}' among its {len(known)} names. Is it a file of that mirror?"
        )
    return known[name]


def _joined(prefix: str, name: str) -> str:
    quoted = urllib.parse.quote(name) if "://" in prefix else name
    return f"{prefix.rstrip('/')}/{quoted}"


def _last(url: str) -> str:
    """The file name of a URL."""
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])


def _md5_in(text: str, name: str, source: str) -> str:
    """A file's digest in a companion: ``MD5(name)= hex`` (NLM), ``hex  name`` (md5sum, of many files), or it alone."""
    found = [(line, match[0].lower()) for line in text.splitlines() if (match := _MD5.search(line))]
    if len(found) > 1:
        found = [(line, digest) for line, digest in found if name in re.split(r"[\s()*]+", line)]
    if len(found) != 1:
        raise UserError(f"{source}: no MD5 digest of '{name}' in it, found '{text[:80].strip()}'.")
    return found[0][1]


def _digest(path: Path, name: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


def _verify(source: str, path: Path, expected: Expected) -> None:
    """Remove a wrong file and say what is wrong with it."""
    wrong = expected.mismatches(path)
    if wrong:
        path.unlink()
        told = "; ".join(f"{what}: expected {value}, found {found}" for what, value, found in wrong)
        raise UserError(f"{source}: not the declared file ({told}). It was removed.")
    if not (expected.sha256 or expected.md5):
        log.warning("%s: no checksum is declared; its sha256 is %s", source, _digest(path, "sha256"))


def _copy(source: str, local: Path, output: Path, expected: Expected) -> None:
    # A copy, never a hard link: a later edit of the source must not change a verified file.
    if not local.is_file():
        raise UserError(f"{source}: no such file (wanted for {output.name}).")
    with atomic_file(output) as temporary:
        progress = Progress(output.name, local.stat().st_size, "bytes")
        with open(local, "rb") as reader, open(temporary, "wb") as writer:
            while block := reader.read(BLOCK):
                writer.write(block)
                progress.update(len(block))
        progress.close()
        _verify(source, temporary, expected)
