"""Titles and link targets as a MediaWiki site understands them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html.entities import html5
from urllib.parse import unquote_to_bytes

FILE, CATEGORY = 6, 14

# Canonical names, valid on every wiki whatever its language, with the aliases that English Wikipedia adds.
_CANONICAL = {
    -2: "media", -1: "special", 1: "talk", 2: "user", 3: "user talk", 4: "project|wikipedia|wp",
    5: "project talk|wikipedia talk|wt", 6: "file|image", 7: "file talk|image talk", 8: "mediawiki",
    9: "mediawiki talk", 10: "template", 11: "template talk", 12: "help", 13: "help talk", 14: "category",
    15: "category talk", 100: "portal", 101: "portal talk", 108: "book", 109: "book talk", 118: "draft",
    119: "draft talk", 710: "timedtext", 711: "timedtext talk", 828: "module", 829: "module talk",
}  # fmt: skip

# Aliases of "File" that old pages of large wikis still use and that an export does not list.
_FILE_ALIASES = {
    "ca": "imatge", "cs": "obrázek", "da": "billede", "de": "bild", "eo": "dosiero", "es": "imagen", "fa": "تصویر",
    "fi": "kuva", "fr": "image", "he": "תמונה", "hu": "kép", "it": "immagine", "ja": "画像", "ko": "그림",
    "nl": "afbeelding", "no": "bilde", "pl": "grafika", "pt": "imagem", "ro": "imagine", "ru": "изображение",
    "sv": "bild", "tr": "resim", "uk": "зображення", "vi": "hình", "zh": "图像",
}  # fmt: skip

# Prefixes of other language editions of Wikipedia: such links stand in the margin, not in the text.
_LANGUAGES = """
    aa ab ace ady af ak als am an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar bat-smg bbc bcl
    be be-tarask be-x-old bg bh bi bjn blk bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch cho chr chy ckb co cr
    crh cs csb cu cv cy da dag de din diq dsb dty dv dz ee el eml en eo es et eu ext fa ff fi fiu-vro fj fo fr frp frr
    fur fy ga gag gan gcr gd gl glk gn gom gor got gu guc gur guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia
    id ie ig ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg ki kj kk kl km kn ko koi kr krc ks ksh
    ku kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv mad mai map-bms mdf mg mh mhr mi min mk ml
    mn mni mnw mo mr mrj ms mt mus mwl my myv mzn na nah nap nds nds-nl ne new ng nia nl nn no nov nqo nrm nso nv ny
    oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn ro roa-rup roa-tara ru
    rue rw sa sah sat sc scn sco sd se sg sh shi shn si simple sk skr sl sm smn sn so sq sr srn ss st stq su sv sw szl
    szy ta tay tcy te tet tg th ti tk tl tn to tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo wa
    war wo wuu xal xh xmf yi yo za zea zh zh-classical zh-min-nan zh-yue zu"""
LANGUAGES = frozenset(_LANGUAGES.split())

# Prefixes of other projects: such links are shown in the text but lead out of the wiki.
_PROJECTS = """
    b c commons d doi foundation incubator m mailarchive meta metawikimedia metawikipedia mw mediazilla n outreach
    phab phabricator q s species wikispecies v voy w wikipedia wikt wiktionary wikibooks wikidata wikimedia wikinews
    wikiquote wikisource wikiversity wikivoyage wmf bugzilla rev sourceforge wikia googlebooks google imdbname
    imdbtitle"""
PROJECTS = frozenset(_PROJECTS.split())

_SPACE = re.compile(r"[ _\t\r\n\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_DIRECTION = re.compile(r"[\u200e\u200f\u202a-\u202e]")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_WORD = r"[^\s_#%&/:<>\[\]{}|\x00-\x1f\x7f-\x9f\u180e\u200e\u200f\u202a-\u202e\ufffd]+"
_ILLEGAL = re.compile(r"[<>\[\]{}|\x00-\x1f\x7f\ufffd]|\A\.{1,2}(?:/|\Z)|/\.{1,2}(?:/|\Z)")
_URL = re.compile(r"\s*:?\s*[a-z][a-z+.-]*://", re.IGNORECASE)
# Most targets: words with single spaces and nothing that could mean something, short enough in any script.
_ORDINARY = re.compile(rf"(?!\.){_WORD}(?: {_WORD})*")
_LONGEST_ORDINARY = 60
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_LONGEST_TITLE = 255  # bytes


def unescape(text: str) -> str:
    """Character references decoded once, as a browser shows them; control characters become spaces."""
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return html5.get(name + ";", match.group())
    number = int(decimal) if decimal else int(hexadecimal, 16)
    if number < 32 or 127 <= number < 160:
        return " "
    return chr(number) if number < 0xD800 or 0xE000 <= number < 0x110000 else ""


@dataclass(frozen=True)
class Site:
    """The names of one wiki: what a prefix before a colon means, and whether a first letter may be small.

    `namespaces` maps each local name, in lower case, to its number. Canonical English names are always known.
    """

    language: str = "en"
    namespaces: Mapping[str, int] = field(default_factory=dict)
    first_letter: bool = True

    @cached_property
    def prefixes(self) -> dict[str, int]:
        known = {name: number for number, names in _CANONICAL.items() for name in names.split("|")}
        if alias := _FILE_ALIASES.get(self.language):
            known[alias] = FILE
        # The wiki's own names win: an export lists every namespace of its wiki.
        return known | {_plain(name).lower(): number for name, number in self.namespaces.items() if name}

    def names_of(self, numbers: Iterable[int]) -> list[str]:
        """All prefixes that stand for one of some namespaces, longest first."""
        wanted = set(numbers)
        return sorted((name for name, number in self.prefixes.items() if number in wanted), key=lambda n: (-len(n), n))

    def title(self, name: str) -> str:
        """A page's title in its one normal form: spaces squeezed, first letter capital where the wiki wants it."""
        name = _plain(name)
        return self._capital(name) if self.first_letter else name

    @cached_property
    def resolve(self):
        """``resolve(target) -> (kind, title)`` for what stands before the bar of a link, with a bounded cache.

        Kinds: ``page`` (title is its normal form), ``file``, ``category``, ``interlanguage``, ``interwiki``,
        ``namespace`` (shown, but not an article), ``section_only``, ``external``, ``empty``, ``invalid``.
        """
        return lru_cache(maxsize=1 << 16)(self._resolve)

    def _resolve(self, target: str) -> tuple[str, str]:
        if len(target) <= _LONGEST_ORDINARY and _ORDINARY.fullmatch(target):
            return "page", self._capital(target) if self.first_letter else target
        if "\n" in target:
            return "invalid", ""
        if "://" in target and _URL.match(target):
            return "external", ""
        name = _plain(_percent_decoded(unescape(target)))
        page, anchor, _ = name.partition("#")
        page = page.strip()
        shown = page.startswith(":")
        page = page.lstrip(": ") if shown else page
        if not page:
            return ("section_only" if anchor else "empty"), ""
        prefix, colon, rest = page.partition(":")
        if colon:
            prefix = prefix.strip().lower()
            number = self.prefixes.get(prefix)
            if number:
                kind = {FILE: "file", CATEGORY: "category"}.get(number, "namespace")
                return ("namespace" if shown else kind), rest.strip()
            if prefix in LANGUAGES:
                return ("interwiki" if shown else "interlanguage"), rest.strip()
            if prefix in PROJECTS:
                return "interwiki", rest.strip()
        if _ILLEGAL.search(page) or len(page.encode("utf-8", "replace")) > _LONGEST_TITLE:
            return "invalid", ""
        return "page", self._capital(page) if self.first_letter else page

    @staticmethod
    def _capital(title: str) -> str:
        first = title[:1]
        capital = first.upper()
        # As MediaWiki: no change where a capital needs two letters (ß), nor in Georgian, which has none in titles.
        return capital + title[1:] if len(capital) == 1 and not "\u10d0" <= first <= "\u10ff" else title


def _plain(name: str) -> str:
    return _SPACE.sub(" ", _DIRECTION.sub("", name)).strip()


def _percent_decoded(name: str) -> str:
    if "%" not in name or not _PERCENT.search(name):
        return name
    return unquote_to_bytes(name.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
