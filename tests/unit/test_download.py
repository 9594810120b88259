"""Downloads against a real HTTP server on this machine that can misbehave on demand."""

import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import download_file
from linkbert.downloads.download import Expected, checksum_of, download, local_path, read_checksums
from linkbert.downloads.transfer import Patience
from linkbert.errors import UserError

CONTENT = bytes(range(256)) * 800  # 204,800 bytes
OTHER = bytes(reversed(range(256))) * 800
QUICK = Patience(attempts=4, wait=0.001, longest=0.01, timeout=5)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Remote:
    """A served file and the mishaps planned for the next requests: a status, or ('cut', bytes to send)."""

    def __init__(self) -> None:
        self.content, self.etag, self.modified = CONTENT, '"one"', None
        self.ranges, self.honest, self.plan, self.requests = True, True, [], []
        self.pause = 0.0
        self.url = ""
        self.texts: dict[str, str] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    remote: Remote

    def do_GET(self) -> None:
        remote = self.remote
        if self.path in remote.texts:
            body = remote.texts[self.path].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        remote.requests.append(dict(self.headers))
        mishap = remote.plan.pop(0) if remote.plan else None
        if isinstance(mishap, int):
            self.send_response(mishap)
            if mishap == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start, size = 0, len(remote.content)
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        fresh = remote.honest and condition not in (None, remote.etag, remote.modified)
        if remote.ranges and asked and not fresh:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if remote.etag:
            self.send_header("ETag", remote.etag)
        if remote.modified:
            self.send_header("Last-Modified", remote.modified)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        body = remote.content[start:]
        if isinstance(mishap, tuple):
            body = body[: mishap[1]]
            self.close_connection = True
        step = 8192 if remote.pause else len(body)
        for first in range(0, len(body), step or 1):
            self.wfile.write(body[first : first + step])
            time.sleep(remote.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def remote() -> Iterator[Remote]:
    state = Remote()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Bound", (Handler,), {"remote": state, "handle_error": None})
    )
    server.handle_error = lambda *_: None  # a client that goes away is part of these tests
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    yield state
    server.shutdown()
    server.server_close()


def fetched(remote: Remote, output: Path, content: bytes = CONTENT) -> bytes:
    download(remote.url, output, Expected(sha256=sha256(content)), patience=QUICK)
    assert sorted(file.name for file in output.parent.iterdir()) == [output.name], "nothing else is left"
    return output.read_bytes()


def test_plain_download(remote: Remote, tmp_path: Path) -> None:
    assert fetched(remote, tmp_path / "new" / "file.bin") == CONTENT
    assert remote.requests[0]["Accept-Encoding"] == "identity"


def test_a_verified_output_is_not_fetched_again(remote: Remote, tmp_path: Path) -> None:
    fetched(remote, tmp_path / "file.bin")
    fetched(remote, tmp_path / "file.bin")
    assert len(remote.requests) == 1


