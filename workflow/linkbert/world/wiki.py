"""The encyclopedia as a MediaWiki XML dump (export 0.11, multistream bz2), with the traps of real wikitext."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from linkbert.world.archives import write_bz2_streams
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact, World
from linkbert.world.pages import paragraphs
from linkbert.world.wordings import SCENES, sentence

STREAM = 20  # pages in one bz2 stream
_NAMESPACES = {-2: "Media", -1: "Special", 0: "", 1: "Talk", 2: "User", 3: "User talk", 4: "Wikipedia"}
_NAMESPACES |= {5: "Wikipedia talk", 6: "File", 7: "File talk", 10: "Template", 11: "Template talk"}
_NAMESPACES |= {12: "Help", 14: "Category", 15: "Category talk", 100: "Portal"}
_HEADINGS = ("History", "Partners", "Background", "Legacy")


@dataclass(frozen=True)
class Page:
    """A page of the dump; `redirect` is the target it names in its own element."""

    title: str
    text: str
    namespace: int = 0
    redirect: str | None = None


def write_wiki(world: World, path: Path) -> None:
    """Write the dump: a stream with the header, streams of 20 pages, a stream with the end."""
    found = pages(world)
    elements = [_element(page, number) for number, page in enumerate(found, 1)]
    streams = ["".join(elements[first : first + STREAM]) for first in range(0, len(elements), STREAM)]
    write_bz2_streams(path, [_header(), *streams, "</mediawiki>\n"])


def pages(world: World) -> list[Page]:
    """Every page, in a random order that does not follow the links."""
    draw = world.draw("wiki")
    hub = world.kinds["country"][0]
    found = [Page(entity.key, _article(world, entity, hub, draw)) for entity in world.pages()]
    found += _disambiguations(world)
    found += _redirects(world, draw)
    found = draw.shuffled([*found, *_oddities(world)])
    return found


def _article(world: World, page: Entity, hub: Entity, draw: Draw) -> str:
    """One article in wikitext."""
    lines = ["{{Short description|" + page.kind + "}}", _infobox(world, page)]
    first, *others = paragraphs(world, page, draw)
    lead = _prose(first, page, draw)
    lines.append(f"'''{page.name}''' is a {page.kind} known in [[{hub.key}]].{_reference(draw)} {lead}\n")
    if draw.chance(0.4):
        lines.append(_picture(world, page, hub, draw))
    for heading, facts in zip(_HEADINGS, others, strict=False):
        lines.append(f"== {heading} ==\n{_prose(facts, page, draw)} {draw.pick(SCENES)}\n")
    if draw.chance(0.3):
        lines.append(_table(world, page))
    if draw.chance(0.3):
        lines.append("<!-- a comment with a [[link that nobody sees]] -->")
    related = draw.some(world.kinds[page.kind], 2)
    lines.append("== See also ==\n" + "\n".join(f"* [[{other.key}]]" for other in related) + "\n")
    lines.append("== References ==\n{{reflist}}\n")
    lines.append(f"{{{{DEFAULTSORT:{page.name}}}}}\n[[Category:{page.kind.capitalize()}]]\n[[Category:{hub.name}|*]]")
    if draw.chance(0.3):
        lines.append(f"[[de:{page.name}]]\n[[fr:{page.name}]]")
    return "\n".join(lines)


def _prose(facts: list[Fact], page: Entity, draw: Draw) -> str:
    """Sentences whose entities are links, the page's own name now and then, and one footnote."""
    words, previous = [], None
    note = draw.whole(0, len(facts) - 1)
    for i, fact in enumerate(facts):
        text, _ = sentence(fact, draw, lambda entity: _link(entity, page, draw), previous)
        words.append(text + (_reference(draw) if i == note else ""))
        previous = fact.subject
    return " ".join(words)


