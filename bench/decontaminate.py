"""How fast evaluation items are found in training texts, and which kinds of copies are found.

    python bench/decontaminate.py                    # 500,000 passages read four times, 2.8 GB (about three minutes)
    python bench/decontaminate.py --passages 10000

Writes bench/results/decontaminate.json and .md. The items are real questions and the copies are planted among
real passages (bench/corpus.py). CPU seconds are those of whole processes: imports, reading Parquet and
building the index are in them. The slow engines get the first passages of the same input only, as many as
`--sample` says; what is compared is CPU per megabyte.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from corpus import passages
from detection import by_meaning, detection
from planted import HERE, SHARED, plant
from results_file import Goal, Outcome, Row, at_least, measured, write

PEER = HERE / ".peers/datatrove-decontaminate/bin/python"
OURS = ("acclimate", "acclimate, read back")
SETS = ("python set", "python set, tuned")
"""As decontaminate_once.py names them."""


def run_engine(name: str, command: list[str], truth: set[str]) -> tuple[Row, set[str]]:
    """One engine, and the ids it found; recall is over the verbatim copies."""
    try:
        usage = measured(command)
    except (OSError, subprocess.CalledProcessError) as fault:
        said = getattr(fault, "output", None) or str(fault)
        return Row(name, skipped=said.strip().splitlines()[-1][:200]), set()
    result = json.loads(usage.output.strip().splitlines()[-1])
    found = set(result["found"])
    row = Row(
        name,
        cpu_s=usage.cpu_s,
        wall_s=usage.wall_s,
        mb_per_s=round(result["megabytes"] / usage.cpu_s, 3),
        recall=round(len(found & truth) / len(truth), 5),
        peak_rss_mb=usage.peak_rss_mb,
    )
    return row, found


def goals(rows: dict[str, Row]) -> list[Goal]:
    """What was wanted of the pass over words."""

    def times(other: str) -> float | None:
        ours, theirs = rows["acclimate"].mb_per_s, rows[other].mb_per_s
        return None if not ours or not theirs else round(ours / theirs, 1)

    return [
        at_least("MB/s of one core, whole process", 110, rows["acclimate"].mb_per_s),
        at_least("times less CPU per MB than a Python set of 13-gram hashes", 25, times("python set")),
        at_least("times less CPU per MB than datatrove's NGramsDecontFilter", 150, times("datatrove")),
    ]


def main() -> int:
    """Plant, measure every engine on it, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=4, help="how often the passages are read")
    parser.add_argument("--sample", type=int, default=40_000, help="passages for the Python sets; datatrove: a tenth")
    arguments = parser.parse_args()
    if not SHARED.exists():
        print(f"skipped: the questions that are planted are in {SHARED}, which is not there")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments.passages, arguments.times, arguments.sample, Path(folder))
    return 0


def compare(count: int, times: int, sample: int, folder: Path) -> None:
    """One run of everything, in `folder`."""
    texts = passages(count)
    clean = pq.ParquetFile(texts).read_row_group(0, columns=["text"]).column("text").to_pylist()[:3000]
    items, planted = plant(clean)
    (folder / "items.json").write_text(json.dumps(items), encoding="utf-8")
    ids = [f"planted {number}" for number in range(len(planted))]
    pq.write_table(pa.table({"id": ids, "text": [text for _, _, text in planted]}), folder / "planted.parquet")
    truth = {name for name, (kind, _, _) in zip(ids, planted, strict=True) if kind == "verbatim"}
    (folder / "index").mkdir()
    items_file, own = str(folder / "items.json"), [sys.executable, str(HERE / "decontaminate_once.py")]
    files = [str(folder / "planted.parquet"), *[str(texts)] * times]
    everything, some = str(10**12), str(len(planted) + sample)
    fewer = str(len(planted) + sample // 10)
    commands = {
        **{name: [*own, name, items_file, everything, *files] for name in OURS},
        **{name: [*own, name, items_file, some, *files] for name in SETS},
        "datatrove": [
            *(str(PEER), str(HERE / "peers/datatrove_decontaminate.py")),
            *(items_file, str(folder / "index"), fewer, *files[:2]),
        ],
    }
    results = {name: run_engine(name, command, truth) for name, command in commands.items()}
    rows = {name: row for name, (row, _) in results.items()}
    table = detection(items, planted, clean)
    size = (rows["acclimate"].mb_per_s or 0) * (rows["acclimate"].cpu_s or 0)
    said = (
        f"{size:,.0f} MB: {count:,} passages read {times} times, {len(planted):,} planted texts, {len(items):,} items"
    )
    outside = sorted(name for name in results["acclimate"][1] if not name.startswith("planted"))
    more = {
        "detection": table,
        "meaning": by_meaning(clean),
        "passages_with_items_that_nobody_planted": len(outside),
        "sample": f"the Python sets read the first {sample:,} passages of it, datatrove the first {sample // 10:,}",
    }
    versions = {name: version(name) for name in ("numba", "numpy", "pyarrow", "scikit-learn")}
    write("decontaminate", Outcome({"said": said}, versions, list(rows.values()), goals(rows), more))
    for kind, of_kind in table.items():
        print(f"{kind:28}" + "  ".join(f"{rule} {share}" for rule, share in of_kind.items()))


if __name__ == "__main__":
    sys.exit(main())
