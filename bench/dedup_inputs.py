"""Inputs of bench/dedup.py that are made: texts that share boilerplate, and more texts than this machine holds."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from corpus import SCHEMA

BOILERPLATE_SIMILARITY = 0.78
"""Of any two texts of the adversarial input that are not copies: just below the threshold."""


def boilerplate(path: Path, documents: int) -> Path:
    """Write texts of which any two share long boilerplate, one in fifty with an edited copy of its own words."""
    choose = random.Random(3)
    vocabulary = [f"w{number * 7919:x}" for number in range(50_000)]
    shingles = 226
    own = round(shingles * (1 - 2 * BOILERPLATE_SIMILARITY / (1 + BOILERPLATE_SIMILARITY))) - 4
    shared = choose.choices(vocabulary, k=shingles + 4 - own)
    texts: list[list[str]] = []
    for number in range(documents):
        if number > documents // 100 and choose.random() < 0.02:
            text = list(choose.choice(texts))
            for place in choose.sample(range(own), choose.randint(1, 4)):
                text[place] = choose.choice(vocabulary)
        else:
            text = choose.choices(vocabulary, k=own)
        texts.append(text)
    half = len(shared) // 2
    whole = [" ".join([*shared[:half], *text, *shared[half:]]) for text in texts]
    rows = [{"id": f"{number:08d}", "text": text, "origin": "boilerplate"} for number, text in enumerate(whole)]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=10_000)
    return path


def respelled(source: Path, path: Path, times: int) -> Path:
    """Write a corpus so many times, each time with another digit behind every "e".

    Few runs of five words have no "e", so a text and its respelling are not near; two texts are as near as before.
    """
    import pyarrow.compute as pc

    with pq.ParquetFile(source) as file, pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for spelling in range(times):
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                texts = pc.replace_substring(table["text"], "e", f"e{spelling}")
                writer.write_table(table.set_column(table.schema.get_field_index("text"), SCHEMA.field("text"), texts))
    return path
