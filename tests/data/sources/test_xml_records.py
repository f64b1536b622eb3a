"""XML: records by element, fields by XPath, and nothing that a document could smuggle in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.records import Document, Reject

Read = Callable[..., tuple[list[Document], list[Reject]]]

PAIRS = b"""<?xml version="1.0" encoding="UTF-8"?>
<Document id="7"><Focus>Valves</Focus><QAPairs>
  <QAPair><Question qid="a">When does it <b>close</b>?</Question><Answer> At 4 bar. </Answer></QAPair>
  <QAPair><Question qid="b">Why?</Question><Answer/></QAPair>
  <QAPair><Question qid="c">How?</Question><!-- no answer --></QAPair>
  <QAPair><Question qid="d">Who?</Question><Answer>The operator.</Answer></QAPair>
</QAPairs></Document>"""
FIELDS = {
    "question": "Question",
    "answer": "Answer",
    "id": "Question/@qid",
    "context": "../../Focus",
    "group": "/Document/@id",
}


def test_one_file_is_many_records_with_fields_from_inside_and_around(read: Read) -> None:
    documents, _ = read({"a.xml": PAIRS}, records="QAPairs/QAPair", fields=FIELDS)
    assert [(d.id, d.question, d.answer, d.context, d.group) for d in documents] == [
        ("a", "When does it close?", "At 4 bar.", "Valves", "7"),
        ("d", "Who?", "The operator.", "Valves", "7"),
    ]


def test_an_empty_answer_and_a_missing_one_are_rejected_with_their_element(read: Read) -> None:
    _, rejects = read({"a.xml": PAIRS}, records="QAPairs/QAPair", fields=FIELDS)
    assert [(r.origin, r.reason) for r in rejects] == [
        ("inputs/a.xml:QAPair 2", "empty answer"),
        ("inputs/a.xml:QAPair 3", "neither text nor question and answer"),
    ]


def test_namespaces_are_dropped(read: Read) -> None:
    content = b'<f:feed xmlns:f="urn:f" xmlns="urn:g"><entry xml:lang="de"><f:body>Good.</f:body></entry></f:feed>'
    [document], _ = read({"a.xml": content}, records="feed/entry", fields={"text": "body", "language": "@lang"})
    assert (document.text, document.language) == ("Good.", "de")


def test_without_records_the_root_is_one_and_without_fields_names_are_those_of_a_document(read: Read) -> None:
    [document], _ = read({"a.xml": b'<page id="7"><text>One.</text><text>Two.</text></page>'})
    assert (document.id, document.text) == ("7", "One.\nTwo.")


def test_an_element_of_the_same_name_inside_a_record_is_a_part_of_it(read: Read) -> None:
    content = b"<r><item>One <item>inner</item></item><item>Two</item></r>"
    documents, _ = read({"a.xml": content}, records="item", fields={"text": "."})
    assert [document.text for document in documents] == ["One inner", "Two"]


LAUGHS = b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><r><text>&b;</text></r>'
SECRET = b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><text>&a;</text></r>'
PARAMETER = b'<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><r><text>One.</text></r>'


@pytest.mark.parametrize("content", [LAUGHS, SECRET, PARAMETER])
def test_a_document_that_declares_entities_is_refused(read: Read, content: bytes) -> None:
    documents, [rejected] = read({"a.xml": content, "b.txt": b"Plain words."})
    assert (rejected.origin, rejected.reason) == ("inputs/a.xml", "XML declares entities")
    assert len(documents) == 1


def test_entities_in_an_attribute_of_the_root_do_not_expand_before_they_are_seen(read: Read) -> None:
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha" * 10) for n in range(12))
    _, [rejected] = read({"a.xml": b"<!DOCTYPE r [" + entities + b']><r a="&e11;"><text>One.</text></r>'})
    assert rejected.reason in {"XML declares entities", "not XML"}


def test_an_external_dtd_is_not_fetched_and_what_it_would_define_is_no_silent_gap(tmp_path: Path, read: Read) -> None:
    (tmp_path / "x.dtd").write_text('<!ENTITY nbsp "smuggled">')
    content = f'<!DOCTYPE r SYSTEM "{tmp_path}/x.dtd"><r><text>a&nbsp;b</text></r>'.encode()
    _, [rejected] = read({"a.xml": content})
    assert (rejected.reason, rejected.detail) == ("unknown entity", "&nbsp; is not one of XML's own five")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<r><text>One.</text>", "not XML"),
        (b"plain words", "not XML"),
        (b"", "not XML"),
        ("<r><text>Grüße</text></r>".encode("latin-1"), "not XML"),
        (b"<r>" + b"<a>" * 1000, "not XML"),
    ],
)
def test_broken_xml_is_one_reject(read: Read, content: bytes, reason: str) -> None:
    _, [rejected] = read({"a.xml": content})
    assert (rejected.reason, bool(rejected.detail)) == (reason, True)


def test_records_before_the_break_count(read: Read) -> None:
    documents, [rejected] = read(
        {"a.xml": b"<r><text>One.</text>" + b" " * 70_000 + b"</q>"}, records="text", fields={"text": "."}
    )
    assert [document.text for document in documents] == ["One."]
    assert rejected.reason == "not XML"


def test_a_declared_encoding_holds(read: Read) -> None:
    content = '<?xml version="1.0" encoding="ISO-8859-1"?><r><text>Grüße</text></r>'.encode("latin-1")
    [document], _ = read({"a.xml": content})
    assert document.text == "Grüße"


def test_a_file_without_a_record_is_no_silent_nothing(read: Read) -> None:
    _, [rejected] = read({"a.xml": b"<r><x/></r>"}, records="y")
    assert (rejected.reason, rejected.detail) == ("no records where the source says", "no element y")


def test_what_stands_between_records_may_not_fill_memory(read: Read) -> None:
    _, [rejected] = read({"a.xml": b"<r>" + b"<x>words</x>" * 100_000 + b"</r>"}, records="y")
    assert rejected.reason == "file too large"


def test_a_path_that_is_no_xpath_is_a_fault_of_the_user(read: Read) -> None:
    with pytest.raises(UserError, match="no XPath"):
        read({"a.xml": b"<r/>"}, fields={"text": "a[["})


@pytest.mark.parametrize("path", ["dc:t", "none()", "t[none()]"])
def test_a_path_that_cannot_be_evaluated_is_a_fault_of_the_user(read: Read, path: str) -> None:
    with pytest.raises(UserError, match="no XPath"):
        read({"a.xml": b'<r xmlns:dc="u"><dc:t>One.</dc:t></r>'}, fields={"text": path})


@pytest.mark.parametrize("encoding", ["mac_roman", "cp437"])
def test_an_encoding_that_xml_cannot_be_read_in_is_a_fault_of_the_user(read: Read, encoding: str) -> None:
    with pytest.raises(UserError, match="cannot be read in its encoding"):
        read({"a.xml": b"<r><text>One.</text></r>"}, encoding=encoding)
