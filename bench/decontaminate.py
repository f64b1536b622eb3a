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
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from corpus import passages
from results_file import Goal, Outcome, Row, at_least, measured, write

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared/data/general"
PEER = HERE / ".peers/datatrove-decontaminate/bin/python"
WORDS = 13
SIMILARITIES = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
REPHRASED_KINDS = ("synonyms", "reordering", "voice", "summary", "question")

Planted = list[tuple[str, int, str]]
"""Kind of edit, item, text."""


def questions() -> list[str]:
    """Word problems of 25 words or more: long enough for passages of 13 words after an edit."""
    lines = (SHARED / "gsm8k/train.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["question"] for line in lines]
    return [question for question in found if len(question.split()) >= 25][:500]


def short_questions() -> list[str]:
    """Stems of 6 to 12 words."""
    lines = (SHARED / "openbookqa/test.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["question"]["stem"] for line in lines]
    return [stem for stem in found if 6 <= len(re.findall(r"\w+", stem)) <= 12]


def translations() -> list[tuple[str, str, str]]:
    """English question, language, and the same question in it (XQuAD is parallel)."""
    found = []
    for language in ("de", "es"):
        pairs = zip(_xquad("en"), _xquad(language), strict=True)
        found += [(english, language, other) for english, other in list(pairs)[:300]]
    return found


def rephrasings() -> list[dict[str, str]]:
    """The labelled set: kind, item, text; of kind 'same topic' the text is no rephrasing."""
    lines = (HERE / "data/rephrasings.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _xquad(language: str) -> list[str]:
    content = json.loads((SHARED / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))
    return [qa["question"] for a in content["data"] for p in a["paragraphs"] for qa in p["qas"]]


def plant(surroundings: Sequence[str]) -> tuple[list[str], Planted]:
    """Items, and texts made of them by every kind of edit."""
    choose = random.Random(1729)
    items = questions()
    planted: Planted = []
    for number, item in enumerate(items):
        for kind, edit in EDITS.items():
            planted.append((kind, number, edit(item, choose)))
        around = choose.sample(surroundings, 2)
        planted.append(("embedded", number, f"{around[0]}\n\n{item}\n\n{around[1]}"))
    for stem in short_questions():
        items.append(stem)
        planted.append(("short, embedded", len(items) - 1, f"{choose.choice(surroundings)}\n\n{stem}"))
    for row in rephrasings():
        if row["kind"] in REPHRASED_KINDS:
            items.append(row["item"])
            planted.append((f"rephrased: {row['kind']}", len(items) - 1, row["text"]))
    for english, language, other in translations():
        items.append(english)
        planted.append((f"translated: {language}", len(items) - 1, other))
    return items, planted


def _with_words_replaced(share: float) -> Callable[[str, random.Random], str]:
    def edit(text: str, choose: random.Random) -> str:
        words = text.split()
        for place in choose.sample(range(len(words)), max(1, round(share * len(words)))):
            words[place] = choose.choice(("river", "quickly", "seven", "blue", "under", "because"))
        return " ".join(words)

    return edit


EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda text, _: text,
    "case": lambda text, _: text.upper(),
    "punctuation and spacing": lambda text, _: re.sub(r"[.,?;:]", " – ", text).replace(" ", "\u00a0 "),
    "5 % of words replaced": _with_words_replaced(0.05),
    "10 % of words replaced": _with_words_replaced(0.10),
    "20 % of words replaced": _with_words_replaced(0.20),
}


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
    flagged = set(index.flagged(streams).tolist())
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


def scan(engine: str, items_file: Path, rows: int, texts: Sequence[Path]) -> None:
    """One engine in a process of its own: print the megabytes read and the ids of the texts with a passage."""
    items = json.loads(items_file.read_text(encoding="utf-8"))
    print(json.dumps(ENGINES[engine](items, rows, texts)))


def _batches(rows: int, texts: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    left = rows
    for path in texts:
        for batch in pq.ParquetFile(path).iter_batches(min(4096, max(1, left)), columns=["id", "text"]):
            yield batch
            left -= batch.num_rows
            if left <= 0:
                break


def _kernel(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    from acclimate.data.contamination.text_blocks import word_streams
    from acclimate.data.similarity.passages import Passages
    from acclimate.data.similarity.words import WordStreams

    wanted = Passages.of(WordStreams.of(items), WORDS)
    size, found = 0, []
    for batch in _batches(rows, texts):
        column = batch.column("text")
        size += column.nbytes - 4 * (len(column) + 1)
        owners, _ = wanted.occurrences(word_streams(column))
        found += batch.column("id").take(pa.array(sorted(set(owners.tolist())), pa.int64())).to_pylist()
    return {"megabytes": size / 1e6, "found": found}


def _python_set(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    """As it is usually written: every run of words joined and hashed."""
    from acclimate.data.similarity.words import words

    def grams(text: str) -> Iterator[int]:
        found = words(text)
        return (hash(" ".join(found[start : start + WORDS])) for start in range(len(found) - WORDS + 1))

    return _look_up(grams, items, rows, texts)


def _tuned_python_set(items: list[str], rows: int, texts: Sequence[Path]) -> dict[str, Any]:
    """The fastest form we know of: tuples made by zip, so that the interpreter runs no step per run of words."""
    from acclimate.data.similarity.words import words

    def grams(text: str) -> Iterator[int]:
        found = words(text)
        return map(hash, zip(*(found[start:] for start in range(WORDS)), strict=False))

    return _look_up(grams, items, rows, texts)


def _look_up(
    grams: Callable[[str], Iterator[int]], items: list[str], rows: int, texts: Sequence[Path]
) -> dict[str, Any]:
    wanted = {gram for item in items for gram in grams(item)}
    size, found = 0, []
    for batch in _batches(rows, texts):
        for row in batch.to_pylist():
            size += len(row["text"].encode())
            if not wanted.isdisjoint(grams(row["text"])):
                found.append(row["id"])
    return {"megabytes": size / 1e6, "found": found}


ENGINES = {"acclimate": _kernel, "python set": _python_set, "python set, tuned": _tuned_python_set}


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
    parser.add_argument("--engine", choices=list(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("given", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        items_file, rows, *texts = arguments.given
        scan(arguments.engine, Path(items_file), int(rows), list(map(Path, texts)))
        return 0
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
    items_file, own = str(folder / "items.json"), [sys.executable, str(Path(__file__).resolve())]
    files = [str(folder / "planted.parquet"), *[str(texts)] * times]
    everything, some = str(10**12), str(len(planted) + sample)
    fewer = str(len(planted) + sample // 10)
    commands = {
        "acclimate": [*own, "--engine", "acclimate", items_file, everything, *files],
        **{name: [*own, "--engine", name, items_file, some, *files] for name in list(ENGINES)[1:]},
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
