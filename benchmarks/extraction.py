"""Extraction: ours against WikiExtractor, mwparserfromhell and pubmed_parser, on the same input in the same run.

    python benchmarks/extraction.py --wikipedia enwiki-sample.xml.bz2 --pubmed pubmed16n0902.xml.gz

Processor time of one core. The tools take turns, and each one's best turn counts, so that a busy machine disturbs all
alike. A tool that is not installed is left out (pip install wikiextractor mwparserfromhell).
"""

import argparse
import bz2
import gzip
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pubmed_parser
from lxml import etree

from linkbert.command import run
from linkbert.documents import extract
from linkbert.documents.mediawiki import read_pages
from linkbert.documents.sources import Source
from linkbert.documents.titles import Site
from linkbert.documents.wikitext import Style, to_text

ROOT = Path(__file__).resolve().parent.parent
MARKUP = ("[[", "]]", "{{", "}}", "'''", "<ref", "|-", "&nbsp;", "</", "__")
URL = "https://en.wikipedia.org/wiki"
_ANCHOR = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)
_SHINGLE = 5  # words in a row

# Runs a command line in this process and tells its processor time (with children) and the peak of its largest process.
_METER = """
import json, os, resource, runpy, sys
target, sys.argv = sys.argv[2], sys.argv[2:]
try:
    runpy.run_path(target, run_name="__main__") if target.endswith(".py") else runpy.run_module(target, run_name="__main__", alter_sys=True)
except SystemExit:
    pass
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(os.environ["METER"], "w") as file:
    json.dump({"seconds": sum(os.times()[:4]), "peak_mb": max(own, children) / 1024}, file)
"""  # noqa: E501


class Result(NamedTuple):
    """What a tool makes of a page: its text without markup of the tool's own, and its links as (target, anchor)."""

    text: str
    links: list[tuple[str, str]]


Page = tuple[str, str]  # title, wikitext
Tool = Callable[[Page, Site], Any]


def ours(page: Page, site: Site) -> Any:
    return to_text(page[1], site)


def ours_all_kept(page: Page, site: Site) -> Any:
    return to_text(page[1], site, Style(keep_lists=True, keep_headings=True, drop_sections=()))


def wikiextractor(page: Page, site: Site, expand: bool = True) -> Any:
    """As its program calls it, with links; `expand` is the evaluation of templates, of which it knows none here."""
    from wikiextractor.extract import Extractor

    extractor = Extractor("1", "1", URL, page[0], [], keepLinks=True)
    return extractor.clean_text(page[1], expand_templates=expand, html_safe=False)


def wikiextractor_fast(page: Page, site: Site) -> Any:
    return wikiextractor(page, site, expand=False)


def mwparserfromhell(page: Page, site: Site) -> Any:
    from mwparserfromhell import parse

    code = parse(page[1])
    return code.filter_wikilinks(), code.strip_code()


CUT, KEPT = "WikiExtractor, templates only cut", "ours, lists and headings kept"
TOOLS: dict[str, tuple[str, Tool]] = {
    "ours": ("linkbert", ours),
    "WikiExtractor": ("wikiextractor", wikiextractor),
    CUT: ("wikiextractor", wikiextractor_fast),
    "mwparserfromhell": ("mwparserfromhell", mwparserfromhell),
}


def result_of(tool: str, output: Any, site: Site) -> Result:
    """The text and the links in what a tool returned."""
    if tool.startswith("ours"):
        return Result(output.text, [(link.target, output.text[link.start : link.end]) for link in output.links])
    if tool == "mwparserfromhell":
        links = [(site.resolve(str(link.title)), str(link.text or link.title)) for link in output[0]]
        return Result(output[1], [(title, anchor) for (kind, title), anchor in links if kind == "page"])
    text = "\n\n".join(output)
    links = [(site.resolve(unquote(html.unescape(target))), anchor) for target, anchor in _ANCHOR.findall(text)]
    return Result(_ANCHOR.sub(r"\2", text), [(title, anchor) for (kind, title), anchor in links if kind == "page"])


def pages_of(paths: Sequence[Path]) -> Iterator[Page]:
    """The articles of some exports."""
    for path in paths:
        for _, page in read_pages(Source(path)):
            if not page.namespace and not page.redirect and page.text:
                yield page.title, page.text


