"""Which kinds of copies are found by which rule, and how well rephrasings are told from texts on the same topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from planted import HERE, REPHRASED_KINDS, Planted, rephrasings

SIMILARITIES = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


def detection(items: Sequence[str], planted: Planted, clean: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Kind of edit to the share found by each rule, by the product's own functions."""
    from acclimate.data.contamination.embedders import embedder
    from acclimate.data.contamination.item_overlaps import ItemIndex
    from acclimate.data.contamination.rephrasings import find_rephrasings, sample_sentences
    from acclimate.data.similarity.words import WordStreams

    index = ItemIndex.of(items, len(items), _params())
    texts = [text for _, _, text in planted]
    streams = WordStreams.of(texts)
    words, copies = index.finds(streams), index.copies(streams)
    meant = find_rephrasings(
        enumerate(texts), items, embedder("tfidf", sample_sentences(clean)), similarity=0.6, neighbours=10**6
    )
    found: dict[str, set[tuple[int, int]]] = {
        "drop": set(zip(words.texts.tolist(), words.items.tolist(), strict=True)),
        "near-duplicate": set(zip(copies.texts.tolist(), copies.items.tolist(), strict=True)),
        "meaning": {(one.text, one.item) for one in meant},
    }
    flagged = set(index.flags(streams).finds.texts.tolist())
    table: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(kind for kind, _, _ in planted):
        pairs = [(text, item) for text, (of, item, _) in enumerate(planted) if of == kind]
        table[kind] = {"texts": len(pairs), "flag": _share(text in flagged for text, _ in pairs)}
        table[kind] |= {rule: _share(pair in pairs_found for pair in pairs) for rule, pairs_found in found.items()}
    return table


def _params() -> Any:
    from acclimate.core.params import load

    return load(HERE.parent / "params.yaml").decontaminate


def _share(found: Iterator[bool]) -> float:
    values = list(found)
    return round(sum(values) / len(values), 3)


def by_meaning(clean: Sequence[str]) -> list[dict[str, Any]]:
    """Precision and recall on the labelled set at each threshold, texts by themselves and embedded in others."""
    from acclimate.data.contamination.embedders import embedder
    from acclimate.data.contamination.rephrasings import find_rephrasings, sample_sentences

    rows = rephrasings()
    items = sorted({row["item"] for row in rows})
    embed = embedder("tfidf", sample_sentences(clean))
    measurements = []
    for where in ("alone", "embedded"):
        texts = [row["text"] for row in rows]
        if where == "embedded":
            texts = [f"{clean[place]}\n\n{text}\n\n{clean[-place - 1]}" for place, text in enumerate(texts)]
        found = find_rephrasings(enumerate(texts), items, embed, similarity=min(SIMILARITIES), neighbours=10**6)
        for similarity in SIMILARITIES:
            near = {(one.text, items[one.item]) for one in found if one.similarity >= similarity}
            right = [row for text, row in enumerate(rows) if (text, row["item"]) in near]
            true = sum(row["kind"] in REPHRASED_KINDS for row in right)
            wrong = sum(row["kind"] == "same topic" for row in right)
            wanted = sum(row["kind"] in REPHRASED_KINDS for row in rows)
            measurements.append(
                {
                    "texts": where,
                    "similarity": similarity,
                    "precision": round(true / max(1, true + wrong), 3),
                    "recall": round(true / wanted, 3),
                }
            )
    return measurements