def test_truncated_response_is_continued_not_repeated(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [("cut", 70_000), ("cut", 10_000)]
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert [request.get("Range") for request in remote.requests] == [None, "bytes=70000-", "bytes=80000-"]
    assert remote.requests[1]["If-Range"] == '"one"'


@pytest.mark.parametrize("statuses", [[503], [500, 502, 429], [504, 408]])
def test_passing_server_errors_are_retried(remote: Remote, tmp_path: Path, statuses: list[int]) -> None:
    remote.plan = list(statuses)
    assert fetched(remote, tmp_path / "file.bin") == CONTENT


def test_lasting_server_error_keeps_the_part(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [("cut", 50_000), *[503] * 10]
    with pytest.raises(UserError, match=r"HTTP 503 .* 4 times in a row"):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    assert not (tmp_path / "file.bin").exists()
    assert (tmp_path / "file.bin.part").stat().st_size == 50_000
    remote.plan = []
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert remote.requests[-1]["Range"] == "bytes=50000-"


def test_a_client_error_is_not_retried(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [404]
    with pytest.raises(UserError, match="HTTP 404"):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    assert len(remote.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "expected",
    [Expected(sha256="0" * 64), Expected(md5="0" * 32), Expected(size=7), Expected(sha256=sha256(CONTENT), size=7)],
)
def test_wrong_bytes_never_pass(remote: Remote, tmp_path: Path, expected: Expected) -> None:
    with pytest.raises(UserError) as caught:
        download(remote.url, tmp_path / "file.bin", expected, patience=QUICK)
    assert remote.url in str(caught.value) and "expected" in str(caught.value) and "found" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_md5_is_checked_and_told(remote: Remote, tmp_path: Path) -> None:
    digest = hashlib.md5(CONTENT).hexdigest()
    download(remote.url, tmp_path / "file.bin", Expected(md5=digest.upper(), size=len(CONTENT)), patience=QUICK)
    with pytest.raises(UserError, match=f"found {digest}"):
        download(remote.url, tmp_path / "again.bin", Expected(md5="1" * 32), patience=QUICK)


@pytest.mark.parametrize(
    "text", ["MD5(file.bin)= {}\n", "{}  file.bin\n", "{}", f"{'a' * 32}  other-file.bin\n{{}} *file.bin\n"]
)
def test_publishers_md5_companion(remote: Remote, tmp_path: Path, text: str) -> None:
    companion = remote.url + ".md5"
    remote.texts["/file.bin.md5"] = text.format(hashlib.md5(CONTENT).hexdigest())
    download(remote.url, tmp_path / "file.bin", md5_url=companion, patience=QUICK)
    remote.texts["/file.bin.md5"] = text.format("f" * 32)
    with pytest.raises(UserError, match="md5: expected ffff"):
        download(remote.url, tmp_path / "again.bin", md5_url=companion, patience=QUICK)
    remote.texts["/file.bin.md5"] = "<html>moved</html>"
    with pytest.raises(UserError, match="no MD5 digest"):
        download(remote.url, tmp_path / "again.bin", md5_url=companion, patience=QUICK)


@pytest.mark.parametrize("honest", [True, False], ids=["server knows If-Range", "server ignores If-Range"])
@pytest.mark.parametrize("tag", ['"two"', 'W/"two"', None])
def test_a_changed_remote_begins_again(remote: Remote, tmp_path: Path, honest: bool, tag: str | None) -> None:
    remote.honest, remote.modified = honest, "Mon, 01 Jan 2024 00:00:00 GMT"
    remote.plan = [("cut", 60_000), *[503] * 9]
    with pytest.raises(UserError):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    remote.plan, remote.content, remote.etag, remote.modified = [], OTHER, tag, "Tue, 02 Jan 2024 00:00:00 GMT"
    assert fetched(remote, tmp_path / "file.bin", OTHER) == OTHER


def test_a_remote_that_shrank_begins_again(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [("cut", 60_000), *[503] * 9]
    with pytest.raises(UserError):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    remote.plan, remote.content, remote.honest = [], OTHER[:1000], False
    assert fetched(remote, tmp_path / "file.bin", OTHER[:1000]) == OTHER[:1000]


def test_without_a_validator_nothing_is_continued(remote: Remote, tmp_path: Path) -> None:
    remote.etag, remote.plan = None, [("cut", 60_000)]
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert [request.get("Range") for request in remote.requests] == [None, None]


def test_a_server_without_ranges(remote: Remote, tmp_path: Path) -> None:
    remote.ranges, remote.plan = False, [("cut", 60_000)]
    assert fetched(remote, tmp_path / "file.bin") == CONTENT


def test_a_complete_part_is_taken_over(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [("cut", 204_799), *[503] * 9]
    with pytest.raises(UserError):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    with open(tmp_path / "file.bin.part", "ab") as part:
        part.write(CONTENT[-1:])
    remote.plan = []
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert remote.requests[-1]["Range"] == "bytes=204800-"


def test_the_part_of_another_url_is_not_used(remote: Remote, tmp_path: Path) -> None:
    remote.plan = [("cut", 60_000), *[503] * 9]
    with pytest.raises(UserError):
        download(remote.url + "?old", tmp_path / "file.bin", patience=QUICK)
    remote.plan = []
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert "Range" not in remote.requests[-1]


def test_resume_after_a_kill(remote: Remote, tmp_path: Path) -> None:
    remote.pause = 0.2
    script = Path(download_file.__file__)
    command = [sys.executable, str(script), "--url", remote.url, "--output", str(tmp_path / "file.bin")]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    part = tmp_path / "file.bin.part"
    deadline = time.monotonic() + 300
    while not (part.exists() and part.stat().st_size and (tmp_path / "file.bin.part.json").exists()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(UserError, match="another process"):
        download(remote.url, tmp_path / "file.bin", patience=QUICK)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = part.stat().st_size
    assert 0 < kept < len(CONTENT)
    remote.pause = 0.0
    assert fetched(remote, tmp_path / "file.bin") == CONTENT
    assert remote.requests[-1]["Range"] == f"bytes={kept}-"


def test_a_full_disk_is_told_and_what_arrived_is_continued(remote: Remote, tmp_path: Path) -> None:
    command = [sys.executable, download_file.__file__, "--url", remote.url, "--output", str(tmp_path / "file")]
    limited = ["bash", "-c", 'ulimit -f 100 && exec "$@"', "bash", *command]  # blocks of 1,024 bytes
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(limited, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr and "Make room" in done.stderr
    assert (tmp_path / "file.part").read_bytes() == CONTENT[: 100 * 1024]
    download(remote.url, tmp_path / "file", Expected(sha256(CONTENT)), patience=QUICK)
    assert "Range" in remote.requests[-1]


def test_no_server_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="4 times in a row"):
        download("http://127.0.0.1:9/file.bin", tmp_path / "file.bin", patience=QUICK)
    assert not (tmp_path / "file.bin").exists()


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_files_are_copied_not_linked(tmp_path: Path, form: str) -> None:
    source, output = tmp_path / "with space.bin", tmp_path / "out" / "file.bin"
    source.write_bytes(CONTENT)
    url = form.format(str(source).replace(" ", "%20") if "://" in form else source)
    download(url, output, Expected(sha256=sha256(CONTENT)))
    source.write_bytes(b"edited in place")
    assert output.read_bytes() == CONTENT
    with pytest.raises(UserError, match="sha256: expected"):
        download(url, tmp_path / "out" / "second.bin", Expected(sha256=sha256(CONTENT)))
    assert [file.name for file in output.parent.iterdir()] == ["file.bin"]
    assert source.exists(), "the publisher's own file is never removed"


@pytest.mark.parametrize("kind", ["folder", "file url", "http"])
def test_mirror_and_checksums(remote: Remote, tmp_path: Path, kind: str) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "file.bin").write_bytes(CONTENT)
    (mirror / "SHA256SUMS").write_text(f"{sha256(CONTENT)}  ./file.bin\n{sha256(OTHER)}  other.bin\n")
    prefix = {"folder": str(mirror), "file url": mirror.as_uri() + "/", "http": remote.url.rsplit("/", 1)[0]}[kind]
    remote.texts["/SHA256SUMS"] = (mirror / "SHA256SUMS").read_text()
    arguments = ["--url", "https://nowhere.invalid/original-name", "--mirror", prefix]
    arguments += ["--checksums", f"{prefix.rstrip('/')}/SHA256SUMS", "--sha256", "0" * 64, "--bytes", "5"]
    download_file.main([*arguments, "--output", str(tmp_path / "out" / "file.bin")])
    assert (tmp_path / "out" / "file.bin").read_bytes() == CONTENT
    with pytest.raises(UserError, match=r"no checksum for 'third\.bin'"):
        download_file.main([*arguments, "--output", str(tmp_path / "out" / "third.bin")])


def test_mirror_of_the_originals_keeps_their_checksums(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    (tmp_path / "source.gz.md5").write_text(f"MD5(source.gz)= {hashlib.md5(CONTENT).hexdigest()}\n")
    options = {"mirror": str(tmp_path), "md5_url": "https://nowhere.invalid/pub/source.gz.md5"}
    download("https://nowhere.invalid/pub/source.gz", tmp_path / "out" / "file.bin", **options)
    with pytest.raises(UserError, match="sha256: expected 0000"):
        download(
            "https://nowhere.invalid/x", tmp_path / "o" / "file.bin", Expected(sha256="0" * 64), mirror=str(tmp_path)
        )
    with pytest.raises(UserError, match="no such file"):
        download("https://nowhere.invalid/x", tmp_path / "o" / "absent.bin", mirror=str(tmp_path))


def test_bad_arguments_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        Expected(sha256="abc")
    with pytest.raises(UserError, match="unknown scheme 'ftp'"):
        download("ftp://example.org/x", tmp_path / "x")
    with pytest.raises(UserError, match="three slashes"):
        local_path("file://folder/x")
    (tmp_path / "SUMS").write_text("not a checksum list\n")
    with pytest.raises(UserError, match="line 1"):
        read_checksums(str(tmp_path / "SUMS"))
    with pytest.raises(UserError, match="no checksum"):
        checksum_of("a", {"b": "0" * 64}, "SUMS")


def test_waits_double_up_to_a_limit_and_respect_the_server() -> None:
    patience = Patience(wait=2, longest=30)
    assert [patience.seconds(n) for n in (1, 2, 3, 4, 5, 6)] == [2, 4, 8, 16, 30, 30]
    assert patience.seconds(1, asked=20) == 20
    assert patience.seconds(1, asked=9999) == 30
