"""The account of an extraction: every page and every link is kept, or dropped under a named reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_KEPT = {"pages": ("documents", "redirects"), "links": ("links",)}
_WORDS = {"documents": "documents", "redirects": "redirects", "links": "kept"}


def unaccounted(meta: Mapping[str, Any]) -> dict[str, int]:
    """For pages and for links: those found, less those kept or dropped for a reason. All are 0 in a sound folder."""
    counts, dropped = Counter(meta["counts"]), meta["dropped"]
    return {
        kind: counts[f"{kind}_found"]
        - sum(counts[name] for name in names)
        - sum(number for reason, number in dropped.items() if reason.startswith(f"{kind}."))
        for kind, names in _KEPT.items()
    }


def total(metas: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """The counts and drops of several shards, summed."""
    counts, dropped = Counter[str](), Counter[str]()
    for meta in metas:
        counts.update(meta["counts"])
        dropped.update(meta["dropped"])
    return {"counts": dict(counts), "dropped": dict(dropped)}


def summary(metas: Iterable[Mapping[str, Any]]) -> str:
    """A table for people: what was found, what was kept, and what was dropped why, in numbers and per cent."""
    both = total(metas)
    counts, dropped = Counter(both["counts"]), both["dropped"]
    lines: list[str] = []
    for kind, names in _KEPT.items():
        found = counts[f"{kind}_found"]
        lines.append(f"{kind} found {found:>12,}")
        reasons = {reason.partition(".")[2]: n for reason, n in dropped.items() if reason.startswith(f"{kind}.")}
        rows = [(_WORDS[name], counts[name]) for name in names if counts[name]]
        rows += [
            (f"- {reason}", number) for reason, number in sorted(reasons.items(), key=lambda row: (-row[1], row[0]))
        ]
        lines += [f"  {name:<22}{number:>12,} {100 * number / max(found, 1):6.2f} %" for name, number in rows]
        lines.append(f"  {'unaccounted':<22}{unaccounted(both)[kind]:>12,}")
    others = {name: n for name, n in dropped.items() if name.partition(".")[0] not in _KEPT}
    lines += [f"{name:<24}{number:>12,}" for name, number in sorted(others.items())]
    return "\n".join(lines)
