"""The literature as PubMed XML in the NLM's format: two baseline files with citations, versions and deletions."""

from pathlib import Path
from xml.sax.saxutils import escape

from linkbert.world.archives import write_gzip
from linkbert.world.draw import Draw
from linkbert.world.facts import Fact, World
from linkbert.world.medical_wordings import BACKGROUND, CLOSING, METHODS, filled, finding
from linkbert.world.medicine import ACTIONS, INTERACTIONS, Study, studies

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECTIONS = {"BACKGROUND": "BACKGROUND", "METHODS": "METHODS", "RESULTS": "RESULTS", "CONCLUSION": "CONCLUSIONS"}


def write_pubmed(world: World, folder: Path) -> None:
    """Write ``pubmed25n0001.xml.gz`` and ``pubmed25n0002.xml.gz``.

    The second file holds the later half, a second version of an article of the first, and the deletion of another.
    """
    draw = world.draw("pubmed")
    found = studies(world)
    half = len(found) // 2
    first = [_article(world, study, draw) for study in found[:half]]
    second = [_article(world, study, draw) for study in found[half:]]
    second.append(_article(world, found[3], draw, version=2))
    deleted = f'<DeleteCitation>\n<PMID Version="1">{found[5].pmid}</PMID>\n</DeleteCitation>\n'
    write_gzip(folder / "pubmed25n0001.xml.gz", _set(first))
    write_gzip(folder / "pubmed25n0002.xml.gz", _set(second, deleted))


def abstract(world: World, study: Study, draw: Draw) -> dict[str, list[str]]:
    """The sentences of an abstract by section; the results repeat facts that the cited studies report, too."""
    own = _facts(world, study)
    results = [finding(fact, draw)[0] for fact in own]
    before = [finding(draw.pick(own), draw)[0]]
    return {
        "BACKGROUND": [*before, draw.pick(BACKGROUND), *(finding(f, draw)[0] for f in draw.some(own, 2))],
        "METHODS": [
            filled(draw, METHODS),
            filled(draw, METHODS),
            f"Patients over {draw.whole(18, 65)} years were included.",
        ],
        "RESULTS": [*results, f"The difference was significant (P < 0.0{draw.whole(1, 5)})."],
        "CONCLUSION": [finding(own[0], draw)[0], draw.pick(CLOSING)],
    }


def title(study: Study, draw: Draw) -> str:
    """An article title, with a period."""
    first, second = (entity.name for entity in study.entities)
    wordings = {
        "trial": (f"{first} in patients with {second}: a randomized trial.", f"Efficacy of {first} for {second}."),
        "target": (f"Effects of {first} on {second}.", f"How {first} acts on {second}."),
        "association": (f"{first} polymorphism and {second}.", f"Is {first} related to {second}?"),
        "interaction": (f"Combined use of {first} and {second}.", f"{first} and {second} in healthy volunteers."),
        "hallmark": (f"The role of {first} in {second}.", f"{first} expression in {second} cells."),
        "review": (f"{first}: a review of the literature.", f"Current treatment of {first}."),
    }
    text = draw.pick(wordings[study.kind])
    return text[0].upper() + text[1:]


def _facts(world: World, study: Study) -> list[Fact]:
    """What a study is about, the matter of its kind first."""
    one, two = study.entities
    relations = {
        "trial": ("treats", "side_effect", *ACTIONS),
        "target": (*ACTIONS, "treats", "side_effect"),
        "association": ("risk", "no_risk", "hallmark"),
        "interaction": (*INTERACTIONS, "treats", *ACTIONS),
        "hallmark": ("hallmark", "risk"),
        "review": ("organ", "symptom", "choice"),
    }
    facts = world.about(one, *relations[study.kind])
    if study.kind in ("trial", "association", "hallmark"):
        facts += world.about(two, "symptom", "choice")
    if study.kind == "review":
        facts += [*world.about(two, *ACTIONS, "side_effect")]
        facts += [fact for fact in world.facts if fact.relation == "risk" and fact.object == one][:2]
    if study.kind == "interaction":
        facts += world.about(two, "treats", "side_effect")
    return facts


def plain_text(world: World) -> list[str]:
    """Title and abstract of every study, for a vocabulary."""
    draw = world.draw("pubmed text")
    return [
        " ".join([title(study, draw), *(line for part in abstract(world, study, draw).values() for line in part)])
        for study in studies(world)
    ]


def _set(articles: list[str], deleted: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
        '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n'
        f"<PubmedArticleSet>\n{''.join(articles)}{deleted}</PubmedArticleSet>\n"
    )


