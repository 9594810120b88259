"""Entity dummies for relation extraction, as in BLURB (Gu et al., 2021): the two arguments become type names."""

import re

Span = tuple[int, int]


def dummify(sentence: str, first: Span, second: Span, names: tuple[str, str], joint: str) -> str:
    """Replace two spans (character offsets in `sentence`, end exclusive) by ``@NAME$``; overlapping ones by `joint`.

    >>> dummify("Aspirin inhibits COX-1 here.", (0, 7), (17, 22), ("CHEMICAL", "GENE"), "CHEM-GENE")
    '@CHEMICAL$ inhibits @GENE$ here.'
    >>> dummify("Aspirin inhibits COX-1 here.", (17, 22), (17, 20), ("CHEMICAL", "GENE"), "CHEM-GENE")
    'Aspirin inhibits @CHEM-GENE$ here.'
    """
    (one, one_name), (two, two_name) = sorted([(first, names[0]), (second, names[1])], key=lambda item: item[0][0])
    if one[1] > two[0]:
        start, end = min(one[0], two[0]), max(one[1], two[1])
        text = f"{sentence[:start]}@{joint}${sentence[end:]}"
    else:
        text = f"{sentence[: one[0]]}@{one_name}${sentence[one[1] : two[0]]}@{two_name}${sentence[two[1] :]}"
    return re.sub(r"[\n\r\t]", " ", text).strip()
