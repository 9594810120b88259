"""Wikitext to text and links: every construct once, every reason once, and hostile input."""

import faulthandler
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkbert.documents.mediawiki import read_pages
from linkbert.documents.sources import Source
from linkbert.documents.titles import Site
from linkbert.documents.wikitext import Style, to_text


def anchors(page):
    return [(link.target, page.text[link.start : link.end]) for link in page.links]


def accounted(source, page):
    return source.count("[[") == len(page.links) + sum(page.dropped.values())


# source, text, links as (target, anchor), dropped links by reason
CASES = {
    "plain": ("A [[dog]].", "A dog.", [("Dog", "dog")], {}),
    "label": ("A [[dog|hound]].", "A hound.", [("Dog", "hound")], {}),
    "trail": ("Two [[dog]]s, [[cat|kitten]]s.", "Two dogs, kittens.", [("Dog", "dogs"), ("Cat", "kittens")], {}),
    "trail, cyrillic": ("[[кот]]ы", "коты", [("Кот", "коты")], {}),
    "no trail without spaces": ("[[日本]]の", "日本の", [("日本", "日本")], {}),
    "nowiki ends a trail": ("[[dog]]<nowiki/>s", "dogs", [("Dog", "dog")], {}),
    "pipe trick": ("[[Bar (unit)|]], [[A, B|]]", "Bar, A", [("Bar (unit)", "Bar"), ("A, B", "A")], {}),
    "title forms": ("[[_new__york#History|x]] [[C%2B%2B]]", "x C%2B%2B", [("New york", "x"), ("C++", "C%2B%2B")], {}),
    "entities": ("[[a &amp; b]] &lt;b&gt;&nbsp;&#8211; &#x41;", "a & b <b> – A", [("A & b", "a & b")], {}),
    "entity decoded once": ("&amp;lt;", "&lt;", [], {}),
    "subpage": ("[[/dev]] [[../up]]", "/dev ../up", [("/dev", "/dev")], {"invalid": 1}),
    "section": ("[[#Top]] [[#Top|up]]", "#Top up", [], {"section_only": 2}),
    "colon": ("[[:Category:D]] [[:File:A.png|a]] [[:dog]]", "Category:D a dog", [("Dog", "dog")], {"namespace": 2}),
    "category": ("A.[[Category:Dogs|*]][[ category : Cats]]", "A.", [], {"category": 2}),
    "interlanguage": ("A. [[fr:Chien]] [[:fr:Chien]]", "A. fr:Chien", [], {"interlanguage": 1, "interwiki": 1}),
    "project": ("[[wikt:dog|dogs]] [[Help:X|help]]", "dogs help", [], {"interwiki": 1, "namespace": 1}),
    "film with a colon": ("[[2001: A Space Odyssey]]", "2001: A Space Odyssey", [("2001: A Space Odyssey",) * 2], {}),
    "file with links": ("[[File:A.png|thumb|A [[b]] and [[c|d]].]] E.", "E.", [], {"file": 1, "in_caption": 2}),
    "file in a file": ("[[Image:A.png|[[File:B.png|[[c]]]]]] E.", "E.", [], {"file": 1, "in_caption": 2}),
    "file never closed": ("[[File:A.png|A [[b]]\nNext [[c]].", "Next c.", [("C", "c")], {"file": 1, "in_caption": 1}),
    "empty": ("[[]] [[ |x]] [[a|''''']] b", "b", [], {"empty": 3}),
    "brackets in a label": ("[[a|[b]]].", "[b].", [("A", "[b]")], {}),
    "nested": ("[[a|b [[c]] d]].", "a|b c d.", [("C", "c")], {"nested": 1}),
    "unclosed": ("[[a b\n\n[[c]] d]]", "a b\n\nc d", [("C", "c")], {"nested": 1}),
    "a long label": (f"[[a|{'b' * 19_000}]]", "b" * 19_000, [("A", "b" * 19_000)], {}),
    "a label beyond all measure": (f"[[a|{'b' * 20_001}]] c", "a|" + "b" * 20_001 + " c", [], {"unclosed": 1}),
    "unclosed at the end": ("x [[y", "x y", [], {"unclosed": 1}),
    "stray closing": ("x]] [[y]]", "x y", [("Y", "y")], {}),
    "link to a URL": ("[[http://a.example|b]]", "b", [], {"external": 1}),
    "slashes in a title": ("[[.hack://Sign]]", ".hack://Sign", [(".hack://Sign",) * 2], {}),
    "tag in a target": ("[[a#b<br>c]]", "a#b c", [("A", "a#b c")], {}),
    "caption of two paragraphs": ("[[File:A.png|b [[c]]\n\nd]] E.", "E.", [], {"file": 1, "in_caption": 1}),
    "quotes beside a tag": ("''a''<sub>''i''</sub> [[B|''c''<sub>''j''</sub>]]", "ai cj", [("B", "cj")], {}),
    "text of a quotation": ("{{quote|text=A [[b]].|source=C}}", "A b.", [("B", "b")], {}),
    "brackets apart": ("a [<!-- b -->[c]", "a [[c]", [], {}),
    "link in a tag without content": ("a<ref name='[[b]]'/>c", "ac", [], {"in_tag": 1}),
    "illegal title": ("[[a{b|c]]", "c", [], {"invalid": 1}),
    "label over two lines": ("[[a|b\nc]] d", "b c d", [("A", "b c")], {}),
    "target over two lines": ("[[a\nb]] [[a\nb|c]] d", "a b c d", [], {"invalid": 2}),
    "break in a label": ("[[a|b<br />c]]", "b c", [("A", "b c")], {}),
    "spaces in an anchor": ("x [[a| b ]] y[[c|&nbsp;d]]", "x b y d", [("A", "b"), ("C", "d")], {}),
    "template": ("A {{x|[[b]]|{{y|[[c]]}}}}d.", "A d.", [], {"in_template": 2}),
    "parameter": ("A {{{1|[[b]]}}} {{#if:{{{2|}}}|[[c]]}}d", "A d", [], {"in_template": 2}),
    "inline template": ("{{lang|fr|[[chien]]}} and {{convert|5|km|mi}}", "chien and 5 km", [("Chien", "chien")], {}),
    "bar inside a link": ("{{nowrap|[[a|b]] c}}", "b c", [("A", "b")], {}),
    "unclosed template": ("A {{b [[c]]", "A b c", [("C", "c")], {}),
    "stray braces": ("A }} b", "A b", [], {}),
    "table": ("A\n{| class=x\n|-\n| [[b]]\n|}\nC", "A\n\nC", [], {"in_table": 1}),
    "table in a table": ("{|\n|\n{|\n| [[b]]\n|}\n| [[c]]\n|}\nD", "D", [], {"in_table": 2}),
    "HTML table": ("A<table><tr><td>[[b]]</td></tr></table>C", "AC", [], {"in_table": 1}),
    "unclosed table": ("{|\n| [[b]]\n\nC [[d]]", "C d", [("D", "d")], {"in_table": 1}),
    "template closing like a table": ("{{x|\na=b\n|}}C", "C", [], {}),
    "reference": ("A<ref name=x>[[b]]</ref>, c<ref name=x />.", "A, c.", [], {"in_ref": 1}),
    "reference list": ("A<references><ref>[[b]]</ref></references>", "A", [], {"in_ref": 1}),
    "unclosed reference": ("A<ref> [[b]]", "A b", [("B", "b")], {}),
    "comment": ("A <!-- [[b]] -->c", "A c", [], {"in_comment": 1}),
    "comment line": ("A\n<!-- b -->\nc", "A c", [], {}),
    "unclosed comment": ("A <!-- [[b]]", "A", [], {"in_comment": 1}),
    "comment in a link": ("[[dog<!-- x -->|hound]]", "hound", [("Dog", "hound")], {}),
    "nowiki": ("<nowiki>[[a]] ''b'' {{c}} &amp; <i></nowiki>", "[[a]] ''b'' {{c}} & <i>", [], {"in_nowiki": 1}),
    "nowiki list": ("<nowiki>* a</nowiki>", "* a", [], {}),
    "formula": ("where <math>m</math> is <chem>H2O</chem>", "where formula_1 is formula_2", [], {}),
    "gallery": ("A <gallery>\nFile:B.png|[[c]]\n</gallery>", "A", [], {"in_extension": 1}),
    "source code": ("A <source lang='c'>a[[0]]</source> b <code>x</code>", "A b x", [], {"in_extension": 1}),
    "tags": ("a<sub>2</sub> <span class='x'>b</span> <small>c</small> 1 < 2 > 0", "a2 b c 1 < 2 > 0", [], {}),
    "block tags": ("a<blockquote>b</blockquote>c<br>d", "a\n\nb\n\nc d", [], {}),
    "link in an attribute": ("<span title='[[a]]'>b</span>", "b", [], {"in_tag": 1}),
    "quotes": ("'''''a''' b'' '''c''' ''d''", "a b c d", [], {}),
    "apostrophes beside quotes": ("l'''Énéide'' ''''a''''", "l'Énéide 'a'", [], {}),
    "five quotes are bold and italics": ("'''''a'''b'''", "a'b", [], {}),
    "an apostrophe, best not behind a space": ("''a '''b'''c'''d", "a b'cd", [], {}),
    "external links": ("[https://a.example the site] [http://b.example] x", "the site x", [], {}),
    "square brackets": ("He said [sic] x", "He said [sic] x", [], {}),
    "magic words": ("__NOTOC__a __init__", "a __init__", [], {}),
    "language variants": ("-{zh-hans:甲;zh-hant:乙}-丙", "甲丙", [], {}),
    "variants without flags": ("-{5|6}- -{H|zh:甲}-x", "5|6 x", [], {}),
    "paragraphs": ("a\nb\n\n\nc", "a b\n\nc", [], {}),
    "heading": ("a\n== [[b]] ==\nc", "a\n\nc", [], {"in_heading": 1}),
    "lists": ("a\n* [[b]]\n# [[c]]\n: [[d]]\n; [[e]]\nf", "a\n\nf", [], {"in_list": 4}),
    "rule": ("a\n----\nb", "a\n\nb", [], {}),
    "apparatus": ("a\n== See also ==\n[[b]]\n=== More ===\n[[c]]\n== Life ==\nd", "a\n\nd", [], {"in_section": 2}),
    "uneven heading": ("a\n== See also ==\n[[b]]\n=== Life ==\nc", "a\n\nc", [], {"in_section": 1}),
    "an anchor of which nothing is left": ("x\n\n[[a|()]]\n\ny", "x\n\ny", [], {"empty": 1}),
    "holes": ("X ({{IPA|x}}; born 1900) is ( ) a {{cn}} .", "X (born 1900) is a.", [], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_construct(name):
    source, text, links, dropped = CASES[name]
    page = to_text(source)
    assert (page.text, anchors(page), dict(page.dropped)) == (text, links, dropped)
    assert accounted(source, page)


def test_lists_and_headings_on_demand():
    source = "a\n== [[b]] ==\n* [[c]]\n** d\n== References ==\n* [[e]]"
    page = to_text(source, style=Style(keep_lists=True, keep_headings=True))
    assert page.text == "a\n\nb\n\nc\n\nd"
    assert page.dropped == {"in_section": 1}
    everything = to_text(source, style=Style(keep_lists=True, keep_headings=True, drop_sections=()))
    assert everything.text == "a\n\nb\n\nc\n\nd\n\nReferences\n\ne" and not everything.dropped


def test_inline_templates_are_declared():
    style = Style(inline_templates={"Tier": "{2} ({art})", "lang": ""})
    assert to_text("{{Tier|a|[[Hund]]|art=groß}} {{lang|fr|chien}}", style=style).text == "Hund (groß)"


def test_a_wiki_of_another_language():
    site = Site("ru", {"Файл": 6, "Категория": 14, "Википедия": 4})
    source = "[[Файл:А.png|[[б]]]] [[Изображение:А.png]] [[категория:Б]] [[File:A.png]] [[Википедия:В|в]] [[г]]"
    page = to_text(source, site)
    assert page.text == "в г" and anchors(page) == [("Г", "г")]
    assert page.dropped == {"file": 3, "in_caption": 1, "category": 1, "namespace": 1}


def test_the_names_of_a_wiki_win():
    assert Site().resolve("Book:x") == ("namespace", "x")
    assert Site(namespaces={"Book": 0}).resolve("book:x") == ("page", "Book:x")
    assert Site(namespaces={"Bild": 6}).resolve("bild:x.png") == ("file", "x.png")


def test_titles():
    site = Site()
    assert site.resolve("straße")[1] == "Straße" and site.resolve("ßx") == ("page", "ßx")
    assert site.resolve("ა") == ("page", "ა")  # Georgian has no capitals in titles
    assert site.resolve("a\u200e_ \u00a0b") == ("page", "A b")
    assert site.resolve("x" * 256) == ("invalid", "")
    assert Site(first_letter=False).resolve("dog") == ("page", "dog")
    assert (Site().title("dog__a "), Site(first_letter=False).title("dog__a ")) == ("Dog a", "dog a")


PIECES = [
    "[[", "]]", "{{", "}}", "{|\n", "\n|}", "|", "<ref>", "</ref>", "<ref/>", "<!--", "-->", "<nowiki>", "</nowiki>",
    "''", "'''", "\n", "\n\n", "\n*", "\n==", "==\n", "=", "File:", "Category:", "fr:", "#", ":", "[http://a b]", "[",
    "]", "a", "B c", "(", ")", ",", " ", "&lt;", "&#1;", "&amp;", "<br>", "<div>", "<table>", "</table>", "-{", "}-",
    "__TOC__", "lang|x|", "\x01", "\x02", "\x03", "é", "日", "\u00a0", "<math>", "</math>", "{{{", "}}}",
    "<span title='", "'>",
]  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_mixture_of_markup_keeps_the_account(source):
    for style in (Style(), Style(keep_lists=True, keep_headings=True, drop_sections=())):
        page = to_text(source, style=style)
        assert all(number > 0 for number in page.dropped.values())
        position = 0
        for target, start, end in page.links:
            assert position <= start < end <= len(page.text) and target
            assert page.text[start:end].strip() == page.text[start:end] != ""
            position = end
        assert not set(page.text) & set("\x01\x02\x03\x04") and "\n\n\n" not in page.text
        # A comment inside brackets may join or part them, so that the two counts could differ there.
        if "<!--" not in source and "nowiki" not in source:
            assert accounted(source, page) or "\x01" in source or "\x02" in source or "\x03" in source


HOSTILE = ["[[", "{{", "}}", "]]", "[[a|", "[[File:a|", "{{lang|x|", "{|\n", "<ref>", "<ref ", "<!--", "''", "-{", "(,",
           "\n==", "= ", "[http://a ", "<table>", "{{{", "|", "__a", "&", "<div ", ",;", "[[a]]]"]  # fmt: skip


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_repetition_is_finished(token):
    """What takes a fraction of a second in linear time would take minutes in quadratic time at this size."""
    number = 100_000 // len(token)
    source = token * number + "]]" * number + "}}" * number
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        assert accounted(source, to_text(source))
    finally:
        faulthandler.cancel_dump_traceback_later()


def real_articles(real, name):
    source = Source(real / "wikidumps" / f"{name}.xml.bz2")
    return [(site, page) for site, page in read_pages(source) if not page.namespace and not page.redirect]


SAMPLES = ["gensim_enwiki_shortened", "dbpedia_minidump_en", "gensim_enwiki-table-markup", "gensim_bgwiki_shortened"]


@pytest.mark.real
@pytest.mark.parametrize("name", SAMPLES)
def test_real_pages_leave_no_markup(real, name):
    left: Counter[str] = Counter()
    for site, raw in real_articles(real, name):
        page = to_text(raw.text, site)
        assert accounted(raw.text, page), raw.title
        for token in ("[[", "]]", "{{", "}}", "<ref", "'''", "\n|", "\n*", "\n==", "  ", "</", "&nbsp;"):
            left[token] += page.text.count(token)
        for link in page.links:
            anchor = page.text[link.start : link.end]
            assert anchor == anchor.strip() != "" and "\n" not in anchor
    assert not any(left.values()), left


@pytest.mark.real
@pytest.mark.parametrize("name", SAMPLES[:3])
def test_real_links_agree_with_mwparserfromhell(real, name):
    """Every ``[[`` is a link here; the parser misses the few that it cannot read, so nearly the same number."""
    parse = pytest.importorskip("mwparserfromhell").parse
    ours = theirs = 0
    targets: list[tuple[set[str], set[str]]] = []
    for site, raw in real_articles(real, name)[:10]:
        page = to_text(raw.text, site)
        ours += len(page.links) + sum(page.dropped.values())
        links = parse(raw.text).filter_wikilinks()
        theirs += len(links)
        targets.append(({link.target for link in page.links}, {site.resolve(str(link.title))[1] for link in links}))
    assert 0.98 < theirs / ours <= 1.0, (ours, theirs)
    for kept, all_titles in targets:
        assert kept <= all_titles
