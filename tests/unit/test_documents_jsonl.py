"""The user's own documents: what is valid passes whole, what is not is counted and kept aside."""

import gzip
import json

import pyarrow.parquet as pq
import pytest

from linkbert.documents import extract
from linkbert.documents.report import unaccounted
from linkbert.errors import UserError
from linkbert.files import sha256_of

GOOD = [
    {"doc_id": "a", "title": "A", "text": "see b, c 𝔘", "links": [{"target": "c", "start": 7, "end": 8},
     {"target": "b", "start": 4, "end": 5}, {"target": "d"}, {"target": "e", "start": None, "end": None}]},
    {"doc_id": 7, "text": ""},
    {"doc_id": "b", "title": None, "text": "x\n\ny", "links": None, "note": 1},
]  # fmt: skip
BAD = {
    "not_json": b'{"doc_id": ',
    "not_utf8": b'{"doc_id": "\xff", "text": ""}',
    "not_an_object": b"[1]",
    "no_doc_id": b'{"text": "x"}',
    "no_text": b'{"doc_id": "x", "text": 3}',
    "bad_title": b'{"doc_id": "x", "text": "", "title": 3}',
    "bad_links": b'{"doc_id": "x", "text": "", "links": {"target": "a"}}',
    "not_unicode": b'{"doc_id": "x", "text": "\\ud800"}',
    "duplicate_doc_id": b'{"doc_id": "a", "text": "again", "links": [{"target": "b"}]}',
}
BAD_LINKS = {
    "not_an_object": ["b"],
    "no_target": [{"start": 0, "end": 1}, {"target": ""}, {"target": None}],
    "bad_offsets": [{"target": "b", "start": s, "end": e} for s, e in ((0, None), (None, 1), (0.0, 1), (True, 1))],
    "outside_text": [{"target": "b", "start": s, "end": e} for s, e in ((-1, 1), (1, 1), (2, 1), (0, 5), (4, 9))],
}  # fmt: skip


def write(path, lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def test_good_documents_pass_whole(tmp_path):
    path = write(tmp_path / "own.jsonl", [*GOOD, b"", b"  "])
    meta = extract("jsonl", [path], tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "documents.parquet").to_pylist()
    assert [(row["doc_id"], row["title"], row["text"]) for row in rows] == [
        ("a", "A", "see b, c 𝔘"), ("7", "7", ""), ("b", "b", "x\n\ny"),
    ]  # fmt: skip
    assert [(link["target"], link["start"]) for link in rows[0]["links"]] == [
        ("b", 4),
        ("c", 7),
        ("d", None),
        ("e", None),
    ]
    assert meta["dropped"] == {"fields.note": 1} and unaccounted(meta) == {"pages": 0, "links": 0}
    assert meta["inputs"] == {"own.jsonl": sha256_of(path)}
    assert pq.read_table(tmp_path / "out" / "redirects.parquet").num_rows == 0
    assert (tmp_path / "out" / "rejected.jsonl").read_text() == ""


def test_bad_lines_are_counted_and_kept_aside(tmp_path):
    path = tmp_path / "own.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([json.dumps(GOOD[0]).encode(), *BAD.values()])))
    meta = extract("jsonl", [path], tmp_path / "out")
    assert meta["dropped"] == {f"pages.{reason}": 1 for reason in BAD} | {"links.in_dropped_page": 1}
    assert unaccounted(meta) == {"pages": 0, "links": 0}
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [(row["line"], row["reason"]) for row in rejected] == list(enumerate(BAD, start=2))
    assert {row["file"] for row in rejected} == {"own.jsonl.gz"}


def test_a_file_without_any_document_is_refused(tmp_path):
    path = write(tmp_path / "own.jsonl", [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}, b"["])
    with pytest.raises(UserError, match=r"own\.jsonl: none of its lines is a document \(no_doc_id: 2, not_json: 1\)"):
        extract("jsonl", [path], tmp_path / "out")
    path.write_bytes("\n".join(map(json.dumps, GOOD)).encode("utf-16"))
    with pytest.raises(UserError, match="none of its lines is a document"):
        extract("jsonl", [path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    first, again, empty = (tmp_path / f"{name}.jsonl" for name in ("first", "again", "empty"))
    write(first, GOOD[:1]), write(again, GOOD[:1]), empty.write_text("\n")
    assert extract("jsonl", [first, again, empty], tmp_path / "out")["counts"]["documents"] == 1


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD[0]).encode())
    assert extract("jsonl", [path], tmp_path / "out")["counts"]["documents"] == 1


@pytest.mark.parametrize("reason", BAD)
def test_strict_names_the_line(tmp_path, reason):
    path = write(tmp_path / "own.jsonl", [GOOD[0], BAD[reason]])
    with pytest.raises(UserError, match=r"own\.jsonl, line 2: "):
        extract("jsonl", [path], tmp_path / "out", options={"strict": True})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reason", BAD_LINKS)
def test_bad_links_are_dropped_under_a_reason(tmp_path, reason):
    good = {"target": "z", "start": 0, "end": 4}
    path = write(tmp_path / "own.jsonl", [{"doc_id": "x", "text": "four", "links": [*BAD_LINKS[reason], good]}])
    meta = extract("jsonl", [path], tmp_path / "out")
    assert meta["dropped"] == {f"links.{reason}": len(BAD_LINKS[reason])} and meta["counts"]["links"] == 1
    assert unaccounted(meta) == {"pages": 0, "links": 0}
    with pytest.raises(UserError, match=reason):
        extract("jsonl", [path], tmp_path / "out", options={"strict": True})


@pytest.mark.real
def test_wikipedia_for_schools_goes_through_whole(real, tmp_path):
    meta = extract("jsonl", [real / "wikipedia-schools-2007.jsonl.gz"], tmp_path / "out", options={"strict": True})
    counts = meta["counts"]
    assert (counts["documents"], counts["links"], counts["links_with_offsets"]) == (4598, 119879, 95962)
    assert meta["dropped"] == {}
