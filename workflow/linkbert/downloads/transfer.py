"""One http(s) transfer that survives cut connections, busy servers and killed processes.

Bytes go to ``<output>.part``. The next attempt, or the next process, continues it with a Range request where the
remote is provably the same file: a strong ETag or the modification date through If-Range, and the total size.
"""

import fcntl
import http.client
import json
import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path

from linkbert import __version__
from linkbert.errors import UserError
from linkbert.files import told_when_full, write_text
from linkbert.progress import Progress

log = logging.getLogger(__name__)

BLOCK = 1 << 20
RETRIED = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Patience:
    """How long to insist: failures in a row without a new byte, seconds of the first wait (it doubles), time-out."""

    attempts: int = 6
    wait: float = 2.0
    longest: float = 120.0
    timeout: float = 60.0

    def seconds(self, failures: int, asked: float | None = None) -> float:
        """The wait after a number of failures in a row; a server's Retry-After can make it longer, up to `longest`."""
        return min(self.longest, max(self.wait * 2 ** (failures - 1), asked or 0.0))


class Interrupted(Exception):
    """A transfer that is worth another attempt."""

    def __init__(self, reason: str, wait: float | None = None, at_once: bool = False):
        super().__init__(reason)
        self.wait, self.at_once = wait, at_once


@dataclass
class _Remote:
    """What is known of the remote file that a part belongs to; kept beside the part as JSON."""

    url: str
    size: int | None = None
    etag: str | None = None
    modified: str | None = None
    path: Path = field(default=Path(), repr=False)

    @classmethod
    def load(cls, path: Path, url: str) -> "_Remote":
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls(known["url"], known["size"], known["etag"], known["modified"], path)
        except (OSError, ValueError, KeyError, TypeError):
            return cls(url, path=path)

    def save(self) -> None:
        known = {"url": self.url, "size": self.size, "etag": self.etag, "modified": self.modified}
        write_text(self.path, json.dumps(known) + "\n")

    def condition(self) -> str | None:
        """The If-Range value: a strong ETag, else the modification date. Weak tags may not be used there (RFC 9110)."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified

    def same(self, other: "_Remote") -> bool:
        """Whether a response still speaks of this file, as far as both say."""
        pairs = ((self.size, other.size), (self.etag, other.etag), (self.modified, other.modified))
        return all(mine == theirs for mine, theirs in pairs if mine is not None and theirs is not None)


def fetch_text(url: str, patience: Patience) -> str:
    """A small text file, in memory."""
    failures = 0
    while True:
        try:
            with _response(_request(url), patience) as response:
                blocks = []
                while block := _block(response):
                    blocks.append(block)
                return b"".join(blocks).decode("utf-8", "replace")
        except Interrupted as error:
            failures += 1
            _wait(url, error, failures, patience)


def fetch(url: str, output: Path, patience: Patience, verify: Callable[[Path], None]) -> None:
    """Bring an http(s) URL to `output` through ``<output>.part``; `verify` raises before the rename where it is wrong.

    A part and what it is a part of (``<output>.part.json``) stay behind when the network fails or the process dies.
    """
    part = output.with_name(output.name + ".part")
    with told_when_full(output), _locked(part):
        remote = _Remote.load(output.with_name(output.name + ".part.json"), url)
        if remote.url != url:
            remote = _restart(part, remote, url)
        progress = Progress(output.name, remote.size, "bytes")
        progress.resume_at(part.stat().st_size)
        failures = 0
        while True:
            before = part.stat().st_size
            try:
                remote = _transfer(url, part, remote, progress, patience)
                break
            except Interrupted as error:
                failures = 1 if part.stat().st_size > before else failures + 1
                remote = _Remote.load(remote.path, url)
                _wait(url, error, failures, patience)
            except UserError:
                if not part.stat().st_size:
                    part.unlink()
                raise
        progress.close()
        remote.path.unlink(missing_ok=True)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        verify(part)
        os.replace(part, output)


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Hold the only right to write a part, so that two processes cannot mix their bytes."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{part}: another process is downloading this file right now.") from None
        except OSError:
            log.debug("%s: this file system has no locks", part)
        yield


def _transfer(url: str, part: Path, remote: _Remote, progress: Progress, patience: Patience) -> _Remote:
    """One attempt: continue `part` where the server agrees that it is the same file, else begin again."""
    have = part.stat().st_size
    if have and not (remote.size and (remote.condition() or remote.etag)):
        # Nothing ties these bytes to what the server holds today.
        remote, have = _restart(part, remote, url), 0
    request = _request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
        if remote.condition():
            request.add_header("If-Range", remote.condition())
    with _response(request, patience) as response:
        now, start = _described(response, url, remote.path)
        if response.status == 416:
            if now.size == have and remote.same(now):
                return remote
            _restart(part, remote, url)
            raise Interrupted("the remote file has changed its size; beginning again", at_once=True)
        if response.status == 206 and (start != have or not remote.same(now)):
            _restart(part, remote, url)
            raise Interrupted("the remote file has changed; beginning again", at_once=True)
        if response.status == 200:
            if have:
                log.info("%s: the remote file has changed or cannot be continued; beginning again", url)
            # In this order: old bytes beside the new description would look like a part of the new file after a kill.
            _restart(part, remote, url)
            have, remote = 0, now
            remote.save()
        progress.total = remote.size or progress.total
        progress.resume_at(have)
        # Unbuffered: what has arrived is in the file when the process is killed.
        with open(part, "r+b", buffering=0) as file:
            file.truncate(have)
            file.seek(have)
            while block := _block(response):
                left = memoryview(block)
                while left:  # a disk that is nearly full takes a part, and says so by the number only
                    left = left[file.write(left) :]
                progress.update(len(block))
        if remote.size is not None and part.stat().st_size < remote.size:
            raise Interrupted(f"the connection ended after {part.stat().st_size} of {remote.size} bytes")
    return remote


def _restart(part: Path, remote: _Remote, url: str) -> _Remote:
    os.truncate(part, 0)
    remote.path.unlink(missing_ok=True)
    return _Remote(url, path=remote.path)


def _described(response: http.client.HTTPResponse, url: str, path: Path) -> tuple[_Remote, int]:
    """What a response says of the file, and the position of its first byte."""
    length, start = response.headers.get("Content-Length"), 0
    size = int(length) if response.status == 200 and length and length.isdigit() else None
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match and response.status in (206, 416):
        start = int(match[1]) if match[1] else -1
        size = int(match[2]) if match[2] != "*" else None
    return _Remote(url, size, response.headers.get("ETag"), response.headers.get("Last-Modified"), path), start


def _request(url: str) -> urllib.request.Request:
    # identity: ranges and checksums are of the file, not of a compressed transfer.
    return urllib.request.Request(url, headers={"User-Agent": f"linkbert/{__version__}", "Accept-Encoding": "identity"})


def _response(request: urllib.request.Request, patience: Patience) -> http.client.HTTPResponse:
    """The opened response (200, 206 or 416); Interrupted where another attempt may help, UserError where not."""
    url = request.full_url
    try:
        return urllib.request.urlopen(request, timeout=patience.timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        if error.code in RETRIED:
            raise Interrupted(
                f"HTTP {error.code} {error.reason}", _retry_after(error.headers.get("Retry-After"))
            ) from None
        raise UserError(f"{url}: the server answers HTTP {error.code} {error.reason}. Is the address right?") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(f"{url}: its certificate is not trusted ({error.reason.verify_message}).") from None
        raise Interrupted(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Interrupted(str(error) or type(error).__name__) from None


def _block(response: http.client.HTTPResponse) -> bytes:
    """The next bytes as they arrive; empty at the end."""
    try:
        return response.read1(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise Interrupted(str(error) or type(error).__name__) from None


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or a date."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _wait(url: str, error: Interrupted, failures: int, patience: Patience) -> None:
    if failures >= patience.attempts:
        raise UserError(
            f"{url}: {error}, {failures} times in a row. Try again later: what has arrived is kept and continued."
        ) from None
    if error.at_once:
        return
    seconds = patience.seconds(failures, error.wait)
    log.warning("%s: %s; attempt %d of %d in %.0f s", url, error, failures + 1, patience.attempts, seconds)
    time.sleep(seconds)
