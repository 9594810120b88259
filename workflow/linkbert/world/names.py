"""Invented names and the word lists of the world."""

from linkbert.world.draw import Draw

FIRST = ["Mara", "Tobin", "Elka", "Joren", "Sanna", "Perrin", "Ilse", "Darro", "Wenda", "Oskar", "Lina", "Corvin"]
FIRST.extend(["Thea", "Ruben", "Anneke", "Matthis", "Yara", "Edwin", "Selma", "Hugo"])
SHE = {"Mara", "Elka", "Sanna", "Ilse", "Wenda", "Lina", "Thea", "Anneke", "Yara", "Selma"}
PRODUCTS = {
    "bicycles": "steel",
    "clocks": "brass",
    "violins": "maple",
    "lanterns": "tin",
    "carpets": "wool",
    "boats": "oak",
    "candles": "wax",
    "kettles": "copper",
    "gloves": "leather",
    "mirrors": "glass",
    "plates": "clay",
    "ropes": "hemp",
    "locks": "iron",
    "books": "paper",
    "coats": "linen",
    "cheeses": "milk",
}
OCCUPATIONS = ["painter", "teacher", "writer", "singer", "lawyer", "pilot", "chemist", "baker", "sculptor", "doctor"]
KINDS = ["Works", "Mills", "Brothers", "Trading"]
LANGUAGES = ["Orlish", "Vendic", "Tarnese", "Selmic"]
CURRENCIES = ["crown", "florin", "mark", "guilder"]
FILM_HEADS = ["The Silent", "The Last", "A Distant", "The Golden", "Winter", "The Broken", "Blue", "The Long", "Night"]
FILM_TAILS = ["Harbor", "Garden", "Train", "Letter", "River", "Summer", "Mirror", "Winter", "Road", "Island"]

_STARTS = ["Al", "Bran", "Cor", "Dun", "El", "Far", "Gar", "Hal", "Ister", "Kel", "Lor", "Mar", "Nor", "Ost", "Pel"]
_STARTS += ["Quin", "Ros", "Sal", "Tor", "Ul", "Ver", "Wes", "Yar", "Zel"]
_TOWNS = ["mere", "ford", "wick", "holm", "stad", "bury", "vik", "dale", "haven", "brück"]
_LANDS = ["avia", "onia", "mark", "land"]
_SURNAMES = ["son", "ley", "ner", "ick", "ard", "well", "berg", "ow", "ane", "eth"]
_FIRMS = ["nor", "vex", "dex", "tis", "lon", "mar", "rick", "sen"]
_RIVERS = ["a", "e", "ine", "our"]
_DRUG_STARTS = ["zor", "vel", "plim", "dax", "quor", "nev", "brix", "tul", "kest", "olm", "rav", "fen", "jur", "sib"]
_DRUG_MIDDLES = ["ta", "li", "ne", "do", "pra", "mi"]
_DRUG_ENDS = ["vir", "mab", "statin", "olol", "pril", "zine", "nib", "done"]
_GENE_STARTS = ["KRL", "TVD", "MOX", "PLN", "ZBR", "HDQ", "SLV", "CNT", "RGF", "WAP", "DSK", "FNU"]
_DISEASE_HEADS = ["renal", "ocular", "cardiac", "hepatic", "dermal", "neural", "gastric", "pulmonary"]
_DISEASE_STARTS = ["dorv", "mell", "tarn", "quist", "brell", "vask", "lomm", "sind", "parv", "keth"]
_DISEASE_ENDS = ["itis", "osis", "emia", "oma", "algia"]


def _combined(draw: Draw, number: int, starts: list[str], *rest: list[str]) -> list[str]:
    """`number` different concatenations."""
    found: dict[str, None] = {}
    while len(found) < number:
        found.setdefault("".join(draw.pick(part) for part in (starts, *rest)))
    return list(found)


def cities(draw: Draw, number: int) -> list[str]:
    """Town names, some with a letter outside ASCII."""
    return _combined(draw, number, _STARTS, _TOWNS)


def countries(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _STARTS, _LANDS)


def surnames(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _STARTS, _SURNAMES)


def firms(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _STARTS, _FIRMS)


def rivers(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _STARTS, _RIVERS)


def drugs(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _DRUG_STARTS, _DRUG_MIDDLES, _DRUG_ENDS)


def genes(draw: Draw, number: int) -> list[str]:
    return _combined(draw, number, _GENE_STARTS, [str(digit) for digit in range(1, 10)])


def diseases(draw: Draw, number: int) -> list[tuple[str, str]]:
    """``(name, organ adjective)``: half of the names are of two words."""
    nouns = _combined(draw, number, _DISEASE_STARTS, _DISEASE_ENDS)
    organs = [draw.pick(_DISEASE_HEADS) for _ in nouns]
    return [
        (f"{organ} {noun}" if i % 2 else noun, organ) for i, (noun, organ) in enumerate(zip(nouns, organs, strict=True))
    ]
