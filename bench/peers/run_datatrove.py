"""datatrove's MinHash deduplication, in its own environment: python run_datatrove.py INPUT_FOLDER WORK_FOLDER.

The four stages of its documentation with its default configuration (14 × 8, 5-grams). What is kept is
written as Parquet to WORK_FOLDER/kept.
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter


def main(source: str, work: str) -> None:
    """Run the stages one after the other, in one process each."""
    config = MinhashConfig()
    folders = {name: f"{work}/{name}" for name in ("signatures", "buckets", "gone", "kept")}
    stages = [
        ([ParquetReader(source), MinhashDedupSignature(folders["signatures"], config)], 1),
        ([MinhashDedupBuckets(folders["signatures"], folders["buckets"], config=config)], config.num_buckets),
        ([MinhashDedupCluster(folders["buckets"], folders["gone"], config=config)], 1),
        ([ParquetReader(source), MinhashDedupFilter(folders["gone"]), ParquetWriter(folders["kept"])], 1),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{work}/logs/{number}").run()


if __name__ == "__main__":
    main(*(str(Path(argument).absolute()) for argument in sys.argv[1:3]))
