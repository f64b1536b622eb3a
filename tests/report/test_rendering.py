from __future__ import annotations

import re
from html.parser import HTMLParser

from acclimate.report.blocks import (
    Block,
    Column,
    Comparisons,
    Facts,
    Folded,
    Header,
    Link,
    Mark,
    Missing,
    Note,
    Page,
    Points,
    Section,
    SideBySide,
    Stretch,
    Table,
    Tile,
    Verbatim,
)
from acclimate.report.rendering import render

EVIL = "<script>alert('x')</script><img src=http://evil.example/x.png>"


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def page(*blocks: Block, text: str = "plain") -> str:
    header = Header(text, text, Mark(text, "bad"), text, (Tile(text, text, text),))
    return render(Page(header, (Section("first", text, text, blocks),)))


def every_block(text: str) -> tuple[Block, ...]:
    table = Table(text, (Column(text), Column(text, "number")), ((text, Mark(text)), (None, text)))
    facts = Facts(((text, text),), code=True)
    return (
        table,
        facts,
        Note(text, "warning"),
        Points(text, (text,)),
        Link("data_docs/index.html", text),
        Verbatim(text, text),
        Folded(text, table),
        Comparisons(text, (text, text), (SideBySide(text, (Stretch(text, True),), (Stretch(text, False),)),)),
        Missing(text, text),
    )


def test_markup_in_any_string_of_any_block_stays_text() -> None:
    html = page(*every_block(EVIL), text=EVIL)
    assert "<script" not in html
    assert not [tag for tag, _ in tags(html) if tag in ("script", "img")]
    assert html.count("&lt;script&gt;") >= 20


def test_the_page_loads_nothing_from_anywhere() -> None:
    for tag, attributes in tags(page(*every_block("x"))):
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag == "a" or "href" not in attributes
    assert not re.search(r"@import|url\((?!#)", page())


def test_numbers_are_right_aligned_and_nothing_to_say_is_a_dash() -> None:
    html = page(Table("t", (Column("stage"), Column("records", "number")), (("clean", "1,200"), ("dedup", None))))
    assert '<td class="number">1,200</td>' in html
    assert '<td class="number"><span class="none" title="not measured">–</span></td>' in html


def test_every_section_is_in_the_table_of_contents() -> None:
    assert '<a href="#first">plain</a>' in page()
