"""Precision and recall of redaction per kind, on labelled text, and its speed on text that has nothing to redact.

    python bench/redaction.py [LABELLED.jsonl]      # writes bench/results/redaction.json and .md

The labelled set, tests/data/cleaning/pii.jsonl, was written for this: values that pass their checks, made with a fixed
seed, in sentences, logs, code and tables, and as many lines that only look alike. Those who wrote the rules wrote it,
and changed rules where it showed a fault: it guards what is covered and says little about a stranger's text. Label
some of yours to see that (cleaning/pii/scoring.py).
Speed is that of one core over the documentation that the embedded default reads.
"""

from __future__ import annotations

import importlib.metadata
import resource
import sys
import time
from pathlib import Path

from results_file import Goal, Outcome, Row, at_least, write

from acclimate.core.params import PythonDocsSource
from acclimate.core.records import Document
from acclimate.data.cleaning.pii.scoring import Found, read_labelled, score
from acclimate.data.cleaning.redaction import FINDERS, find
from acclimate.data.sources.python_docs import read_documents

LABELLED = Path(__file__).parent.parent / "tests/data/cleaning/pii.jsonl"
WANTED = {"precision": 0.95, "recall": 0.9}


def main() -> int:
    """Score, time, and write the result."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LABELLED
    examples = read_labelled(path)
    found = score(examples)
    cpu_s, wall_s, mb_per_s = _speed()
    whole = Row("all kinds", cpu_s, wall_s, mb_per_s, *_shares(_sum(found)), peak_rss_mb=_peak_mb())
    write(
        "redaction",
        Outcome(
            input={
                "said": f"{len(examples):,} labelled texts, {sum(len(one.spans) for one in examples):,} spans; "
                f"{sum(not one.spans for one in examples):,} texts have none",
                "spans": {kind: of.right + of.missed for kind, of in found.items()},
            },
            versions={name: importlib.metadata.version(name) for name in ("phonenumberslite", "python-stdnum")},
            rows=[whole, *(Row(kind, None, None, None, *_shares(of)) for kind, of in found.items())],
            goals=_goals(found),
        ),
    )
    return 0


def _shares(found: Found) -> tuple[float, float]:
    """Precision and recall."""
    return round(found.precision, 4), round(found.recall, 4)


def _sum(found: dict[str, Found]) -> Found:
    return Found(*(sum(getattr(of, name) for of in found.values()) for name in ("right", "wrong", "missed")))


def _goals(found: dict[str, Found]) -> list[Goal]:
    return [
        at_least(f"{measure} of {kind}", wanted, round(getattr(of, measure), 4))
        for kind, of in found.items()
        for measure, wanted in WANTED.items()
    ]


def _speed() -> tuple[float, float, float]:
    """CPU seconds, wall seconds and megabytes per CPU second of finding every kind."""
    source = PythonDocsSource(
        name="documentation",
        kind="python_docs",
        domain="documentation",
        packages=["numpy", "scipy"],
        licence="BSD-3-Clause",
    )
    texts = [document.text for document in read_documents(source) if isinstance(document, Document)]
    find(texts[0], list(FINDERS), {})
    cpu, wall = time.process_time(), time.perf_counter()
    for text in texts:
        find(text, list(FINDERS), {})
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    return round(cpu, 3), round(wall, 3), round(megabytes / cpu, 2)


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main())
