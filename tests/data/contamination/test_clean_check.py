"""The check of what is written: finds planted items in the files, by words and not by an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.contamination.clean_check import unclean_texts

Row = dict[str, Any]
LONG = "Before the glaze is put on, the pots are fired once at nine hundred and fifty degrees."


def test_every_text_that_holds_an_item_is_named(
    tmp_path: Path, document: Callable[..., Row], write_documents: Callable[[Path, Sequence[Row]], Path]
) -> None:
    rows = [
        document("Nothing of the kind stands in this text, however long one reads on and on.", id="clean"),
        document(f"It is said: {LONG.upper()}", id="passage"),
        document("First: celadon owes its green to iron; then the rest.", id="short"),
        document("What is raku?", id="whole"),
        document("Question: What is raku? Answer: a kind of firing.", id="asked", question="what is RAKU"),
        document("He asked what is raku and nobody knew.", id="inside"),
    ]
    files = [write_documents(tmp_path / f"{row['id']}.parquet", [row]) for row in rows]
    items = [LONG, "Celadon owes its green to iron.", "What is raku?", "?!", ""]
    assert unclean_texts(files, items, 13) == ["passage", "short", "whole", "asked"]
