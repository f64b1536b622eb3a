"""Feeds of every dialect become entries of one form; what is no feed is refused."""

from __future__ import annotations

import pytest

from acclimate.core.errors import UserError
from acclimate.data.remote.entries import parse

RSS = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
     xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Pumps</title>
<item><guid isPermaLink="false">p7</guid><title>Caf\xe9 &amp; pump</title><link>https://example.org/7</link>
<dc:creator>Ann</dc:creator><pubDate>Sun, 01 Mar 2026 09:00:00 +0100</pubDate><category>pumps</category>
<description>Short &lt;b&gt;text&lt;/b&gt;</description><content:encoded><![CDATA[<p>All of it.</p>]]></content:encoded>
</item>
<item><title>No id</title><link>https://example.org/8</link><pubDate>soon</pubDate><description>x</description></item>
<item><title>Neither</title><description>id nor link</description></item>
</channel></rss>"""

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Pumps</title>
<entry><id>urn:1</id><title type="html">One &amp;amp; two</title><updated>2026-03-02T10:00:00Z</updated>
<link rel="edit" href="https://example.org/edit"/><link href="https://example.org/1"/>
<author><name>Ann</name></author><category term="pumps"/><summary>Short.</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>All <b>of</b> it.</p></div></content></entry>
<entry><id>urn:2</id><title>Bare</title><updated>2026-03-02</updated></entry></feed>"""

RSS_1 = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><item><title>Old</title><link>https://example.org/old</link>
<dc:date>2006-03-02T10:00:00+02:00</dc:date><description>d</description></item></rdf:RDF>"""

BOMB = b"""<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss version="2.0"><channel><item><title>&b;</title></item></channel></rss>"""

OUTSIDE = b"""<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><item><title>&a;</title></item></channel></rss>"""


def test_rss_keeps_markup_and_reads_its_encoding_and_dates() -> None:
    assert parse(RSS, "here")[0] == {
        "id": "p7",
        "title": "Café & pump",
        "link": "https://example.org/7",
        "author": "Ann",
        "published": "2026-03-01T08:00:00+00:00",
        "updated": None,
        "categories": ["pumps"],
        "summary": "Short <b>text</b>",
        "content": "<p>All of it.</p>",
    }


def test_an_item_without_an_id_is_known_by_its_link_and_without_a_link_by_what_it_says() -> None:
    _, linked, neither = parse(RSS, "here")
    assert (linked["id"], linked["published"], linked["content"]) == ("https://example.org/8", None, "x")
    assert neither["id"].startswith("sha256:")
    assert neither["id"] == parse(RSS, "elsewhere")[2]["id"]


def test_atom_takes_the_alternate_link_and_the_markup_of_xhtml() -> None:
    one, two = parse(ATOM, "here")
    assert (one["id"], one["title"], one["link"], one["author"]) == (
        "urn:1",
        "One &amp; two",
        "https://example.org/1",
        "Ann",
    )
    assert (one["published"], one["categories"]) == ("2026-03-02T10:00:00+00:00", ["pumps"])
    assert "of" in one["content"]
    assert one["content"].endswith("div>")
    assert (two["content"], two["published"]) == (None, "2026-03-02T00:00:00+00:00")


def test_rss_1_has_its_items_beside_the_channel() -> None:
    (entry,) = parse(RSS_1, "here")
    assert (entry["id"], entry["published"]) == ("https://example.org/old", "2006-03-02T08:00:00+00:00")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html><body>Hello</body></html>", "its root is <html>"),
        (b"<p>Hello<br></p>", "not XML: mismatched tag"),
        (b"", "not XML: no element found"),
        (BOMB, "refused: EntitiesForbidden"),
        (OUTSIDE, "refused: EntitiesForbidden"),
    ],
)
def test_what_is_no_feed_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=rf"here is no RSS or Atom feed: {reason}"):
        parse(body, "here")


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [("gb2312", "multi-byte encodings are not supported"), ("x-own", "unknown encoding: x-own")],
)
def test_an_encoding_that_the_parser_does_not_know_is_named(encoding: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"here cannot be read: {reason}"):
        parse(b'<?xml version="1.0" encoding="%s"?><rss/>' % encoding.encode(), "here")
