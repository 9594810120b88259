"""One self-contained HTML page: style inside, nothing fetched, readable on a telephone, on paper and in the dark."""

from collections.abc import Mapping
from html import escape

from linkbert.tables.layout import SIGNS

# Colours of Okabe and Ito; every mark also has a sign or words, so that no meaning rests on colour alone.
_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #59636e; --line: #d1d9e0; --page: #fff; --panel: #f6f8fa;
  --matches: #0072b2; --close: #855d00; --differs: #c04a00; --other: #6e7781; --note: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --quiet: #9aa4af; --line: #3d444d; --page: #0d1117;
  --panel: #161b22; --matches: #56b4e9; --close: #e69f00; --differs: #ff8a50; --other: #8b949e; --note: #3a2f10; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 76rem; color: var(--text); background: var(--page);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--matches); }
ul { padding-left: 1.2rem; }
.note { background: var(--note); border-left: 4px solid var(--close); padding: .6rem .9rem; font-weight: 600;
  max-width: none; }
.quiet, .legend { color: var(--quiet); font-size: .875rem; }
.scroll { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .7rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
thead th { background: var(--panel); border-top: 0; vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--page); min-width: 7rem;
  max-width: 14rem; }
thead th:first-child, .section th { background: var(--panel); }
.text td, .text th { text-align: left; }
.claims th:first-child { max-width: 26rem; font-weight: 500; }
.text .number { text-align: right; white-space: nowrap; }
tr.rule > * { border-top: 2px solid var(--quiet); }
.value, .paper, .chip { display: block; white-space: nowrap; }
.value { font-size: 1.05rem; }
.value small, .paper { color: var(--quiet); font-size: .8rem; }
.chip { font-size: .8rem; font-weight: 600; color: var(--other); }
.matches, .holds { color: var(--matches); }
.close { color: var(--close); }
.differs, .fails { color: var(--differs); }
.open { color: var(--other); }
.bar { display: flex; height: .7rem; min-width: 8rem; border-radius: 3px; overflow: hidden; background: var(--line); }
.bar .matches { background: var(--matches); }
.bar .close { background: var(--close); }
.bar .differs { background: var(--differs); }
.bar .ran { background: var(--other); }
details { margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
code { font-size: .85em; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1rem .6rem 2rem; } h1 { font-size: 1.25rem; } th, td { padding: .4rem .5rem; }
  .bar { min-width: 4rem; } .claims th:first-child { max-width: 11rem; }
}
@media print { .scroll { border: 0; overflow: visible; } details { display: none; } body { max-width: none; } }
"""


def page(title: str, body: str, style: str = _STYLE) -> str:
    """A whole HTML document around `body`."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def scroll(table: str, label: str) -> str:
    """A table that scrolls by itself where it is wider than the page, reachable by keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'


def css_class(mark: str) -> str:
    """The class of a mark: its own where it has a colour, none where it has only words."""
    return mark if mark in SIGNS else ""


def bar(counts: Mapping[str, int]) -> str:
    """The marks of a table as a bar; cells that were not run stay blank."""
    widths = {mark: counts.get(mark, 0) for mark in SIGNS}
    widths["ran"] = counts.get("not comparable", 0) + counts.get("unpublished", 0)
    widths[""] = counts.get("not run", 0)
    parts = "".join(f'<span class="{name}" style="flex:{count}"></span>' for name, count in widths.items() if count)
    words = ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)
    return f'<div class="bar" role="img" aria-label="{escape(words)}" title="{escape(words)}">{parts}</div>'