def _date(date: tuple[int, int, int], draw: Draw) -> str:
    """A publication date in one of the journals' many forms."""
    year, month, day = date
    forms = (
        f"<Year>{year}</Year><Month>{_MONTHS[month - 1]}</Month><Day>{day:02d}</Day>",
        f"<Year>{year}</Year><Month>{_MONTHS[month - 1]}</Month>",
        f"<Year>{year}</Year><Month>{month:02d}</Month>",
        f"<MedlineDate>{year} {_MONTHS[month - 1]}-{_MONTHS[month % 12]}</MedlineDate>"
        if month < 12
        else f"<MedlineDate>{year} Nov-Dec</MedlineDate>",
        f"<Year>{year}</Year>" if (year, month) < (2020, 1) else f"<Year>{year}</Year><Month>{month:02d}</Month>",
    )
    return forms[0] if draw.chance(0.5) else draw.pick(forms)


def _abstract(world: World, study: Study, draw: Draw) -> str:
    if draw.chance(0.05):
        return ""
    parts = abstract(world, study, draw)
    if draw.chance(0.4):
        body = "".join(
            f'<AbstractText Label="{label}" NlmCategory="{_SECTIONS[label]}">{escape(" ".join(lines))}</AbstractText>\n'
            for label, lines in parts.items()
        )
    else:
        text = escape(" ".join(line for lines in parts.values() for line in lines))
        # Inline markup, as in gene names and exponents.
        body = f"<AbstractText>{text.replace('P &lt;', '<i>P</i> &lt;')}</AbstractText>\n"
    return f"<Abstract>\n{body}<CopyrightInformation>Invented.</CopyrightInformation>\n</Abstract>\n"


def _article(world: World, study: Study, draw: Draw, version: int = 1) -> str:
    year, month, day = study.date
    electronic = (
        f'<ArticleDate DateType="Electronic"><Year>{year}</Year>'
        f"<Month>{month:02d}</Month><Day>{day:02d}</Day></ArticleDate>\n"
        if draw.chance(0.6)
        else ""
    )
    # Older articles carry their citations in one list, newer ones in the other, some in both.
    in_comments, in_references = draw.pick(((True, False), (False, True), (True, True)))
    cited = [*study.cites, *study.outside]
    comments = "".join(
        f'<CommentsCorrections RefType="Cites"><RefSource>J Invent. {2000 + pmid % 20}</RefSource>'
        f'<PMID Version="1">{pmid}</PMID></CommentsCorrections>\n'
        for pmid in cited
    )
    comments += '<CommentsCorrections RefType="CommentIn"><RefSource>J Invent</RefSource></CommentsCorrections>\n'
    references = "".join(
        f"<Reference><Citation>J Invent. {2000 + pmid % 20};1:1-2</Citation>"
        f'<ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList></Reference>\n'
        for pmid in cited
    )
    references += "<Reference><Citation>A book without a number.</Citation></Reference>\n"
    return (
        '<PubmedArticle>\n<MedlineCitation Status="MEDLINE" Owner="NLM">\n'
        f'<PMID Version="{version}">{study.pmid}</PMID>\n'
        f"<DateRevised><Year>2022</Year><Month>01</Month><Day>01</Day></DateRevised>\n"
        '<Article PubModel="Print-Electronic">\n<Journal><ISSN IssnType="Electronic">0000-0000</ISSN>'
        f'<JournalIssue CitedMedium="Internet"><Volume>{year - 2000}</Volume><Issue>{month}</Issue>'
        f"<PubDate>{_date(study.date, draw)}</PubDate></JournalIssue>"
        "<Title>Journal of invented medicine</Title><ISOAbbreviation>J Invent</ISOAbbreviation></Journal>\n"
        f"<ArticleTitle>{escape(title(study, draw))}</ArticleTitle>\n"
        f"{_abstract(world, study, draw)}<Language>eng</Language>\n"
        '<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>\n'
        f"{electronic}</Article>\n<MedlineJournalInfo><Country>Invented</Country><MedlineTA>J Invent</MedlineTA>"
        "<NlmUniqueID>0000000</NlmUniqueID></MedlineJournalInfo>\n"
        + (f"<CommentsCorrectionsList>\n{comments}</CommentsCorrectionsList>\n" if in_comments else "")
        + "</MedlineCitation>\n<PubmedData>\n<PublicationStatus>ppublish</PublicationStatus>\n"
        f'<ArticleIdList><ArticleId IdType="pubmed">{study.pmid}</ArticleId></ArticleIdList>\n'
        + (f"<ReferenceList>\n{references}</ReferenceList>\n" if in_references else "")
        + "</PubmedData>\n</PubmedArticle>\n"
    )
