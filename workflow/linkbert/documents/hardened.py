"""XML of untrusted files, record by record: no entity is expanded, nothing is fetched, memory stays small."""

import re
from collections.abc import Callable, Iterator

from lxml import etree

from linkbert.documents.sources import Source
from linkbert.errors import UserError

_PROLOGUE = 1 << 20
_LARGEST_RECORD = 1 << 26  # bytes without the end of a record: no publisher's record has a tenth of it
_FIRST_ELEMENT = re.compile(r"<[^\s<>!?/=]")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*")
_ENCODING = re.compile(r"""\A<\?xml[^>]*?\bencoding\s*=\s*["']([^"']*)["']""")
_ENCODINGS = {"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}


def elements(
    source: Source, tags: tuple[str, ...], where: Callable[[], str], *, doctype: bool = True
) -> Iterator[etree._Element]:
    """Yield each element with one of `tags` when it is complete, innermost first; the caller frees its content.

    Declared entities are refused before anything is parsed (they could expand without bound), so text of any length
    is accepted; without `doctype`, any DOCTYPE is refused. `where` names the last good record for the UserError that
    broken XML raises.
    """
    _check_prologue(source, doctype)
    bounded = _Bounded(source, where)
    # Entities stay unexpanded and no DTD is loaded; huge_tree lifts the limit of 10 MB for one text.
    events = etree.iterparse(
        bounded,
        events=("end",),
        tag=tags,
        huge_tree=True,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in events:
            bounded.left = _LARGEST_RECORD
            yield element
    except etree.XMLSyntaxError as error:
        raise UserError(
            f"{source.path}: broken XML {where()}, near byte {source.position:,} of the file ({error.msg}). "
            "The file is truncated or damaged: download it again and compare its checksum."
        ) from None


class _Bounded:
    """What the XML parser reads; refuses a record without an end, of which the tree would fill the memory."""

    def __init__(self, source: Source, where: Callable[[], str]):
        self.source, self.where, self.left = source, where, _LARGEST_RECORD

    def read(self, count: int) -> bytes:
        data = self.source.read(count)
        self.left -= len(data)
        if self.left < 0:
            raise UserError(
                f"{self.source.path}: no record ends within {_LARGEST_RECORD >> 20} MB {self.where()}. "
                "The file is damaged or of another format."
            )
        return data


def free(element: etree._Element) -> None:
    """Forget a record and all that stands before it."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while parent[0] is not element:
            del parent[0]


def _check_prologue(source: Source, doctype: bool) -> None:
    head = source.take(_PROLOGUE)
    source.unread(head)
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    declared = _ENCODING.search(text)
    if "\0" in text or (declared and declared[1].lower() not in _ENCODINGS):
        raise UserError(f"{source.path}: its encoding is not supported. Known: {', '.join(sorted(_ENCODINGS))}.")
    first = _FIRST_ELEMENT.search(text)
    if not first:
        raise UserError(f"{source.path}: not XML: no element in its first {len(head):,} bytes.")
    before = text[: first.start()]
    found = _DOCTYPE.search(before)
    if "<!ENTITY" in before or (found and (not doctype or before[found.end() : found.end() + 1] == "[")):
        raise UserError(
            f"{source.path}: it has a DOCTYPE that no publisher's file of this format has. Entities declared there "
            "could exhaust a machine's memory or read its files, so the file is refused."
        )
