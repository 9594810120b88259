"""Hub folders from mirrors and from a small server that speaks the hub's own protocol."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import download_hub as script
from linkbert.downloads.hub import download_hub, needed
from linkbert.downloads.transfer import Patience
from linkbert.errors import UserError
from linkbert.files import read_meta

COMMIT = "0123456789abcdef0123456789abcdef01234567"
QUICK = Patience(attempts=2, wait=0.001, longest=0.01, timeout=5)
MODEL = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights" * 100,
    "pytorch_model.bin": b"pickle",
    "vocab.txt": b"[PAD]\n[UNK]\n",
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "README.md": b"words",
    "onnx/config.json": b"{}",
}
KEPT = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]


def make_mirror(folder: Path, files: dict[str, bytes], repository: str = "org/name") -> Path:
    lines = []
    for name, content in files.items():
        file = folder / "hub" / repository / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  hub/{repository}/{name}\n")
    (folder / "hub" / repository / "files.txt").write_text("\n".join(files) + "\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A static http mirror of tmp_path/mirror, and the hub protocol for org/name at COMMIT."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object):
            super().__init__(*arguments, directory=str(tmp_path / "mirror"))

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            if path.startswith("/hub/"):
                return super().do_GET() if body else super().do_HEAD()
            resolve = f"/org/name/resolve/{COMMIT}/"
            if path.startswith(resolve) and path.removeprefix(resolve) in MODEL:
                content = MODEL[path.removeprefix(resolve)]
            elif path == f"/api/models/org/name/revision/{COMMIT}":
                siblings = [{"rfilename": name} for name in MODEL]
                content = json.dumps({"id": "org/name", "sha": COMMIT, "siblings": siblings}).encode()
            elif path.startswith(f"/api/models/org/name/tree/{COMMIT}"):
                tree = [
                    {"type": "file", "oid": hashlib.sha1(body).hexdigest(), "size": len(body), "path": name}
                    for name, body in MODEL.items()
                ]
                content = json.dumps(tree).encode()
            else:
                self.send_response(418 if "/org/teapot/" in path else 404)
                known = path.startswith("/api/models/org/name/")
                code = "RevisionNotFound" if known else "RepoNotFound"
                self.send_header("X-Error-Code", "Teapot" if "/org/teapot/" in path else code)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content)
            return None

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "mirror").mkdir()
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


def check(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == sorted([*KEPT, "meta.json"])
    meta = read_meta(folder, "download")
    assert meta["parameters"] == {"repository": "org/name", "revision": COMMIT, "kind": "model"}
    assert meta["sha256"] == {name: hashlib.sha256(MODEL[name]).hexdigest() for name in KEPT}
    assert all((folder / name).read_bytes() == MODEL[name] for name in KEPT)


def test_needed_files() -> None:
    assert needed(MODEL, "model") == KEPT
    assert needed(["config.json", "pytorch_model.bin", "tf_model.h5"], "model") == ["config.json", "pytorch_model.bin"]
    assert needed(["data/a.parquet", "README.md", "x.jsonl"], "dataset") == ["data/a.parquet", "x.jsonl"]
    with pytest.raises(UserError, match="unknown kind 'space'"):
        needed([], "space")


def test_folder_mirror_through_the_command(tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "mirror", MODEL)
    arguments = ["--repository", "org/name", "--revision", COMMIT, "--kind", "model", "--mirror", mirror.as_uri()]
    script.main([*arguments, "--checksums", str(mirror / "SHA256SUMS"), "--output", str(tmp_path / "out")])
    check(tmp_path / "out")


def test_a_folder_of_this_machine_needs_no_mirror_and_no_commit(tmp_path: Path) -> None:
    own = make_mirror(tmp_path / "mirror", MODEL) / "hub/org/name"
    meta = download_hub(own.as_uri(), "", "model", tmp_path / "out", mirror=str(tmp_path / "another"))
    assert meta["sha256"] == {name: hashlib.sha256(MODEL[name]).hexdigest() for name in KEPT}
    with pytest.raises(UserError, match="no such folder"):
        download_hub(f"{own.as_uri()}s", "", "model", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_http_mirror(tmp_path: Path, server: str) -> None:
    make_mirror(tmp_path / "mirror", MODEL)
    download_hub("org/name", COMMIT, "model", tmp_path / "out", mirror=server, patience=QUICK)
    check(tmp_path / "out")


def test_hub_protocol_then_offline_from_the_cache(
    tmp_path: Path, server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_hub("org/name", COMMIT, "model", tmp_path / "out", endpoint=server)
    check(tmp_path / "out")
    assert read_meta(tmp_path / "out")["commit"] == COMMIT
    assert not any(file.is_symlink() for file in (tmp_path / "out").iterdir())
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    download_hub("org/name", COMMIT, "model", tmp_path / "offline", endpoint=server)
    check(tmp_path / "offline")
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        download_hub("org/other", COMMIT, "model", tmp_path / "none", endpoint=server)
    assert not (tmp_path / "none").exists()


def test_hub_checksums(tmp_path: Path, server: str, cache: Path) -> None:
    sums = tmp_path / "SUMS"
    lines = {name: f"{hashlib.sha256(MODEL[name]).hexdigest()}  hub/org/name/{name}\n" for name in KEPT}
    sums.write_text("".join(lines.values()))
    download_hub("org/name", COMMIT, "model", tmp_path / "out", endpoint=server, checksums=str(sums))
    check(tmp_path / "out")
    sums.write_text("".join(lines.values()).replace(lines["vocab.txt"], "0" * 64 + "  hub/org/name/vocab.txt\n"))
    with pytest.raises(UserError, match=r"vocab\.txt: sha256 expected 0000"):
        download_hub("org/name", COMMIT, "model", tmp_path / "bad", endpoint=server, checksums=str(sums))
    assert not (tmp_path / "bad").exists()


def test_what_is_not_on_the_hub(tmp_path: Path, server: str, cache: Path) -> None:
    with pytest.raises(UserError, match="no revision"):
        download_hub("org/name", "f" * 40, "model", tmp_path / "out", endpoint=server)
    with pytest.raises(UserError, match="no such model"):
        download_hub("org/missing", COMMIT, "model", tmp_path / "out", endpoint=server)
    with pytest.raises(UserError, match="the hub cannot be read"):
        download_hub("org/teapot", COMMIT, "model", tmp_path / "out", endpoint=server)
    assert not (tmp_path / "out").exists()


def test_a_revision_that_moves_is_refused(tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "mirror", MODEL)
    for revision in ("main", "v1.0", COMMIT[:7]):
        with pytest.raises(UserError, match="can move"):
            download_hub("org/name", revision, "model", tmp_path / "out", mirror=str(mirror))
    download_hub("org/name", "main", "model", tmp_path / "out", mirror=str(mirror), allow_branch=True)
    assert read_meta(tmp_path / "out")["parameters"]["revision"] == "main"


def test_wrong_or_missing_files_leave_nothing(tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "mirror", MODEL)
    (mirror / "hub/org/name/config.json").write_bytes(b"{} ")
    options = {"mirror": str(mirror), "checksums": str(mirror / "SHA256SUMS")}
    with pytest.raises(UserError, match="sha256: expected"):
        download_hub("org/name", COMMIT, "model", tmp_path / "out", **options)
    with pytest.raises(UserError, match="has no folder"):
        download_hub("org/other", COMMIT, "model", tmp_path / "out", **options)
    with pytest.raises(UserError, match="expected org/name"):
        download_hub("name", COMMIT, "model", tmp_path / "out", **options)
    (mirror / "hub/org/name/model.safetensors").unlink()
    (mirror / "hub/org/name/pytorch_model.bin").unlink()
    with pytest.raises(UserError, match="missing: weights"):
        download_hub("org/name", COMMIT, "model", tmp_path / "out", mirror=str(mirror))
    make_mirror(tmp_path / "words", {"README.md": b"words"})
    with pytest.raises(UserError, match="none of its files"):
        download_hub("org/name", COMMIT, "dataset", tmp_path / "out", mirror=str(tmp_path / "words"))
    assert not (tmp_path / "out").exists()


def test_a_mirror_cannot_write_outside(tmp_path: Path, server: str) -> None:
    make_mirror(tmp_path / "mirror", MODEL)
    (tmp_path / "mirror/hub/org/name/files.txt").write_text("config.json\n../../../evil.json\n")
    with pytest.raises(UserError, match="leads out"):
        download_hub("org/name", COMMIT, "dataset", tmp_path / "out", mirror=server, patience=QUICK)
