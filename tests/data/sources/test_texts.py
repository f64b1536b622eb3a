"""Formats that are one text a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acclimate.core.errors import UserError
from acclimate.core.records import Document, Reject

Read = Callable[..., tuple[list[Document], list[Reject]]]

PROSE = "The valve closes at 4 bar, and the operator opens it again by hand when the pressure has fallen."
PAGE = f"""<!DOCTYPE html><html><head><title>Valves &amp; pumps</title><style>p {{ color: red }}</style>
<script>track()</script></head><body><nav><a href="/">Home</a> <a href="/about">About us</a></nav>
<article><h1>Valves</h1><p>{PROSE}</p><p>Grüße: {PROSE}</p></article><footer>Copyright Example Ltd</footer>
</body></html>"""


def _pdf(text: str) -> bytes:
    """One page that shows `text` in Helvetica, by hand (PDF 32000-1, 7.5)."""
    shown = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
        b"<< /Title (On valves) >>",
    ]
    made = b"%PDF-1.4\n"
    starts = []
    for number, content in enumerate(objects, start=1):
        starts.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    trailer = b"trailer << /Size 6 /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(made)
    return made + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


def test_a_text_is_its_file(read: Read) -> None:
    documents, _ = read({"a.txt": b"One.\r\n\r\nTwo.\n", "b.md": b"# Three\n"})
    assert [document.text for document in documents] == ["One.\n\nTwo.\n", "# Three\n"]


@pytest.mark.parametrize(("records", "texts"), [("line", ["A.", "a.", "B."]), ("paragraph", ["A.\na.", "B."])])
def test_a_text_can_be_split(read: Read, records: str, texts: list[str]) -> None:
    documents, _ = read({"a.txt": b"\nA.\na.\n \n\n\nB.\n"}, records=records)
    assert [document.text for document in documents] == texts


def test_the_place_of_a_part_is_its_line(read: Read) -> None:
    content = b"A.\na.\n\n\n" + b"x" * 20_000 + b"\n"
    for records in ("line", "paragraph"):
        _, [rejected] = read({"a.txt": content}, records=records)
        assert (rejected.origin, rejected.reason) == ("inputs/a.txt:5", "record too large")


def test_parts_that_a_text_has_not_are_a_fault_of_the_user(read: Read) -> None:
    with pytest.raises(UserError, match="takes 'lines' as the records of a text"):
        read({"a.txt": b"A."}, records="lines")


def test_text_in_another_encoding_is_rejected_with_the_position(read: Read) -> None:
    _, [rejected] = read({"a.txt": "Grüße".encode("cp1252")})
    assert (rejected.reason, rejected.detail) == ("not UTF-8", "byte 2: invalid start byte")


def test_an_empty_file_is_rejected(read: Read) -> None:
    _, [rejected] = read({"a.txt": b" \n"})
    assert rejected.reason == "empty text"


def test_a_page_is_its_content_without_menus_scripts_and_footers(read: Read) -> None:
    [document], _ = read({"a.html": PAGE.encode()})
    assert document.text == f"Valves\n{PROSE}\nGrüße: {PROSE}"


def test_the_title_of_a_page_can_be_mapped(read: Read) -> None:
    [document], _ = read({"a.html": PAGE.encode()}, fields={"question": "title", "answer": "text"})
    assert document.question == "Valves & pumps"


def test_the_encoding_that_a_page_declares_holds(read: Read) -> None:
    declared = PAGE.replace("<head>", '<head><meta charset="iso-8859-1">')
    [document], _ = read({"a.html": declared.encode("latin-1")})
    assert "Grüße" in document.text
    _, [rejected] = read({"a.html": PAGE.replace("<head>", '<head><meta charset="none-such">').encode()})
    assert (rejected.reason, rejected.detail) == ("unknown encoding", "the page says it is 'none-such'")


@pytest.mark.parametrize("content", [b"", b"<html><body></body></html>", b"<p> </p>"])
def test_a_page_without_content_is_rejected(read: Read, content: bytes) -> None:
    _, [rejected] = read({"a.html": content})
    assert rejected.reason == "no main content"


def test_a_pdf_is_its_text_with_a_title_to_map(read: Read) -> None:
    [document], _ = read({"a.pdf": _pdf(PROSE)}, fields={"text": ["title", "text"]})
    assert document.text == f"On valves\n\n{PROSE}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no pdf", "damaged file"), (b"", "damaged file"), (_pdf(PROSE)[:300], "damaged file"), (_pdf(""), "no text")],
)
def test_a_broken_pdf_and_a_scan_are_rejected_and_the_others_count(read: Read, content: bytes, reason: str) -> None:
    documents, [rejected] = read({"a.pdf": content, "b.txt": b"Plain words."})
    assert (rejected.origin, rejected.reason) == ("inputs/a.pdf", reason)
    assert len(documents) == 1


def test_an_encrypted_pdf_is_rejected(read: Read) -> None:
    import io

    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(_pdf(PROSE))))
    writer.encrypt("secret", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    _, [rejected] = read({"a.pdf": made.getvalue()})
    assert rejected.reason == "encrypted"


def test_a_page_in_an_encoding_that_decodes_nothing_is_rejected(read: Read) -> None:
    content = PAGE.replace("<head>", '<head><meta charset="undefined">').encode()
    documents, [rejected] = read({"a.html": content, "b.txt": b"Plain words."})
    assert (rejected.origin, rejected.reason) == ("inputs/a.html", "not UNDEFINED")
    assert len(documents) == 1