def _link(entity: Entity, page: Entity, draw: Draw) -> str:
    """An entity as a link in one of the spellings that MediaWiki accepts for the same page."""
    title = entity.title
    if title is None:
        return {"year": f"{entity.name}", "number": f"{entity.name}&nbsp;"}.get(entity.kind, entity.name).rstrip()
    if entity == page:
        return f"[[{title}]]" if draw.chance(0.05) else entity.name
    if draw.chance(0.12):
        return entity.name
    if entity.kind == "product":
        # Written in lower case, and "bicycle" is a redirect: the plural is made by the text after the brackets.
        return f"[[{entity.name[:-1]}]]s" if draw.chance(0.5) else f"[[{entity.name}]]"
    if title != entity.name:
        return f"[[{title}|{entity.name}]]"
    spellings = (
        f"[[{title}]]",
        f"[[{title}|{entity.name}]]",
        f"[[{title.replace(' ', '_')}|{entity.name}]]",
        f"[[ {title} ]]",
        f"[[{title}#History|{entity.name}]]",
        f"[[{quote(title)}|{entity.name}]]",
        f"[[{title[0].lower()}{title[1:]}|{entity.name}]]",
        f"[[:{title}|''{entity.name}'']]",
    )
    return spellings[0] if draw.chance(0.5) else draw.pick(spellings)


def _infobox(world: World, page: Entity) -> str:
    rows = [f"| {fact.relation} = {_plain(fact.object)}" for fact in world.about(page)[:4]]
    return "\n".join(
        [f"{{{{Infobox {page.kind}", f"| name = {page.name}", *rows, "| native_name = {{lang|xx|–}}", "}}"]
    )


def _plain(entity: Entity) -> str:
    return f"[[{entity.title}]]" if entity.title else entity.name


def _reference(draw: Draw) -> str:
    forms = (
        "<ref>{{cite web|url=https://example.org/a?b=1&c=2|title=A record|date=1 May 2003}}</ref>",
        '<ref name="archive" />',
        '<ref name="archive">The archive, p.&nbsp;12.</ref>',
        "{{citation needed|date=June 2011}}",
        "<ref group=note>See also [[Archive of lost notes]].</ref>",
    )
    return draw.pick(forms)


def _picture(world: World, page: Entity, hub: Entity, draw: Draw) -> str:
    """An image whose caption holds links, and one whose caption holds a template."""
    city = draw.pick(world.kinds["city"])
    inner = f"A view of [[{city.key}]] with the [[{hub.key}|old country]]"
    if draw.chance(0.3):
        inner += " {{small|(left)}}"
    return f"[[File:{page.name} view.jpg|thumb|220px|{inner}]]"


def _table(world: World, page: Entity) -> str:
    rows = "".join(f"|-\n| {fact.relation} || {_plain(fact.object)}\n" for fact in world.about(page)[:3])
    return f'{{| class="wikitable"\n|+ Overview\n! Item !! Value\n{rows}|}}\n'


def _disambiguations(world: World) -> list[Page]:
    """A page for every shared name, which lists those who bear it."""
    by_name: dict[str, list[Entity]] = {}
    for entity in world.pages():
        by_name.setdefault(entity.name, []).append(entity)
    return [
        Page(
            name, f"'''{name}''' may refer to:\n" + "".join(f"* [[{e.key}]]\n" for e in bearers) + "{{disambiguation}}"
        )
        for name, bearers in by_name.items()
        if all(entity.title != name for entity in bearers) and len(bearers) > 1
    ]


def _redirects(world: World, draw: Draw) -> list[Page]:
    """Other names: plain, chained, to a section, to nothing, and a loop."""

    def redirect(source: str, target: str, word: str = "#REDIRECT") -> Page:
        return Page(source, f"{word} [[{target}]]\n\n{{{{R from other name}}}}", redirect=target.partition("#")[0])

    found = [redirect(product.key[:-1], product.key) for product in world.kinds["product"]]
    for city in draw.some(world.kinds["city"], 5):
        found.append(redirect(f"{city.name} City", city.key, "#redirect"))
        found.append(redirect(f"Old {city.name} City", f"{city.name} City"))
    for person in draw.some(world.kinds["person"], 8):
        first, _, last = person.key.partition(" ")
        found.append(redirect(f"{last}, {first}", f"{person.key}#Background", "#Redirect:"))
    found.append(redirect("Ring road", "Road ring"))
    found.append(redirect("Road ring", "Ring road"))
    found.append(redirect("Forgotten place", "A page that was never written"))
    return found


