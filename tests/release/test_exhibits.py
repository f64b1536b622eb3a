from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import load
from acclimate.model.compare import Rows
from acclimate.model.gate import decide
from acclimate.model.grounds import Grounds
from acclimate.release.exhibits import differences, read, write

PARAMS = load(Path(__file__).parents[2] / "params.yaml").gate.model_copy(update={"resamples": 200})


def results(right: int) -> Rows:
    """A model that answers the first `right` of 40 items of each cloze."""
    cloze = [
        {"id": f"i{n}", "cluster": f"c{n}", "label": 0, "correct": n < right}
        | {"log_likelihoods": [-8.0 if n < right else -10.0, -9.0]}
        for n in range(40)
    ]
    text = [{"id": f"t{n}", "cluster": f"c{n}", "log_likelihood": -20.0, "bytes": 10} for n in range(4)]
    return {"domain_cloze": cloze, "general_cloze": cloze, "domain_text": text, "general_text": text}


@pytest.fixture
def grounds() -> Grounds:
    return Grounds(
        params=PARAMS,
        seed=7,
        rows={"base": results(10), "candidate": results(30), "champion": results(20)},
        candidate_sha256="a" * 64,
        champion={"version": "3", "sha256": "c" * 64},
        testset={"domain_cloze.jsonl": "9" * 64},
        dataset={"sha256": "d" * 64, "certified_sha256": "d" * 64},
        submission=2,
        measured={"latency_ms": 12.5},
    )


def test_grounds_come_back_as_they_were_and_give_the_same_verdict(grounds: Grounds, tmp_path: Path) -> None:
    vouched = write(grounds, tmp_path)
    again, stored = read(tmp_path, vouched)
    assert again == grounds
    assert differences(stored, decide(again)) == []
    assert stored["verdict"] == decide(grounds).verdict == "promote"


def test_equal_grounds_are_vouched_for_by_equal_hashes(grounds: Grounds, tmp_path: Path) -> None:
    assert write(grounds, tmp_path / "a") == write(grounds, tmp_path / "b")


def test_a_report_that_says_something_else_is_told_field_by_field(grounds: Grounds) -> None:
    report = decide(grounds)
    told = {**json.loads(json.dumps(asdict(report))), "verdict": "reject", "more_items": 12}
    assert differences(told, report) == ["verdict", "more_items"]


def _one_row(folder: Path) -> None:
    rows = folder / "rows/candidate/domain_cloze.jsonl"
    lines = rows.read_text(encoding="utf-8").splitlines()
    lines[35] = lines[35].replace('"correct": false', '"correct": true')
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _broken_row(folder: Path) -> None:
    rows = folder / "rows/candidate/domain_cloze.jsonl"
    rows.write_text("{\n" + rows.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")


def _shortened(folder: Path) -> None:
    rows = folder / "rows/base/domain_cloze.jsonl"
    rows.write_text("".join(rows.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")


def _removed(folder: Path) -> None:
    (folder / "rows/base/domain_text.jsonl").unlink()


def _added(folder: Path) -> None:
    (folder / "rows/base/toxicity.jsonl").write_text("")


def _loosened(folder: Path) -> None:
    kept = read_json(folder / "grounds.json")
    write_json(folder / "grounds.json", {**kept, "params": {**kept["params"], "alpha": 0.5}})


def _another_verdict(folder: Path) -> None:
    write_json(folder / "verdict.json", {**read_json(folder / "verdict.json"), "verdict": "reject"})


def _vouched_for_anew(folder: Path) -> None:
    manifest = read_json(folder / "manifest.json")
    manifest["grounds.json"]["sha256"] = "0" * 64
    write_json(folder / "manifest.json", manifest)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_one_row, r"rows/candidate/domain_cloze\.jsonl is not what was registered: row 36 \(item i35\)"),
        (_broken_row, r"rows/candidate/domain_cloze\.jsonl is not .*: row 1 \(no longer an item\)"),
        (_shortened, r"rows/base/domain_cloze\.jsonl is not what was registered: 39 rows instead of 40"),
        (_removed, r"rows/base/domain_text\.jsonl: missing"),
        (_added, r"rows/base/toxicity\.jsonl: added"),
        (_loosened, r"grounds\.json is not what was registered"),
        (_another_verdict, r"verdict\.json is not what was registered"),
        (_vouched_for_anew, r"manifest\.json is not the one whose hash the version carries"),
    ],
)
def test_whatever_was_changed_is_named(
    grounds: Grounds, tmp_path: Path, change: Callable[[Path], None], named: str
) -> None:
    vouched = write(grounds, tmp_path)
    change(tmp_path)
    with pytest.raises(UserError, match=named):
        read(tmp_path, vouched)
