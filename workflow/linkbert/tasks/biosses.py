"""BIOSSES (Soğancıoğlu et al., 2017): 100 sentence pairs in one Word file, five annotators' scores in another.

The label is the mean of the annotators (0 to 4). The publisher has no split; BLURB takes 64/16/20 pairs by BLUE's list
of pair numbers, which can be given in the role ``split``; without it as many are drawn by seed.
"""

import io
import zipfile
from xml.etree import ElementTree

from linkbert.errors import UserError
from linkbert.tasks.base import Dataset, Example, Source
from linkbert.tasks.members import is_archive, read_bytes, read_member

ROLES = frozenset({"archive", "pairs", "scores", "split"})
OPTIONS: frozenset[str] = frozenset()
KIND = "regression"
BLUE = {"train": 64, "dev": 16, "test": 20}
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read(source: Source) -> Dataset:
    """Join the two tables by pair number; the unit is the pair."""
    scores = {row[0]: row[1:] for row in _table(source, "scores", "Annotator-Scores.docx")[1:] if row}
    pairs: list[Example] = []
    for row in _table(source, "pairs", "Annotation-Pairs.docx")[1:]:
        try:
            number, text_a, text_b = row
            given = [float(score) for score in scores[number]]
            label = sum(given) / len(given)
        except (ValueError, KeyError, ZeroDivisionError):
            source.drop("all", "broken_row", where=f"row {row[:1]}")
            continue
        pairs.append({"id": f"pair-{number}", "text_a": text_a, "text_b": text_b, "label": label, "unit": number})
    splits = source.divide("all", pairs, BLUE)
    by = "the index file" if source.has("split") else "seed"
    return Dataset(KIND, splits, metric="pearson", about={"split": f"64 : 16 : 20 pairs, by {by}"})


def _table(source: Source, role: str, member: str) -> list[list[str]]:
    """The rows of the first table of a Word file, each cell as one line of text."""
    path = source.path_or_archive(role)
    content = read_member(path, member) if is_archive(path) else read_bytes(path)
    if content is None:
        raise UserError(f"{path}: no member named {member}.")
    try:
        document = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml"))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise UserError(f"{path}, {member}: not a Word file ({error}).") from None
    table = document.find(f".//{_W}tbl")
    if table is None:
        raise UserError(f"{path}, {member}: the Word file holds no table.")
    return [[_text(cell) for cell in row.findall(f"{_W}tc")] for row in table.iter(f"{_W}tr")]


def _text(cell: ElementTree.Element) -> str:
    paragraphs = []
    for paragraph in cell.iter(f"{_W}p"):
        pieces = (
            (piece.text or "") if piece.tag == f"{_W}t" else " " for piece in paragraph.iter() if piece.tag in _PIECES
        )
        paragraphs.append("".join(pieces))
    return " ".join(" ".join(paragraphs).split())


_PIECES = {f"{_W}t", f"{_W}br", f"{_W}tab"}
