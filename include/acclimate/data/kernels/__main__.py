"""Compile the kernels, so that the first stage that needs them does not.

    python -m acclimate.data.kernels      # part of `make setup`

numba keeps machine code in __pycache__ beside the source, one for each kind of argument a kernel has met; so the
kernels are called as the stages call them. What this misses is compiled when it is met.
"""

from __future__ import annotations

import tempfile
from pathlib import Path


def main() -> None:
    """Call every kernel once, on texts of which some are near-duplicates and many share a bucket."""
    import pyarrow as pa

    from acclimate.core.files import write_parquet
    from acclimate.data.contamination.clean_check import CleanCheck
    from acclimate.data.contamination.embedders import embedder
    from acclimate.data.contamination.rephrasings import find_rephrasings
    from acclimate.data.contamination.text_blocks import blocks, word_streams
    from acclimate.data.similarity.copies import find_copies
    from acclimate.data.similarity.near_duplicates import near_duplicates
    from acclimate.data.similarity.passages import Passages, sharing
    from acclimate.data.similarity.sketches import Nearness, sketch_texts
    from acclimate.data.similarity.words import WordStreams

    opening = " ".join(f"word{number}" for number in range(40))
    texts = [f"{opening} end{number} of{number} text{number}, naïve" for number in range(300)] + [opening]
    for threshold in (0.5, 0.95):
        nearness = Nearness(threshold, 5, 1)
        near_duplicates(sketch_texts(texts, nearness), nearness, threads=2)
    with tempfile.TemporaryDirectory() as folder:
        records = {"id": [str(number) for number in range(len(texts))], "text": texts}
        unknown = {"quality_score": pa.float64(), "created_date": pa.date32()}
        nothing = {name: pa.nulls(len(texts), kind) for name, kind in unknown.items()}
        write_parquet(Path(folder) / "texts.parquet", pa.table(records | nothing))
        find_copies([Path(folder) / "texts.parquet"], nearness, scratch=Path(folder), threads=2)
        # Buffers that Arrow has read may be written to; those of Python's strings may not.
        for _, block in blocks(Path(folder) / "texts.parquet", ["text"]):
            word_streams(block.column("text"))
    streams = WordStreams.of(texts)
    sharing(streams, WordStreams.of(texts[:10]), 13)
    Passages.of(streams, 13).most_documents(streams)
    CleanCheck.of(texts[:10], 13).unclean(streams, streams)
    find_rephrasings(enumerate(texts[:10]), texts[:2], embedder("tfidf", texts[:10]), similarity=0.5, neighbours=1)


if __name__ == "__main__":
    main()