def page_rows(pages: Sequence[Page], rounds: int) -> list[dict[str, Any]]:
    """Wikitext to text and links, function against function. A fresh site each round: no title is known before."""
    megabytes = sum(len(text.encode()) for _, text in pages) / 1e6
    tools = {name: tool for name, (module, tool) in TOOLS.items() if find_spec(module)}
    best = dict.fromkeys(tools, float("inf"))
    for _ in range(rounds):
        for name, tool in tools.items():
            site = Site()
            began = time.process_time()
            for page in pages:
                tool(page, site)
            best[name] = min(best[name], time.process_time() - began)
    return [_row("a page", name, megabytes, seconds, best["ours"]) for name, seconds in best.items()]


def _row(stage: str, tool: str, size: float, seconds: float, reference: float, peak: float = 0.0) -> dict[str, Any]:
    """`ratio`: how many times as long as ours."""
    row = {"stage": stage, "tool": tool, "mb": size, "seconds": seconds, "mb_per_s": size / seconds}
    return row | {"ratio": seconds / reference} | ({"peak_mb": peak} if peak else {})


def quality_rows(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """Links, leftovers and losses of each tool. Lost is what both other tools show and this one does not."""
    site = Site()
    tools = {name: tool for name, (module, tool) in TOOLS.items() if find_spec(module)}
    tools.pop(CUT, None)
    tools = {"ours": tools.pop("ours"), KEPT: ours_all_kept} | tools
    totals: dict[str, Counter[str]] = {name: Counter() for name in tools}
    for page in pages:
        results = {name: result_of(name, tool(page, site), site) for name, tool in tools.items()}
        shingles = {name: _shingles(result.text) for name, result in results.items()}
        links = {name: Counter(target for target, _ in result.links) for name, result in results.items()}
        for name, result in results.items():
            total = totals[name]
            total["characters"] += len(result.text)
            total["links"] += len(result.links)
            total.update({f"left over: {token}": result.text.count(token) for token in MARKUP})
            others = [other for other in tools if other != KEPT and other[:4] != name[:4]]
            if len(others) > 1:
                shown = set.intersection(*(shingles[other] for other in others))
                total[f"runs of {_SHINGLE} words in both others"] += len(shown)
                total["of these lost"] += len(shown - shingles[name])
            total.update({f"links of {other}, not here": (links[other] - links[name]).total() for other in others})
    return [{"stage": "side by side", "tool": name} | dict(total) for name, total in totals.items()]


def _shingles(text: str) -> set[tuple[str, ...]]:
    """Words in a row inside a line, so that headings, which not all show, make none."""
    lines = (re.findall(r"\w+", line) for line in text.lower().splitlines())
    return {shingle for line in lines for shingle in zip(*(line[n:] for n in range(_SHINGLE)), strict=False)}


def program_rows(paths: Sequence[Path], copies: int, rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Whole programs, one process each, from dump to files.

    The start of a program is not counted: the time is that of `copies` more copies of the dump. In each the titles
    are other ones, so that no cache is warmer than in one pass over a dump.
    """
    commands: dict[str, Callable[[Path, Path], list[str]]] = {"ours": _our_command}
    if find_spec("wikiextractor"):
        commands["WikiExtractor"] = _their_command
    rows = []
    for packing in ("xml", "xml.bz2"):
        small, large = (_copies(paths, number, folder / f"{number}.{packing}") for number in (1, copies + 1))
        bytes_read = len(_unpacked(large)) - len(_unpacked(small))
        best: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for name, command in commands.items():
                once, all_ = (_metered(command(path, folder / "out"), folder) for path in (small, large))
                seconds = all_["seconds"] - once["seconds"]
                if name not in best or seconds < best[name][0]:
                    best[name] = seconds, all_["peak_mb"]
        rows += [
            _row(f"a dump, {packing}", name, bytes_read / 1e6, seconds, best["ours"][0], peak)
            for name, (seconds, peak) in best.items()
        ]
        if packing == "xml.bz2":
            packed = large.read_bytes()
            began = time.process_time()
            bz2.decompress(packed)
            seconds = (time.process_time() - began) * copies / (copies + 1)
            rows.append(_row(f"a dump, {packing}", "decompression alone", bytes_read / 1e6, seconds, best["ours"][0]))
    return rows


def _our_command(path: Path, output: Path) -> list[str]:
    script = ROOT / "scripts" / "extract_documents.py"
    return [str(script), "--format", "mediawiki", "--inputs", str(path), "--output", str(output)]


def _their_command(path: Path, output: Path) -> list[str]:
    words = ["-q", "--links", "--no-templates", "--json", "--processes", "1", "-o", str(output), str(path)]
    return ["wikiextractor.WikiExtractor", *words]


def _metered(command: list[str], folder: Path) -> dict[str, float]:
    meter = folder / "meter.json"
    environment = os.environ | {"METER": str(meter), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", _METER, "-", *command], env=environment, check=True, stderr=subprocess.DEVNULL
    )
    return json.loads(meter.read_text())


_TARGET = re.compile(r"(\[\[[^\[\]|:#<>&]{2,80})(?=[|\]])")


def _copies(paths: Sequence[Path], number: int, output: Path) -> Path:
    """One export with the pages of all `paths` several times; each copy's titles and targets end in its number."""
    head = ""
    bodies = []
    for path in paths:
        text = _unpacked(path).decode()
        first = text.index("<page>")
        head = head or text[:first]
        bodies.append(text[first : text.rindex("</page>")] + "</page>\n")
    body = "".join(bodies)
    pieces = [head]
    for copy in range(number):
        pieces.append(_TARGET.sub(rf"\1 {copy}", body.replace("</title>", f" {copy}</title>")))
    packed = "".join([*pieces, "</mediawiki>\n"]).encode()
    output.write_bytes(bz2.compress(packed) if output.suffix == ".bz2" else packed)
    return output


def _unpacked(path: Path) -> bytes:
    return {".bz2": bz2.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)(path.read_bytes())


_PMID = re.compile(rb"(<PMID[^>]*>)(\d+)(</PMID>)")
_STREAMED = """
import sys
from linkbert.documents import extract
extract("pubmed", [sys.argv[1]], sys.argv[2])
"""
_WHOLE = """
import json, sys, pubmed_parser
records = pubmed_parser.parse_medline_xml(sys.argv[1], year_info_only=False, author_list=False, reference_list=False)
json.dump(list(records), open(sys.argv[2], "w"))
"""


def pubmed_rows(path: Path, copies: Sequence[int], rounds: int, folder: Path) -> list[dict[str, Any]]:
    """PubMed XML from gz to a file: our stream of records against pubmed_parser's reading of a whole file."""
    records = _records(_unpacked(path))
    programs = {"ours": folder / "streamed.py", "pubmed_parser": folder / "whole.py"}
    programs["ours"].write_text(_STREAMED)
    programs["pubmed_parser"].write_text(_WHOLE)
    measured: dict[tuple[str, int], tuple[float, float]] = {}
    sizes: dict[int, int] = {}
    for number in copies:
        packed = folder / f"pubmed{number}.xml.gz"
        bodies = [_PMID.sub(rb"\g<1>%d\g<2>\g<3>" % (copy + 1), records) for copy in range(number)]
        whole = b"".join([b"<PubmedArticleSet>\n", *bodies, b"</PubmedArticleSet>\n"])
        sizes[number] = len(whole)
        packed.write_bytes(gzip.compress(whole, 1))
        for _ in range(rounds):
            for name, program in programs.items():
                now = _metered([str(program), str(packed), str(folder / f"{name}{number}")], folder)
                seconds, peak = measured.get((name, number), (float("inf"), 0.0))
                measured[name, number] = min(seconds, now["seconds"]), max(peak, now["peak_mb"])
    rows = []
    for smaller, larger in pairwise(copies):
        spent = {name: measured[name, larger][0] - measured[name, smaller][0] for name in programs}
        megabytes = (sizes[larger] - sizes[smaller]) / 1e6
        for name in programs:
            stage = f"PubMed, {sizes[larger] / 1e6:.0f} MB"
            rows.append(_row(stage, name, megabytes, spent[name], spent["ours"], measured[name, larger][1]))
    return rows + _pubmed_counts(folder / f"pubmed{copies[0]}.xml.gz", folder)


def _records(raw: bytes) -> bytes:
    """The records of a file, each as a PubmedArticle; files before 2017 have bare citations."""
    if b"<PubmedArticle>" not in raw:
        raw = re.sub(rb"<MedlineCitation[ >]", rb"<PubmedArticle>\g<0>", raw)
        raw = raw.replace(b"</MedlineCitation>", b"</MedlineCitation></PubmedArticle>")
    end = b"</PubmedArticle>"
    return raw[raw.index(b"<PubmedArticle>") : raw.rindex(end) + len(end)]


def _pubmed_counts(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Records, abstracts and cited papers: by hand from the XML, ours, and in pubmed_parser's output."""
    articles = etree.fromstring(_unpacked(path)).findall("PubmedArticle")
    abstracts = [article for article in articles if article.find("MedlineCitation/Article/Abstract") is not None]
    cited = sum(len(article.findall(".//CommentsCorrections[@RefType='Cites']")) for article in abstracts)
    meta = extract("pubmed", [path], folder / "counted")
    theirs = list(pubmed_parser.parse_medline_xml(str(path), reference_list=True))
    with_abstract = [record for record in theirs if record["abstract"]]
    references = sum(bool(reference["pmid"]) for record in with_abstract for reference in record["references"])
    counts = meta["counts"], meta["dropped"].get("links.duplicate", 0)
    return [
        _counts("the XML itself", len(articles), len(abstracts), cited),
        _counts("ours", counts[0]["pages_found"], counts[0]["documents"], counts[0]["links"] + counts[1]),
        _counts("pubmed_parser", len(theirs), len(with_abstract), references),
    ]


def _counts(tool: str, records: int, abstracts: int, cited: int) -> dict[str, Any]:
    return {"stage": "PubMed, counts", "tool": tool, "records": records, "abstracts": abstracts, "cited": cited}


def rows(
    wikipedia: Sequence[Path] = (),
    pubmed: Path | None = None,
    *,
    rounds: int = 3,
    copies: int = 6,
    pubmed_copies: Sequence[int] = (1, 4, 16),
) -> list[dict[str, Any]]:
    """All measurements: dictionaries with stage, tool, mb, seconds, mb_per_s, ratio (to ours), peak_mb, or counts."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        if wikipedia:
            pages = list(pages_of(wikipedia))
            found += page_rows(pages, rounds) + quality_rows(pages)
            found += program_rows(wikipedia, copies, rounds, Path(name))
        if pubmed:
            found += pubmed_rows(pubmed, pubmed_copies, rounds, Path(name))
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """The measurements as Markdown: times, then quality with a column for each tool."""
    lines = ["| stage | tool | MB/s | time, ours = 1 | peak MB |", "|---|---|---:|---:|---:|"]
    for row in found:
        if "seconds" in row:
            peak = f"{row['peak_mb']:.0f}" if "peak_mb" in row else ""
            lines.append(f"| {row['stage']} | {row['tool']} | {row['mb_per_s']:.1f} | {row['ratio']:.2f} | {peak} |")
    for stage in dict.fromkeys(row["stage"] for row in found if "seconds" not in row):
        counted = [row for row in found if row["stage"] == stage]
        lines += ["", f"| {stage} | " + " | ".join(row["tool"] for row in counted) + " |"]
        lines.append("|---|" + "---:|" * len(counted))
        for name in dict.fromkeys(name for row in counted for name in row if name not in ("stage", "tool")):
            cells = (f"{row[name]:,}" if name in row else "" for row in counted)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wikipedia", type=Path, nargs="*", default=[], help="MediaWiki exports, xml or xml.bz2")
    parser.add_argument("--pubmed", type=Path, help="a PubMed file, xml or xml.gz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=6, help="of the dump, to measure whole programs")
    parser.add_argument("--output", type=Path, help="JSON to write")
    options = parser.parse_args(arguments)
    found = rows(options.wikipedia, options.pubmed, rounds=options.rounds, copies=options.copies)
    print(table(found))
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
