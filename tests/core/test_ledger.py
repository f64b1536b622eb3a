import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.ledger import Use, ledger_path, note_use, read_ledger


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, content in {
        "items/cloze.jsonl": "{}\n",
        "base/model.safetensors": "weights",
        "adapter/a.safetensors": "more",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "champion").mkdir()
    return tmp_path


def _use(checkout: Path, domain: str = "pottery") -> Use:
    models = {role: checkout / role for role in ("base", "adapter", "champion")}
    return note_use(
        checkout, domain=domain, stage="evaluate", checkout=checkout, testset=checkout / "items", models=models
    )


def test_a_use_names_the_models_by_their_weights_and_leaves_out_who_is_not_there(checkout: Path) -> None:
    use = _use(checkout)
    assert list(use.models) == ["base", "adapter"]
    assert use.models["base"] == hashlib.sha256(b"weights").hexdigest()
    assert use.testset.keys() == {"cloze.jsonl"}
    assert (use.use, use.run, use.domain) == (1, checkout.name, "pottery")


def test_a_model_in_gguf_is_named_by_its_weights_too(checkout: Path) -> None:
    (checkout / "gguf-q8_0").mkdir()
    (checkout / "gguf-q8_0/model.gguf").write_bytes(b"GGUF")
    models = {"gguf-q8_0": checkout / "gguf-q8_0"}
    use = note_use(
        checkout,
        domain="pottery",
        stage="evaluate_quantized",
        checkout=checkout,
        testset=checkout / "items",
        models=models,
    )
    assert use.models == {"gguf-q8_0": hashlib.sha256(b"GGUF").hexdigest()}


def test_uses_add_up_by_domain(checkout: Path) -> None:
    for domain in ("pottery", "masonry", "pottery"):
        _use(checkout, domain)
    assert [use.use for use in read_ledger(checkout)] == [1, 2, 3]
    assert [use.use for use in read_ledger(checkout, "pottery")] == [1, 3]


def test_no_ledger_is_no_use(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) == []


@pytest.mark.parametrize("damage", ["taken out", "changed", "cut short", "added"])
def test_a_line_that_was_tampered_with_is_named(checkout: Path, damage: str) -> None:
    for _ in range(3):
        _use(checkout)
    path = ledger_path(checkout)
    lines = path.read_text().splitlines(keepends=True)
    if damage == "taken out":
        del lines[1]
    elif damage == "changed":
        lines[0] = json.dumps(json.loads(lines[0]) | {"who": "nobody"}) + "\n"
    elif damage == "cut short":
        lines[1] = lines[1][:40]
    else:
        lines.append(lines[2])
    path.write_text("".join(lines))
    number = 4 if damage == "added" else 2
    with pytest.raises(UserError, match=f"line {number} of .*ledger.jsonl does not follow"):
        read_ledger(checkout)
    with pytest.raises(UserError, match="does not follow"):
        _use(checkout)


def test_half_a_line_at_the_end_is_a_use_that_never_began(checkout: Path) -> None:
    for _ in range(2):
        _use(checkout)
    path = ledger_path(checkout)
    path.write_bytes(path.read_bytes()[:-40])
    assert _use(checkout).use == 2
    assert [use.use for use in read_ledger(checkout)] == [1, 2]


def test_uses_at_the_same_time_are_all_counted(checkout: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from acclimate.core.ledger import note_use\n"
        "root = Path(sys.argv[1])\n"
        "for _ in range(10): note_use(root, domain='pottery', stage='evaluate', checkout=root,"
        " testset=root / 'items', models={'base': root / 'base'})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(checkout)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(read_ledger(checkout)) == 30
