"""Finding and reading members of folders and archives, whole or damaged."""

import gzip
import io
import tarfile
import zipfile

import pytest

from linkbert.errors import UserError
from linkbert.tasks.members import (
    find_member,
    is_archive,
    lines_of,
    lines_of_member,
    member_names,
    open_member,
    read_bytes,
    read_member,
    read_members,
)

FILES = {
    "Set/train.tsv": b"top\n",
    "Set/original/train.tsv": b"deep\n",
    "Set/in_train.tsv": b"other\n",
    "Set/dev.tsv.gz": gzip.compress(b"zipped\n"),
    "__MACOSX/Set/train.tsv": b"junk",
    "Set/._train.tsv": b"junk",
    "Set/.DS_Store": b"junk",
}


def as_folder(path):
    for name, content in FILES.items():
        file = path / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path / "folder"


def as_zip(path):
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return path / "a.zip"


def as_zip_of_zip(path):
    as_zip(path)
    with zipfile.ZipFile(path / "outer.zip", "w") as archive:
        archive.writestr("corpus/inner.zip", (path / "a.zip").read_bytes())
    return path / "outer.zip"


def as_tar(path):
    with tarfile.open(path / "a.tar.gz", "w:gz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path / "a.tar.gz"


@pytest.mark.parametrize("make", [as_folder, as_zip, as_zip_of_zip, as_tar])
def test_a_member_is_found_by_the_end_of_its_path(tmp_path, make):
    path = make(tmp_path)
    assert is_archive(path)
    assert read_member(path, "train.tsv") == b"top\n"
    assert read_member(path, "original/train.tsv") == b"deep\n"
    assert read_member(path, "dev.tsv") == b"zipped\n"
    assert read_member(path, "absent.tsv", "in_train.tsv") == b"other\n"
    assert find_member(path, "rain.tsv") is None
    assert len(member_names(path)) == 4  # junk is not seen
    assert len(read_members(path, lambda name: name.endswith("train.tsv"))) == 3


def test_an_absent_member_is_answered_with_what_is_there(tmp_path):
    with pytest.raises(UserError, match=r"no member named test.tsv. It holds: Set/dev.tsv.gz, Set/in_train.tsv"):
        open_member(as_zip(tmp_path), "test.tsv")


@pytest.mark.parametrize("make", [as_folder, as_zip, as_zip_of_zip, as_tar])
def test_the_lines_of_a_member_are_those_of_its_text(tmp_path, make):
    path = make(tmp_path)
    for names in (("train.tsv",), ("original/train.tsv",), ("dev.tsv",), ("absent.tsv", "in_train.tsv")):
        assert list(lines_of_member(path, *names)) == [line.rstrip("\n") for line in open_member(path, *names)]
    with pytest.raises(UserError, match=r"no member named test.tsv. It holds: "):
        lines_of_member(path, "test.tsv")


def test_a_member_is_streamed_and_what_is_wrong_with_it_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("latin.txt", "a\nb\né\n".encode("latin-1"))
        archive.writestr("spoilt.txt", b"first\n" + 400_000 * b"x" + b"\n")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"xxx\n", b"yyy\n"))
    with pytest.raises(UserError, match=r"latin.txt: not UTF-8 text"):
        list(lines_of_member(tmp_path / "a.zip", "latin.txt"))
    lines = lines_of_member(tmp_path / "a.zip", "spoilt.txt")
    assert next(lines) == "first"  # before the damage further on is seen
    with pytest.raises(UserError, match=r"spoilt.txt: the file is damaged or cut short"):
        list(lines)


def test_two_candidates_at_one_depth_are_refused(tmp_path):
    for fold in "12":
        (tmp_path / fold).mkdir()
        (tmp_path / fold / "train.tsv").write_text("x")
    with pytest.raises(UserError, match=r"two members could be 'train.tsv'"):
        read_member(tmp_path, "train.tsv")
    assert read_member(tmp_path, "2/train.tsv") == b"x"


@pytest.mark.parametrize("make", [as_zip, as_tar])
def test_a_damaged_archive_is_named(tmp_path, make):
    path = make(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=f"{path.name}.* damaged or cut short"):
        read_member(path, "train.tsv")


def test_lines_end_at_newlines_alone(tmp_path):
    (tmp_path / "x.txt").write_bytes("\ufeffa\u2028b\x0bc\x85d\r\ne\n".encode())
    assert list(lines_of(tmp_path / "x.txt")) == ["a\u2028b\x0bc\x85d", "e"]
    assert open_member(tmp_path, "x.txt").readline() == "a\u2028b\x0bc\x85d\r\n"


def test_plain_files_that_are_absent_cut_or_not_text(tmp_path):
    whole = gzip.compress(bytes(range(256)) * 400)
    (tmp_path / "cut.gz").write_bytes(whole[:-30])
    (tmp_path / "latin.txt").write_bytes("é\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"cut.gz: the file is damaged"):
        read_bytes(tmp_path / "cut.gz")
    with pytest.raises(UserError, match=r"latin.txt: not UTF-8 text"):
        list(lines_of(tmp_path / "latin.txt"))
    with pytest.raises(UserError, match=r"no.txt: no such file"):
        list(lines_of(tmp_path / "no.txt"))
