import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json, write_jsonl
from acclimate.data.evaluation.locking import history, lock, locked_set, unlock

NOW = "2026-11-21T09:30:00+00:00"


@pytest.fixture
def testset(tmp_path: Path) -> Path:
    write_json(tmp_path / "testset/lock.json", {})
    return tmp_path / "testset"


def _drawn(folder: Path, answer: str = "kiln") -> list[Path]:
    write_jsonl(folder / "cloze.jsonl", [{"answer": answer}, {"answer": "glaze"}])
    write_jsonl(folder / "text.jsonl", [{"text": "Glaze it."}])
    return [folder / "cloze.jsonl", folder / "text.jsonl"]


def test_what_is_locked_is_read_back(testset: Path, tmp_path: Path) -> None:
    assert locked_set(testset, "pottery") is None
    assert lock(testset, "pottery", _drawn(tmp_path), by="ada", now=NOW)
    locked = locked_set(testset, "pottery")
    assert locked is not None
    assert locked.read("cloze.jsonl") == [{"answer": "kiln"}, {"answer": "glaze"}]
    assert {name: entry["items"] for name, entry in locked.files.items()} == {"cloze.jsonl": 2, "text.jsonl": 1}
    assert locked_set(testset, "masonry") is None


def test_locking_the_same_again_changes_nothing(testset: Path, tmp_path: Path) -> None:
    lock(testset, "pottery", _drawn(tmp_path), by="ada", now=NOW)
    before = {path: path.read_bytes() for path in testset.rglob("*") if path.is_file()}
    assert not lock(testset, "pottery", _drawn(tmp_path), by="bob", now="2027-01-01T00:00:00+00:00")
    assert {path: path.read_bytes() for path in testset.rglob("*") if path.is_file()} == before


def test_another_test_set_is_refused_by_the_name_of_its_file(testset: Path, tmp_path: Path) -> None:
    lock(testset, "pottery", _drawn(tmp_path), by="ada", now=NOW)
    with pytest.raises(UserError, match=r"locked since 2026-11-21 and differs in cloze.jsonl\n") as refused:
        lock(testset, "pottery", _drawn(tmp_path, "oven"), by="ada", now=NOW)
    assert "acclimate testset unlock --reason" in refused.value.fix


def test_an_unlock_needs_a_reason_and_leaves_it_behind(testset: Path, tmp_path: Path) -> None:
    lock(testset, "pottery", _drawn(tmp_path), by="ada", now=NOW)
    with pytest.raises(UserError, match="the reason is empty"):
        unlock(testset, "pottery", reason=" ", by="ada", now=NOW)
    unlock(testset, "pottery", reason="The items were of the old release.", by="bob", now=NOW)
    assert lock(testset, "pottery", _drawn(tmp_path, "oven"), by="ada", now=NOW)
    told = [(line["action"], line["by"], line.get("reason")) for line in history(testset)]
    assert told == [
        ("lock", "ada", None),
        ("unlock", "bob", "The items were of the old release."),
        ("lock", "ada", None),
    ]


def test_of_two_who_lock_at_once_one_is_refused(testset: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from acclimate.core.errors import UserError\n"
        "from acclimate.data.evaluation.locking import lock\n"
        "folder = Path(sys.argv[2])\n"
        "try: lock(Path(sys.argv[1]), 'pottery', [folder / 'cloze.jsonl'], by='ada', now='2026-11-21')\n"
        "except UserError: sys.exit(2)"
    )
    for name in ("kiln", "oven"):
        _drawn(tmp_path / name, name)
    lockers = [
        subprocess.Popen([sys.executable, "-c", code, str(testset), str(tmp_path / name)])
        for name in ("kiln", "oven", "kiln", "oven")
    ]
    codes = [locker.wait(60) for locker in lockers]
    locked = locked_set(testset, "pottery")
    assert locked is not None
    winner = locked.read("cloze.jsonl")[0]["answer"]
    assert codes == [0 if name == winner else 2 for name in ("kiln", "oven", "kiln", "oven")]


def test_one_domain_does_not_touch_another(testset: Path, tmp_path: Path) -> None:
    lock(testset, "pottery", _drawn(tmp_path), by="ada", now=NOW)
    lock(testset, "masonry", _drawn(tmp_path, "brick"), by="ada", now=NOW)
    unlock(testset, "masonry", reason="Too few items.", by="ada", now=NOW)
    assert list(read_json(testset / "lock.json")) == ["pottery"]


def test_there_must_be_something_to_unlock(testset: Path) -> None:
    with pytest.raises(UserError, match="the test set of 'pottery' is not locked"):
        unlock(testset, "pottery", reason="Why not.", by="ada", now=NOW)
