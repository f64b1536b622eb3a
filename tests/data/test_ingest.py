"""ingest: every record in or rejected, once; what changed since the accepted manifest; parts that stay."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import yaml

from acclimate.core.corpus import part_paths, read_corpus
from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, read_parquet
from acclimate.core.params import IngestParams
from acclimate.core.records import document_schema
from acclimate.data import ingest
from acclimate.data.sources.manifest import Changes

CHECKOUT = Path(__file__).parents[2]
MEDQUAD = CHECKOUT.parent / "shared" / "data" / "medical" / "medquad"
LIMITS = {"max_file_mb": 100, "max_whole_mb": 10, "max_record_mb": 1, "max_expansion": 200, "max_members": 10_000}


def _params() -> IngestParams:
    sources = [
        {"kind": "files", "name": name, "domain": domain, "path": f"inputs/{name}.jsonl", "licence": "CC0-1.0"}
        for name, domain in (("own", "documents"), ("common", "general"), ("unread", "elsewhere"))
    ]
    return IngestParams.model_validate({"domain": "documents", "limits": LIMITS, "sources": sources})


def _inputs(folder: Path, own: list[Any], common: list[Any]) -> Path:
    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    (inputs / "own.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in own))
    (inputs / "common.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in common))
    return inputs


def _run(inputs: Path, out: Path) -> ingest.IngestReport:
    out.mkdir()
    return ingest.run(_params(), inputs=inputs, accepted=inputs.parent / "accepted", out=out)


def test_the_selected_sources_are_written_in_order_and_counted(tmp_path: Path) -> None:
    pair = {"question": "When?", "answer": "Now."}
    inputs = _inputs(tmp_path, [{"text": "The valve closes."}, pair], [{"text": "Water is wet."}])
    report = _run(inputs, tmp_path / "out")
    table = read_corpus(tmp_path / "out" / "documents")
    assert table.schema == document_schema()
    assert table["text"].to_pylist() == ["The valve closes.", "Question: When?\nAnswer: Now.", "Water is wet."]
    assert [(s.name, s.domain, s.documents, s.pairs, s.bytes, s.rejected) for s in report.sources] == [
        ("own", "documents", 1, 1, 45, 0),
        ("common", "general", 1, 0, 13, 0),
    ]
    assert [source.files for source in report.sources] == [1, 1]
    assert report.headline() == "0.0 MB from 2 sources: 3 in, 3 out"


def test_a_text_that_a_source_repeats_is_kept_once_and_the_rest_rejected(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Same."}, {"text": "Same."}], [{"text": "Same."}])
    report = _run(inputs, tmp_path / "out")
    assert report.funnel.rejected == {"same text from the same source": 1}
    assert report.funnel.records_out == 2
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["origin"], rejected["detail"]) == ("inputs/own.jsonl:2", f"{rejected['id']} is there already")


def test_an_id_given_to_two_texts_names_the_first(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"id": "7", "text": "One."}], [{"id": "7", "text": "Two."}, {"text": "Three."}])
    report = _run(inputs, tmp_path / "out")
    [rejected] = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert (rejected["reason"], rejected["source"], rejected["excerpt"]) == ("id given to two texts", "common", "Two.")
    assert report.sources[1].rejected == 1


def test_rejected_lines_are_listed_and_counted(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Good."}, {"txt": "Bad."}, 7], [{"text": "General."}])
    report = _run(inputs, tmp_path / "out")
    assert report.funnel.rejected == {"not a JSON object": 1, "unknown field": 1}
    origins = [row["origin"] for row in read_jsonl(tmp_path / "out" / "rejected.jsonl")]
    assert origins == ["inputs/own.jsonl:2", "inputs/own.jsonl:3"]


def test_a_source_without_a_usable_record_is_a_fault_of_the_user_and_says_which_line(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"txt": "Bad."}], [{"text": "General."}])
    with pytest.raises(
        UserError, match=r"'own' holds no usable record: unknown field 1; the first is inputs/own\.jsonl:1"
    ):
        _run(inputs, tmp_path / "out")


def test_an_empty_file_is_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'common' holds no usable record: nothing"):
        _run(_inputs(tmp_path, [{"text": "Good."}], []), tmp_path / "out")


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "Good."}, {"txt": "Bad."}], [{"text": "General."}])
    reports = [_run(inputs, tmp_path / name) for name in ("first", "second")]
    assert reports[0] == reports[1]
    for name in ("documents/part-00000.parquet", "documents/part-00001.parquet", "manifest.parquet", "rejected.jsonl"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def _accept(tmp_path: Path, out: Path) -> None:
    (tmp_path / "accepted").mkdir(exist_ok=True)
    (out / "manifest.parquet").rename(tmp_path / "accepted" / "manifest.parquet")


def test_the_manifest_lists_every_record_with_its_place_in_order(tmp_path: Path) -> None:
    _run(
        _inputs(tmp_path, [{"id": "a", "text": "One."}, {"id": "b", "text": "Two."}], [{"id": "c", "text": "Three."}]),
        tmp_path / "out",
    )
    listed = read_parquet(tmp_path / "out" / "manifest.parquet")
    assert listed.select(["source", "origin", "id"]).to_pylist() == [
        {"source": "own", "origin": "inputs/own.jsonl:1", "id": "a"},
        {"source": "own", "origin": "inputs/own.jsonl:2", "id": "b"},
        {"source": "common", "origin": "inputs/common.jsonl:1", "id": "c"},
    ]
    assert {len(digest) for digest in listed["sha256"].to_pylist()} == {64}


def test_without_an_accepted_manifest_all_is_new_and_nothing_is_gone(tmp_path: Path) -> None:
    report = _run(_inputs(tmp_path, [{"text": "One."}], [{"text": "Two."}]), tmp_path / "out")
    assert report.changes == {"common": Changes(1, 0, 0, 0), "own": Changes(1, 0, 0, 0)}
    assert read_jsonl(tmp_path / "out" / "tombstones.jsonl") == []


def test_records_are_told_apart_as_new_changed_unchanged_and_removed(tmp_path: Path) -> None:
    before = [
        {"id": "a", "text": "Kept."},
        {"id": "b", "text": "Old."},
        {"id": "c", "text": "Gone."},
        {"text": "At 4 bar."},
    ]
    _run(_inputs(tmp_path, before, [{"text": "General."}]), tmp_path / "first")
    [gone, replaced] = read_parquet(tmp_path / "first" / "manifest.parquet").to_pylist()[2:4]
    _accept(tmp_path, tmp_path / "first")
    now = [
        {"id": "a", "text": "Kept."},
        {"id": "b", "text": "New."},
        {"id": "d", "text": "Came."},
        {"text": "At 5 bar."},
    ]
    # Its place moves, and it stays what it was.
    now = [*now, {"text": "Moved."}]
    report = _run(_inputs(tmp_path, now, [{"text": "General."}]), tmp_path / "second")
    there = read_parquet(tmp_path / "second" / "manifest.parquet")["id"].to_pylist()
    # b has another text; d took c's line, the unnamed record its predecessor's.
    assert report.changes["own"] == Changes(new=1, changed=3, unchanged=1, removed=0)
    assert report.changes["common"] == Changes(new=0, changed=0, unchanged=1, removed=0)
    assert read_jsonl(tmp_path / "second" / "tombstones.jsonl") == [
        {"source": "own", "id": "c", "origin": "inputs/own.jsonl:3", "sha256": gone["sha256"], "replaced_by": "d"},
        {
            "source": "own",
            "id": replaced["id"],
            "origin": "inputs/own.jsonl:4",
            "sha256": replaced["sha256"],
            "replaced_by": there[3],
        },
    ]
    assert report.headline().endswith("; 1 new, 3 changed since the accepted corpus")


def test_a_line_put_in_between_moves_the_others_and_changes_none(tmp_path: Path) -> None:
    _run(_inputs(tmp_path, [{"text": "One."}, {"text": "Two."}], [{"text": "General."}]), tmp_path / "first")
    _accept(tmp_path, tmp_path / "first")
    inputs = _inputs(tmp_path, [{"text": "One."}, {"text": "Between."}, {"text": "Two."}], [{"text": "General."}])
    assert _run(inputs, tmp_path / "second").changes["own"] == Changes(new=1, changed=0, unchanged=2, removed=0)
    assert _run(_inputs(tmp_path, [{"text": "Two."}], [{"text": "General."}]), tmp_path / "third").changes[
        "own"
    ] == Changes(new=0, changed=0, unchanged=1, removed=1)


def test_a_source_that_is_not_read_is_not_gone_and_one_that_was_taken_out_is(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [{"text": "One."}], [{"text": "General."}])
    (inputs / "unread.jsonl").write_text('{"text": "Elsewhere."}\n')
    (tmp_path / "first").mkdir()
    everything = _params().model_dump()
    everything["sources"][2]["domain"] = "general"
    everything["sources"].append(everything["sources"][0] | {"name": "dropped", "path": "inputs/unread.jsonl"})
    params = IngestParams.model_validate(everything)
    ingest.run(params, inputs=inputs, accepted=tmp_path / "accepted", out=tmp_path / "first")
    _accept(tmp_path, tmp_path / "first")
    report = _run(inputs, tmp_path / "second")
    assert report.changes == {
        "common": Changes(0, 0, 1, 0),
        "dropped": Changes(0, 0, 0, 1),
        "own": Changes(0, 0, 1, 0),
    }


def _bytes_of_parts(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in part_paths(out / "documents")]


@pytest.mark.parametrize("change", ["a line in between", "a line less", "a changed line"])
def test_a_changed_line_changes_the_parts_it_stands_in_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(ingest, "_MEAN_PART_CHARACTERS", 400)
    lines = [{"text": f"Procedure {n}: close the valve and wait {n * 7} minutes."} for n in range(300)]
    _run(_inputs(tmp_path, lines, [{"text": "General."}]), tmp_path / "first")
    parts = _bytes_of_parts(tmp_path / "first")
    assert len(parts) > 20
    here = {
        "a line in between": [*lines[150:151], {"text": "Between."}],
        "a line less": [],
        "a changed line": [{"text": "Changed."}],
    }
    _run(_inputs(tmp_path, [*lines[:150], *here[change], *lines[151:]], [{"text": "General."}]), tmp_path / "second")
    others = set(_bytes_of_parts(tmp_path / "second"))
    assert len(others - set(parts)) <= 2
    assert len(set(parts) - others) <= 2


def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_neither_loses_nor_doubles_a_record(
    tmp_path: Path,
) -> None:
    lines = [
        {"text": f"Procedure {n}: close the valve and wait {n * 7} minutes before it opens."} for n in range(5_000)
    ]
    inputs = _inputs(tmp_path, lines, [{"text": "General."}])
    program = textwrap.dedent(
        f"""
        import json, sys
        from pathlib import Path
        from acclimate.core.files import whole_directory
        from acclimate.core.params import IngestParams
        from acclimate.data import ingest
        ingest._MEAN_PART_CHARACTERS = 50_000
        with whole_directory(Path(sys.argv[1])) as out:
            params = IngestParams.model_validate_json({_params().model_dump_json()!r})
            ingest.run(params, inputs=Path({str(inputs)!r}), accepted=Path("accepted"), out=out)
        """
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "include")}

    def start(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, str(tmp_path / name)], env=environment)

    killed = start("twice")
    deadline = time.monotonic() + 60
    while not (tmp_path / ".twice.partial" / "documents" / "part-00002.parquet").exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "twice").exists()
    for name in ("twice", "once"):
        assert start(name).wait(60) == 0
    assert read_corpus(tmp_path / "twice" / "documents").num_rows == 5_001
    written = sorted(path.relative_to(tmp_path / "once") for path in (tmp_path / "once").rglob("*") if path.is_file())
    assert len(written) > 5
    for path in written:
        assert (tmp_path / "twice" / path).read_bytes() == (tmp_path / "once" / path).read_bytes()


def _snippet_of_the_readme() -> dict[str, Any]:
    text = (CHECKOUT / "inputs" / "README.md").read_text(encoding="utf-8")
    [source] = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert isinstance(source, dict)
    return source


@pytest.mark.skipif(not MEDQUAD.exists(), reason="../shared/data/medical/medquad is not here")
def test_medquad_is_ingested_by_params_alone_and_every_pair_is_accounted_for(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, [], [{"text": "General."}])
    shutil.copytree(MEDQUAD, inputs / "medquad")
    source = _snippet_of_the_readme()
    sources = [source, _params().model_dump()["sources"][1]]
    params = IngestParams.model_validate({"domain": source["domain"], "limits": LIMITS, "sources": sources})
    (tmp_path / "out").mkdir()
    report = ingest.run(params, inputs=inputs, accepted=tmp_path / "accepted", out=tmp_path / "out")
    [medquad, _] = report.sources
    # 3,887 files with 11,553 QAPair elements, counted with grep; the answers of five are empty.
    assert (medquad.files, medquad.pairs, medquad.documents, medquad.rejected) == (3_887, 11_548, 0, 5)
    assert report.funnel.records_in == 11_553 + 1
    rejected = read_jsonl(tmp_path / "out" / "rejected.jsonl")
    assert [row["reason"] for row in rejected] == ["empty answer"] * 5
    corpus = read_corpus(tmp_path / "out" / "documents").filter(pc.field("source") == "medquad")
    files = set(corpus["group"].to_pylist()) | {row["origin"].partition("/")[2].partition(":")[0] for row in rejected}
    assert len(files) == 3_887, "every document is there or says why not"
    assert set(corpus["licence"].to_pylist()) == {"CC-BY-4.0"}
