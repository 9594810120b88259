"""Awkward pages, each beside the text, links and drops that a careful reader wants of it.

`python tests/unit/documents/test_golden.py` writes the expected files again: read the difference before you keep it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from linkbert.documents.mediawiki import declared_redirect
from linkbert.documents.titles import Site
from linkbert.documents.wikitext import to_text

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "documents" / "golden"
PAGES = sorted(GOLDEN.glob("*.wikitext"))
SITES = {
    "en": Site(),
    "de": Site("de", {"Spezial": -1, "Benutzer": 2, "Wikipedia": 4, "Datei": 6, "Kategorie": 14}),
    "ru": Site("ru", {"Википедия": 4, "Файл": 6, "Категория": 14}),
    "ja": Site("ja", {"ファイル": 6}),
    "ar": Site("ar", {"ملف": 6, "تصنيف": 14}),
    "zh": Site("zh", {"文件": 6, "分类": 14}),
}  # fmt: skip


def outcome(path: Path) -> dict[str, Any]:
    """What becomes of a page ``name[.language].wikitext``: the target of a redirect, or text, links and drops."""
    site = SITES[path.stem.partition(".")[2] or "en"]
    source = path.read_text(encoding="utf-8")
    if target := declared_redirect(source):
        return {"redirect": site.resolve(target)[1]}
    page = to_text(source, site)
    assert source.count("[[") == len(page.links) + sum(page.dropped.values())
    links = [
        {"target": target, "start": start, "end": end, "anchor": page.text[start:end]}
        for target, start, end in page.links
    ]
    return {"text": page.text.split("\n\n"), "links": links, "dropped": dict(sorted(page.dropped.items()))}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_golden_pages(path):
    assert outcome(path) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_there_are_twenty():
    assert len(PAGES) >= 20
    assert {path.stem for path in PAGES} == {path.stem for path in GOLDEN.glob("*.json")}


def write() -> None:
    """Write every expected file, one link a line."""
    for path in PAGES:
        found = outcome(path)
        lines = []
        for key, value in found.items():
            if isinstance(value, list):
                items = ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in value)
                lines.append(f'  "{key}": [\n    {items}\n  ]' if value else f'  "{key}": []')
            else:
                lines.append(f'  "{key}": {json.dumps(value, ensure_ascii=False)}')
        path.with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
