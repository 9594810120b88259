"""The one exception that a user's mistake raises."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 60  # known names that a message lists: all models and tasks, not a thousand files


class UserError(Exception):
    """A mistake in the input, told in plain sentences: where, what was found, what is known, what to do.

    Commands print the message and exit with status 1, without a traceback.
    """


def unknown(where: str, what: str, found: object, known: Iterable[object]) -> UserError:
    """The error for a name outside a known set.

    >>> str(unknown("models.tsv", "size", "tny", ["tiny", "base"]))
    "models.tsv: unknown size 'tny'. Known: base, tiny. Did you mean 'tiny'?"
    """
    names = sorted(str(name) for name in known if name != "")
    near = get_close_matches(str(found), names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return UserError(f"{where}: unknown {what} '{found}'. Known: {', '.join(names[:MOST]) or 'none'}{more}.{hint}")