def _oddities(world: World) -> list[Page]:
    """Pages outside the articles, and articles with damaged or empty text."""
    city, person, company = (world.kinds[kind][0] for kind in ("city", "person", "company"))
    broken = (
        f"'''Broken page''' is an article about [[{city.key}]] with an [[unclosed link to {person.name}.\n\n"
        f"It has a {{{{template|that never ends and a list:\n* one\n* [[{company.key}]]\n\n"
        '{| class="wikitable"\n| a table that is not closed\n\nThe last line has a <ref>note without an end.'
    )
    mixed = (
        f"'''2010: A Journey''' is a book about [[{city.key}|{city.name} &amp; its river]], with a colon in its title. "
        f"It mentions [[A page that was never written]], [[{person.key}|{person.name}]], [[2010: A Journey|itself]]. "
        "The book says &quot;all is well&quot; and 1&nbsp;&lt;&nbsp;2. It was praised [https://example.org by many] "
        "and in <nowiki>[[plain brackets]]</nowiki>. {{As of|2010}} it is '''still''' in ''print''.\n\n"
        f"<gallery>\nFile:Cover.jpg|The cover with [[{city.key}]]\n</gallery>\n"
        "Formula: <math>a_{1} + b</math>. See [[:Category:City]], [[Talk:Broken page]] and [[wikt:journey|journey]].\n"
        f"; Term\n: A definition with [[{company.key}|the company]].\n# first\n# second\n----\n"
    )
    return [
        Page("Broken page", broken),
        Page("2010: A Journey", mixed),
        Page("Empty page", ""),
        Page("Template only", "{{Infobox nothing|name=x}}"),
        Page("Template:Infobox city", "<includeonly>{{{name}}} [[Template link]]</includeonly>", 10),
        Page("Talk:Broken page", f"Should this be deleted? See [[{city.key}]]. ~~~~", 1),
        Page("Category:City", "[[Category:Places]]", 14),
        Page("Wikipedia:About", f"About this project, which is about [[{city.key}]].", 4),
        Page("File:Cover.jpg", "A picture.", 6),
    ]


def _header() -> str:
    spaces = "".join(
        f'      <namespace key="{key}" case="first-letter"' + (f">{name}</namespace>\n" if name else " />\n")
        for key, name in _NAMESPACES.items()
    )
    schema = "http://www.mediawiki.org/xml/export-0.11/"
    return (
        f'<mediawiki xmlns="{schema}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema} http://www.mediawiki.org/xml/export-0.11.xsd" version="0.11" xml:lang="en">\n'
        "  <siteinfo>\n    <sitename>Inventia</sitename>\n    <dbname>inventiawiki</dbname>\n"
        "    <base>https://example.org/wiki/Main_Page</base>\n    <generator>MediaWiki 1.39.0</generator>\n"
        f"    <case>first-letter</case>\n    <namespaces>\n{spaces}    </namespaces>\n  </siteinfo>\n"
    )


def _element(page: Page, number: int) -> str:
    redirect = f"    <redirect title={quoteattr(page.redirect)} />\n" if page.redirect else ""
    size = len(page.text.encode())
    text = escape(page.text)
    body = f'<text bytes="{size}" xml:space="preserve">{text}</text>' if text else '<text bytes="0" />'
    # A second revision would be history; a pages-articles dump has only the last one.
    return (
        f"  <page>\n    <title>{escape(page.title)}</title>\n    <ns>{page.namespace}</ns>\n    <id>{number}</id>\n"
        f"{redirect}    <revision>\n      <id>{100000 + number}</id>\n"
        "      <timestamp>2020-02-01T00:00:00Z</timestamp>\n"
        "      <contributor>\n        <username>Generator</username>\n        <id>1</id>\n      </contributor>\n"
        f"      <model>wikitext</model>\n      <format>text/x-wiki</format>\n      {body}\n"
        "    </revision>\n  </page>\n"
    )


def plain_text(page: Page) -> str:
    """A page's prose with the markup taken away roughly: enough to train a vocabulary on, not a parser."""
    text = re.sub(r"<!--.*?-->|<ref[^>]*/>|<ref.*?</ref>|\{\|.*?\|\}", " ", page.text, flags=re.DOTALL)
    for _ in range(3):
        text = re.sub(r"\{\{[^{}]*\}\}", " ", text)
    text = re.sub(r"\[\[(?:File|Category|de|fr):.*?\]\]\n?", " ", text)
    text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text)
    return re.sub(r"\s+", " ", re.sub(r"'{2,}|==+|&nbsp;", " ", text)).strip()
