"""Spark on two local cores keeps what our own search keeps, byte for byte; and ends when it has to."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl
from acclimate.core.params import CommonParams, DedupParams
from acclimate.core.reports import write_report
from acclimate.data.dedup import DedupReport, run
from acclimate.data.engines.environments import engine_python

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]

COMMON = CommonParams(seed=1729, threads=2, min_free_disk_mb=0)
LOCAL = DedupParams(threshold=0.8, shingle_words=5, engine="local", spark_master=None)
SPARK = LOCAL.model_copy(update={"engine": "spark"})
CHAIN = [f"word{number}" for number in range(60)]
# A JVM starts in seconds on an idle machine; a first test makes the environment too.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.usefixtures("with_spark")
def test_the_output_and_all_but_the_engine_in_the_report_are_those_of_our_own_search(
    tmp_path: Path, document: Make, write_documents: Write
) -> None:
    stores = {"train": _edited(), "validation": _crowd(), "test": []}
    for store, texts in stores.items():
        # The contract wants a text; that an empty one harms nothing is seen all the same.
        rows = [
            {**document(text or "none", id=f"{7919 * place % 9973:05d}", **_rank(place)), "text": text, "cluster": "c"}
            for place, text in enumerate(texts)
        ]
        write_documents(tmp_path / f"stores/{store}.parquet", rows)
    reports = {"local": _dedup(LOCAL, tmp_path, "local"), "spark": _dedup(SPARK, tmp_path, "spark")}
    ours, theirs = (read_json(tmp_path / f"{engine}.json") for engine in reports)
    assert theirs.pop("engine") == "spark"
    assert theirs.pop("headline") == ours.pop("headline") + ", found by spark"
    assert ours.pop("engine") == "local"
    assert theirs == ours
    files = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "spark").iterdir())
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "spark" / name).read_bytes(), name
    rejected = {row["id"] for row in read_jsonl(tmp_path / "spark/rejected.jsonl")}
    assert len(rejected) > 300, "copies, chains and crowds are in the input"
    assert reports["spark"].less_similar > 0, "the ends of a chain are"


@pytest.mark.usefixtures("with_spark")
def test_a_job_that_fails_says_what_spark_said(tmp_path: Path) -> None:
    stores = tmp_path / "stores"
    stores.mkdir()
    for store in ("train", "validation", "test"):
        (stores / f"{store}.parquet").write_bytes(b"no Parquet at all")
    with pytest.raises(UserError, match=r"the engine 'spark' ended with status 1: .*[Pp]arquet"):
        _dedup(SPARK, tmp_path, "out")


@pytest.mark.usefixtures("with_spark")
def test_ctrl_c_leaves_no_jvm_behind(tmp_path: Path, document: Make, write_documents: Write) -> None:
    for store in ("train", "validation", "test"):
        rows = [{**document(" ".join(CHAIN)), "cluster": "c"}]
        write_documents(tmp_path / f"stores/{store}.parquet", rows)
    (tmp_path / "out").mkdir()
    code = f"""
from pathlib import Path
from acclimate.core.params import CommonParams, DedupParams
from acclimate.data.dedup import run
common, params = CommonParams(**{COMMON.model_dump()!r}), DedupParams(**{SPARK.model_dump()!r})
run(params, common, stores=Path({str(tmp_path / "stores")!r}), out=Path({str(tmp_path / "out")!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as stage:
        while not any(Path(command.split("\0")[0]).name == "java" for command in _mentioning(tmp_path)):
            assert stage.poll() is None
            time.sleep(0.1)
        stage.send_signal(signal.SIGINT)
        assert stage.wait(60) != 0
    assert _mentioning(tmp_path) == []


def test_without_its_environment_the_command_that_makes_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    for engine in ("spark", "text-dedup"):
        with pytest.raises(UserError) as refused:
            engine_python(engine)
        assert refused.value.fix == f"run `make engine-{engine}`, or set dedup.engine to local"


def _dedup(params: DedupParams, directory: Path, name: str) -> DedupReport:
    (directory / name).mkdir()
    report = run(params, COMMON, stores=directory / "stores", out=directory / name)
    write_report(directory / f"{name}.json", "dedup", report)
    return report


def _edited() -> list[str]:
    """Texts with edited copies at every distance, a chain whose ends are far apart, other scripts, empty ones."""
    choose = random.Random(4)
    vocabulary = [*(f"word{number}" for number in range(300)), "naïve", "Straße", "深層", "学習", "ﬁne", "don’t"]
    texts = []
    for _ in range(60):
        base = choose.choices(vocabulary, k=choose.randint(40, 120))
        for _ in range(choose.randint(1, 5)):
            copy = list(base)
            for _ in range(choose.randint(0, 6)):
                copy[choose.randrange(len(copy))] = choose.choice(vocabulary)
            texts.append(" ".join(copy))
    chain = [" ".join([*CHAIN[4 * link :], *(f"link{number}" for number in range(4 * link))]) for link in range(6)]
    return [
        *texts,
        *chain,
        "",
        "--- ***",
        "",
        "See also",
        "see ALSO:",
        "NAÏVE Straße",
        "nai\u0308ve STRASSE",
        *texts[:20],
    ]


def _crowd() -> list[str]:
    """Many copies of one text, and many texts that share most of their words but are no copies, and ten that are."""
    shared = " ".join(f"b{number}" for number in range(180))
    own = [f"{shared} {' '.join(f't{text}w{number}' for number in range(32))}" for text in range(100)]
    return [*["the same words again and again"] * 300, *own, *(text.replace("w31", "edited") for text in own[::10])]


def _rank(place: int) -> Row:
    return {
        "quality_score": [None, 0.5, 0.5, 0.9][place % 4],
        "created_date": [None, date(2024, 5, 1), date(2023, 5, 1)][place % 3],
    }


def _mentioning(directory: Path) -> list[str]:
    """The command lines in which a directory stands, of all processes but this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if str(directory) in command and path.parent.name != str(os.getpid()):
            found.append(command)
    return found
