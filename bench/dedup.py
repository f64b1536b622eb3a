"""Near-duplicate removal beside its peers: `python bench/dedup.py [--documents 100000] [--large 500000]`.

One run, one input (see corpus.py), every engine a process of its own that reads Parquet and writes what it
keeps; CPU time is the whole process's, imports included. Precision and recall are of the kept set against all
pairs compared exactly (see truth.py). Peers run with 5-grams and their own defaults otherwise, text-dedup at our
threshold and with 128 permutations; they are in environments of their own and left out, with the reason, where
these cannot be made.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from corpus import INPUTS, passages
from dedup_inputs import boilerplate, respelled
from numpy.typing import NDArray
from peers.environments import environment, version
from results_file import Goal, Outcome, Row, Usage, at_least, at_most, measured, write

from acclimate.data.engines.environments import install

HERE = Path(__file__).parent
THRESHOLD = 0.8
MEMORY_GROWTH = 1.15
"""Peak memory of the largest input to that of a quarter of it; it would be 4 if memory grew with the corpus."""

Kept = NDArray[np.bool_]


def ours(source: Path, work: Path, *options: str) -> tuple[Usage, Kept]:
    """One pass of our own; what it keeps."""
    mask = work / "kept.npy"
    command = [
        sys.executable,
        str(HERE / "dedup_once.py"),
        str(source),
        str(work / "kept.parquet"),
        str(mask),
        *options,
    ]
    return measured(command), np.load(mask)


def _pass_alone(source: Path, smaller: Path, work: Path) -> float:
    """CPU seconds of a pass where a smaller one has gone before it in the same process."""
    command = [sys.executable, str(HERE / "dedup_once.py"), str(source), str(work / "kept.parquet")]
    said = measured([*command, str(work / "kept.npy"), "--after", str(smaller)]).output
    return float(json.loads(said.splitlines()[-1])["pass_cpu_s"])


def text_dedup(source: Path, work: Path, documents: int) -> tuple[Usage, Kept, str]:
    """MinHash as text-dedup does it."""
    python = install("text-dedup")
    options = (
        f"--path parquet --split train --column text --ngram 5 --threshold {THRESHOLD} --num_perm 128 --num_proc 1"
    )
    files = ["--data_files", str(source), "--output", str(work / "kept"), "--cache_dir", str(work / "cache")]
    usage = measured([str(python), "-m", "text_dedup.minhash", *options.split(), *files], {"HF_HUB_OFFLINE": "1"})
    ids = "import sys, datasets; print('\\n'.join(datasets.load_from_disk(sys.argv[1])['id']))"
    kept = subprocess.run([str(python), "-c", ids, str(work / "kept")], check=True, capture_output=True, text=True)
    return usage, _mask(kept.stdout.split(), documents), version(python, "text-dedup")


def datatrove(source: Path, work: Path, documents: int) -> tuple[Usage, Kept, str]:
    """MinHash as datatrove does it."""
    python = environment("datatrove")
    (work / "input").mkdir()
    (work / "input/texts.parquet").symlink_to(source)
    script = str(HERE / "peers/run_datatrove.py")
    usage = measured([str(python), script, str(work / "input"), str(work / "output")], {"HF_HUB_OFFLINE": "1"})
    tables = [pq.read_table(path, columns=["id"]) for path in sorted((work / "output/kept").rglob("*.parquet"))]
    return usage, _mask(pa.concat_tables(tables)["id"].to_pylist(), documents), version(python, "datatrove")


def _mask(ids: list[str], documents: int) -> Kept:
    """Ids are the numbers of the texts."""
    kept = np.zeros(documents, dtype=bool)
    kept[np.array([int(number) for number in ids], dtype=np.int64)] = True
    return kept


def judge(source: Path, work: Path, masks: dict[str, Kept]) -> dict[str, Any]:
    """What truth.py, a process of its own, says of each kept set: its precision and recall."""
    np.savez(work / "masks.npz", allow_pickle=False, **masks)
    command = [sys.executable, str(HERE / "truth.py"), str(source), str(THRESHOLD), str(work / "masks.npz")]
    said: dict[str, Any] = json.loads(measured(command).output.splitlines()[-1])
    return said


def megabytes(source: Path) -> float:
    """UTF-8 text of an input, 10⁶ bytes."""
    import pyarrow.compute as pc

    with pq.ParquetFile(source) as file:
        groups = (file.read_row_group(group, columns=["text"])["text"] for group in range(file.num_row_groups))
        return sum(int(pc.sum(pc.binary_length(texts)).as_py() or 0) for texts in groups) / 1e6


def row(engine: str, usage: Usage, size: float, judged: tuple[float, float] | None = None) -> Row:
    """What is published of an engine."""
    precision, recall = judged or (None, None)
    return Row(engine, usage.cpu_s, usage.wall_s, round(size / usage.cpu_s, 3), precision, recall, usage.peak_rss_mb)


def incremental(source: Path, work: Path, kept: Kept) -> dict[str, Any]:
    """Index all but the last hundredth of a corpus, then add that; and whether the same is kept as in one pass."""
    table = pq.read_table(source)
    old = len(table) - len(table) // 100
    for name, part in (("old", table.slice(0, old)), ("new", table.slice(old))):
        pq.write_table(part, work / f"{name}.parquet", row_group_size=10_000)
    script = [sys.executable, str(HERE / "index_once.py"), str(work / "index")]
    built = measured([*script, str(work / "old.parquet")])
    alone = [*script[:2], "--alone", script[2], str(work / "new.parquet")]
    addition = json.loads(measured(alone).output.splitlines()[-1])["addition_cpu_s"]
    added = measured([*script, str(work / "new.parquet"), str(work / "index-kept.npy")])
    return {
        "texts_before": old,
        "texts_added": len(kept) - old,
        "build_cpu_s": built.cpu_s,
        "build_peak_rss_mb": built.peak_rss_mb,
        "add_cpu_s": added.cpu_s,
        "add_peak_rss_mb": added.peak_rss_mb,
        "addition_cpu_s": addition,
        "index_mb": round(sum(path.stat().st_size for path in (work / "index").iterdir()) / 1e6, 1),
        "keeps_what_one_pass_keeps": bool(np.array_equal(np.load(work / "index-kept.npy"), kept)),
    }


def peers(source: Path, documents: int) -> dict[str, tuple[Usage, Kept, str] | str]:
    """What each peer took and kept, and its version; or why it could not run."""
    found: dict[str, tuple[Usage, Kept, str] | str] = {}
    for name, peer in (("text-dedup", text_dedup), ("datatrove", datatrove)):
        with TemporaryDirectory(prefix=f"{name}-") as work:
            try:
                found[name] = peer(source, Path(work), documents)
            except subprocess.CalledProcessError as failed:
                found[name] = " ".join(str(failed.output or failed.stderr).split())[-300:]
    return found


def compared(source: Path, work: Path) -> tuple[list[Row], list[Goal], dict[str, str], dict[str, Any]]:
    """Our engine and its peers on one input."""
    size = megabytes(source)
    (one, kept), (two, kept_by_two) = ours(source, work), ours(source, work, "--threads", "2")
    theirs = peers(source, len(kept))
    ran = {name: found for name, found in theirs.items() if not isinstance(found, str)}
    masks = {"acclimate": kept, "two": kept_by_two} | {name: found[1] for name, found in ran.items()}
    truth = judge(source, work, masks)
    judged = {name: tuple(shares) for name, shares in truth.pop("judged").items()}
    rows = [
        row(f"acclimate, 1 thread, {len(kept):,} texts", one, size, judged["acclimate"]),
        row(f"acclimate, 2 threads, {len(kept):,} texts", two, size, judged["two"]),
        *(row(f"{name}, {len(kept):,} texts", found[0], size, judged[name]) for name, found in ran.items()),
        *(Row(name, skipped=reason) for name, reason in theirs.items() if isinstance(reason, str)),
    ]
    goals = [
        at_least("precision", 1.0, judged["acclimate"][0]),
        at_least("recall", 0.9999, judged["acclimate"][1]),
    ]
    return rows, goals, {name: found[2] for name, found in ran.items()}, {**truth, "mb": round(size, 1)}


def grown(small: Path, large: Path, documents: int, work: Path) -> tuple[list[Row], list[Goal], dict[str, Any]]:
    """How time and memory grow with the corpus, what a second thread gives, what an addition to an index costs."""
    sizes = [megabytes(path) for path in (small, large)]
    few, _ = ours(small, work)
    many, kept = ours(large, work)
    two, kept_by_two = ours(large, work, "--threads", "2")
    assert np.array_equal(kept, kept_by_two), "two threads keep something else than one"
    exponent = math.log(many.cpu_s / few.cpu_s) / math.log(sizes[1] / sizes[0])
    index = incremental(large, work, kept)
    share = index["add_cpu_s"] / many.cpu_s
    index["pass_cpu_s"] = _pass_alone(large, small, work)
    own_share = index["addition_cpu_s"] / index["pass_cpu_s"]
    rows = [
        row(f"acclimate, 1 thread, {documents:,} texts", few, sizes[0]),
        row(f"acclimate, 1 thread, {len(kept):,} texts", many, sizes[1]),
        row(f"acclimate, 2 threads, {len(kept):,} texts", two, sizes[1]),
    ]
    goals = [
        at_least(f"MB/s of one core at {documents:,} texts, Parquet in and out", 45, rows[0].mb_per_s),
        at_most("exponent of CPU time from the smaller to the larger input", 1.05, round(exponent, 3)),
        at_least("one thread's wall time / two threads'", 1.6, round(many.wall_s / two.wall_s, 2)),
        at_most("CPU time of adding 1 % / of one pass over all", 0.03, round(share, 4)),
        at_most("the same, what any process begins with left out of both", 0.03, round(own_share, 4)),
        at_least("the index keeps what one pass keeps (1 is yes)", 1, float(index["keeps_what_one_pass_keeps"])),
    ]
    more = {"index": index}
    return rows, goals, more


def beside(rows: list[Row]) -> list[Goal]:
    """How much more CPU time per megabyte the peers take than we do, on the same input."""
    goals = []
    ours = next(found for found in rows if found.engine.startswith("acclimate, 1 thread"))
    for name, wanted in (("text-dedup", 50), ("datatrove", 200)):
        theirs = next((found for found in rows if found.engine.startswith(name) and found.mb_per_s), None)
        ratio = round(ours.mb_per_s / theirs.mb_per_s, 1) if theirs and theirs.mb_per_s and ours.mb_per_s else None
        against = f"{theirs.engine if theirs else name} / {ours.engine}"
        goals.append(at_least(f"CPU time per MB, {against}", wanted, ratio))
    return goals


def memory(source: Path, work: Path, smaller: Sequence[Row]) -> tuple[Row, Goal, dict[str, Any]]:
    """Peak memory on four times the largest input, beside that on the inputs measured before."""
    usage, kept = ours(respelled(source, work / "many.parquet", 4), work)
    size = megabytes(work / "many.parquet")
    found = row(f"acclimate, 1 thread, {len(kept):,} texts", usage, size)
    largest = max(known.peak_rss_mb or 0.0 for known in smaller)
    grown_by = round(usage.peak_rss_mb / largest, 3)
    goal = at_most(f"peak memory at {len(kept):,} texts / at a quarter of them", MEMORY_GROWTH, grown_by)
    curve = {known.engine: known.peak_rss_mb for known in (*smaller, found)}
    return found, goal, {"peak_rss_mb": curve, "largest_mb_of_text": round(size, 1)}


def crowded(work: Path, documents: int) -> tuple[list[Row], Goal]:
    """Texts that share boilerplate: whether their few copies are found, at what cost, and in how much memory."""
    rows, recall = [], None
    for share in (documents // 5, documents):
        source = boilerplate(work / "boilerplate.parquet", share)
        usage, kept = ours(source, work)
        judged = tuple(judge(source, work, {"acclimate": kept})["judged"]["acclimate"])
        name = f"acclimate, 1 thread, {share:,} texts with common boilerplate"
        rows.append(row(name, usage, megabytes(source), judged))
        recall = judged[1]
    return rows, at_least("recall where texts share boilerplate", 0.995, recall)


def main() -> int:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description="Measure dedup beside its peers.")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=500_000)
    parser.add_argument("--peer-documents", type=int, help="a smaller input for the comparison with peers")
    arguments = parser.parse_args()
    source, large = passages(arguments.documents), passages(arguments.large)
    side_by_side = passages(arguments.peer_documents or arguments.documents)
    with TemporaryDirectory(prefix="dedup-", dir=INPUTS) as directory:
        work = Path(directory)
        ours(side_by_side, work)  # compiles the kernels, which happens once on a machine
        rows, goals, peer_versions, truth = compared(side_by_side, work)
        more_rows, more_goals, more = grown(source, large, arguments.documents, work)
        huge, huge_goal, more["memory"] = memory(large, work, more_rows[:2])
        hard, hard_goal = crowded(work, arguments.documents)
    said = "passages of the files of installed Python packages, one in 25 with an edited copy (bench/corpus.py)"
    write(
        "dedup",
        Outcome(
            input={"said": said, "threshold": THRESHOLD, "shingle_words": 5, "side_by_side": truth},
            versions={name: installed(name) for name in ("numba", "numpy", "pyarrow")} | peer_versions,
            rows=[*rows, *more_rows, huge, *hard],
            goals=[*goals, hard_goal, *beside(rows), *more_goals, huge_goal],
            more=more,
        ),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
