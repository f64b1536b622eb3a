"""XML as records.

`records` names the elements that are records by the end of their path ('QAPairs/QAPair'); fields are XPaths from
there: 'Question', 'Question/@qid', '../../Focus', '/Document/@id'. Namespaces are dropped: a path names elements
and attributes by local name. A document that declares entities is refused: an export of data needs none, and
they are how a kilobyte becomes a gigabyte, or reads a local file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.params import Reading
from acclimate.data.sources.content import MB, Content, Fault, Raw, UnreadableError

_CHUNK_BYTES = 1 << 16
Fields = Callable[[Any], dict[str, str]]


def read_xml(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """Each element that `records` names, as {path: text}; without `records` the root element is the record.

    A record is forgotten after the next one has been read; what stands around records stays, for paths that
    lead there.

    Raises:
        UnreadableError: if the file is not well-formed XML, declares entities, or has no such element.
        UserError: if a field's path is no XPath, or XML cannot be read in the source's encoding.
    """
    from lxml import etree

    fields = _mapped(source) if source.fields else _children
    last = None
    number = 0
    try:
        for number, element in enumerate(_record_elements(content, source), start=1):
            yield _record(element, fields, f":{element.tag} {number}")
            if last is not None and last.getparent() is not None:
                last.getparent().remove(last)
            last = element
    except etree.XMLSyntaxError as fault:
        raise UnreadableError("not XML", " ".join(str(fault.msg).split())) from None
    if not number:
        raise UnreadableError("no records where the source says", f"no element {source.records}")


def _record_elements(content: Content, source: Reading) -> Iterator[Any]:
    parser = _parser(source)
    walk = _Walk(source.records)
    most = content.limits.max_whole_mb * MB
    since_record = 0
    while chunk := content.stream.read(_CHUNK_BYTES):
        parser.feed(chunk)
        since_record += len(chunk)
        if since_record > most:
            detail = f"over {content.limits.max_whole_mb} MB without the end of a record (ingest.limits.max_whole_mb)"
            raise UnreadableError("file too large", detail)
        for event, element in parser.read_events():
            if walk.ends_record(event, element):
                since_record = 0
                yield element
    parser.close()


def _parser(source: Reading) -> Any:
    from lxml import etree

    try:
        return etree.XMLPullParser(
            events=("start", "end"),
            # A document names its own encoding, UTF-8 if it does not.
            encoding=None if source.encoding == "utf-8" else source.encoding,
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    except LookupError:
        raise UserError(
            f"the source {source.name!r} reads XML, which cannot be read in its encoding {source.encoding!r}",
            why="libxml2 knows fewer encodings than Python",
            fix="leave `encoding` out in params.yaml: XML files say theirs; convert those that do not to UTF-8",
        ) from None


class _Walk:
    """Where in the tree the parser is."""

    def __init__(self, records: str | None) -> None:
        self._wanted = records.strip("/").split("/") if records else []
        self._path: list[str] = []
        self._record_depth = 0
        """Of the record the parser is in, 0 outside; an element of the same path inside a record is a part of it."""

    def ends_record(self, event: str, element: Any) -> bool:
        """Follow the parser one step; whether it has just left a record."""
        if event == "start":
            if not self._path:
                _require_no_entities(element)
            _drop_namespaces(element)
            self._path.append(element.tag)
            if not self._record_depth and self._is_record():
                self._record_depth = len(self._path)
            return False
        ended = self._record_depth == len(self._path)
        if ended:
            self._record_depth = 0
        self._path.pop()
        return ended

    def _is_record(self) -> bool:
        return self._path[-len(self._wanted) :] == self._wanted if self._wanted else len(self._path) == 1


def _require_no_entities(root: Any) -> None:
    declared = root.getroottree().docinfo.internalDTD
    names = [entity.name for entity in declared.entities()] if declared is not None else []
    if names:
        raise UnreadableError("XML declares entities", f"{names[0]!r} and {len(names) - 1} more; none is expanded")


def _drop_namespaces(element: Any) -> None:
    if element.tag.startswith("{"):
        element.tag = element.tag.rpartition("}")[2]
    for name in element.attrib:
        if name.startswith("{"):
            element.attrib[name.rpartition("}")[2]] = element.attrib.pop(name)


def _record(element: Any, fields: Fields, where: str) -> Raw | Fault:
    from lxml import etree

    # Entities of an external DTD, which is never fetched: `&nbsp;` in XHTML.
    unknown = next(element.iter(etree.Entity), None)
    if unknown is not None:
        return Fault(where, "unknown entity", f"{unknown.text} is not one of XML's own five", _text(element)[:120])
    return Raw(where, fields(element))


def _mapped(source: Reading) -> Fields:
    """From an element, {path: text} of every path that the source's mapping names and that leads somewhere."""
    from lxml import etree

    assert source.fields is not None
    paths = [path for several in source.fields.paths().values() for path in several if not path.startswith("$")]
    try:
        compiled = {path: etree.XPath(path) for path in paths}
    except etree.XPathError as fault:
        raise _no_xpath(source, paths, fault) from None

    def fields(element: Any) -> dict[str, str]:
        try:
            found = {path: xpath(element) for path, xpath in compiled.items()}
        except etree.XPathError as fault:  # a prefix or a function that there is not shows only here
            raise _no_xpath(source, paths, fault) from None
        return {path: _joined(value) for path, value in found.items() if value != []}

    return fields


def _no_xpath(source: Reading, paths: list[str], fault: Exception) -> UserError:
    return UserError(
        f"the source {source.name!r} has a field path that is no XPath: {fault} in one of {paths}",
        why="its XML records cannot be read",
        fix="mend the path in params.yaml, e.g. Question, Question/@qid, ../../Focus or /Document/@id (no prefixes)",
    )


def _children(element: Any) -> dict[str, str]:
    """Attributes and child elements by name."""
    found: dict[str, list[str]] = {name: [value] for name, value in element.attrib.items()}
    for child in element:
        found.setdefault(child.tag, []).append(_text(child))
    return {name: _joined(values) for name, values in found.items()}


def _joined(value: Any) -> str:
    """What an XPath finds: elements and strings, each on a line of its own, or one number."""
    return "\n".join(map(_text, value)) if isinstance(value, list) else str(value)


def _text(node: Any) -> str:
    return str(node if isinstance(node, str) else "".join(node.itertext())).strip()
