"""The source `feed`: entries pile up, the server is spared, and nothing is touched where nothing is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl
from acclimate.core.params import FeedSource
from acclimate.data.remote import feed
from acclimate.data.remote.mirror import Fetched, Place

Tree = Callable[[Place], dict[str, tuple[bytes, int, int]]]


def _rss(**entries: str) -> bytes:
    items = "".join(f"<item><guid>{key}</guid><title>{text}</title></item>" for key, text in entries.items())
    return f"<rss version='2.0'><channel>{items}</channel></rss>".encode()


def _source(website: Any, **settings: Any) -> FeedSource:
    given = {"kind": "feed", "name": "shelf", "domain": "pottery", "licence": "CC0-1.0", "allow_private": True}
    return FeedSource.model_validate({**given, "url": f"{website.url}/feed?key=secret", **settings})


def _publish(website: Any, body: bytes, **headers: str) -> None:
    website.pages["/feed?key=secret"] = (200, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def _titles(place: Place) -> dict[str, str]:
    return {row["id"]: row["title"] for row in read_jsonl(place.mirror / "entries.jsonl")}


def test_entries_stay_when_the_feed_no_longer_shows_them_and_change_in_place(website: Any, place: Place) -> None:
    _publish(website, _rss(two="Two", one="One"))
    first = feed.fetch(_source(website), place)
    assert first == Fetched("entries", new=2, bytes=len(_rss(two="Two", one="One")))
    _publish(website, _rss(three="Three", two="Two, mended"))
    second = feed.fetch(_source(website), place)
    assert (second.new, second.changed, second.unchanged, second.removed) == (1, 1, 1, 0)
    assert list(_titles(place).items()) == [("one", "One"), ("two", "Two, mended"), ("three", "Three")]


def test_the_server_is_asked_for_what_is_new_and_no_byte_changes_where_it_has_nothing(
    website: Any, place: Place, tree: Tree
) -> None:
    _publish(website, _rss(one="One"), etag='"v1"', last_modified="Sun, 01 Mar 2026 08:00:00 GMT")
    feed.fetch(_source(website), place)
    before = tree(place)
    again = feed.fetch(_source(website), place)
    assert again == Fetched("entries", unchanged=1)
    asked = website.asked[-1][1]
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"v1"', "Sun, 01 Mar 2026 08:00:00 GMT")
    assert tree(place) == before


def test_a_feed_that_is_made_anew_with_each_request_changes_no_byte(website: Any, place: Place, tree: Tree) -> None:
    _publish(website, _rss(one="One"), etag='"v1"')
    feed.fetch(_source(website), place)
    before = tree(place)
    _publish(website, _rss(one="One"), etag='"v2"')
    assert feed.fetch(_source(website), place).unchanged == 1
    assert tree(place) == before


def test_without_its_entries_a_validator_is_not_used(website: Any, place: Place) -> None:
    """Else a mirror that was removed, or put back to an older state, would stay so: the server says 'nothing new'."""
    _publish(website, _rss(one="One"), etag='"v1"')
    feed.fetch(_source(website), place)
    older = (place.mirror / "entries.jsonl").read_bytes(), (place.mirror / ".manifest.json").read_bytes()
    _publish(website, _rss(two="Two"), etag='"v2"')
    feed.fetch(_source(website), place)
    for name, content in zip(("entries.jsonl", ".manifest.json"), older, strict=True):
        (place.mirror / name).write_bytes(content)
    assert feed.fetch(_source(website), place).new == 1
    assert list(_titles(place)) == ["one", "two"]


def test_entries_that_exist_nowhere_else_are_not_thrown_away(website: Any, place: Place) -> None:
    _publish(website, _rss(one="One"))
    feed.fetch(_source(website), place)
    (place.mirror / "entries.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="not as the last fetch left it"):
        feed.fetch(_source(website), place)


def test_no_secret_of_the_address_is_stored(website: Any, place: Place) -> None:
    _publish(website, _rss(one="One"), etag='"v1"')
    feed.fetch(_source(website), place)
    files = [path for path in place.root.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"entries.jsonl", ".manifest.json", "cursor.json"}
    assert not [path for path in files if b"secret" in path.read_bytes()]
    assert read_json(place.mirror / ".manifest.json")["origin"] == f"feed {website.url}/feed"


def test_a_page_that_is_no_feed_leaves_the_mirror_as_it_was(website: Any, place: Place, tree: Tree) -> None:
    _publish(website, _rss(one="One"))
    feed.fetch(_source(website), place)
    before = tree(place)
    _publish(website, b"<html><body>We are back soon</body></html>")
    with pytest.raises(UserError, match=f"{website.url}/feed is no RSS or Atom feed: its root is <html>"):
        feed.fetch(_source(website), place)
    assert tree(place) == before


@pytest.mark.parametrize("url", ["ftp://example.org/feed", "https://me:pw@example.org/feed", "example.org/feed"])
def test_an_address_of_another_kind_or_with_a_password_is_no_dial(url: str) -> None:
    with pytest.raises(ValueError, match=r"begins with http|params.yaml is in git"):
        FeedSource(kind="feed", name="shelf", domain="pottery", licence="CC0-1.0", url=url)
