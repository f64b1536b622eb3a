from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_text
from acclimate.release.keys import public_half, signing_key, trusted_key
from acclimate.release.signing import SIGNATURE, sign, verify

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that has signed nothing yet, and is given no key."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "home"))
    for name in ("ACCLIMATE_SIGNING_KEY", "ACCLIMATE_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def key(checkout: Path) -> Path:
    """The public key of a checkout that has signed something."""
    signing_key()
    return trusted_key()


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    """A small packaged model, signed."""
    folder = tmp_path / "packaged"
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.safetensors").write_bytes(bytes(range(256)))
    (folder / "model/config.json").write_text('{"hidden_size": 64}', encoding="utf-8")
    (folder / "manifest.json").write_text('{"version": "1"}', encoding="utf-8")
    sign(folder, signing_key())
    return folder


def flip(path: Path, place: int, bit: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


def test_what_was_signed_is_accepted_wherever_it_lies(folder: Path, key: Path, tmp_path: Path) -> None:
    verify(folder, key)
    verify(folder.rename(tmp_path / "elsewhere"), key)


TAMPERED: dict[str, Callable[[Path], object]] = {
    "model/model.safetensors was changed": lambda folder: flip(folder / "model/model.safetensors", 200),
    "manifest.json was changed": lambda folder: flip(folder / "manifest.json", 0, 8),
    "model/config.json is missing": lambda folder: (folder / "model/config.json").unlink(),
    "model/adapter.bin was added": lambda folder: (folder / "model/adapter.bin").write_bytes(b"\x80\x04"),
    ".gitignore was added": lambda folder: (folder / ".gitignore").write_bytes(b"*"),
    ".git/hooks was added": lambda folder: write_text(folder / ".git/hooks", "#!"),
    "model/config.json is missing; model/other.json was added": lambda folder: (folder / "model/config.json").rename(
        folder / "model/other.json"
    ),
}


def test_what_is_in_memory_is_not_read_again_but_has_to_be_what_was_signed(
    folder: Path, key: Path, tmp_path: Path
) -> None:
    shown = verify(folder, key)
    weights = "model/model.safetensors"
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    flip(other / weights, 200)
    sign(other, signing_key())
    assert verify(other, key)[weights].digest != shown[weights].digest
    with pytest.raises(UserError, match=r"Hash mismatch for 'model/model\.safetensors'"):
        verify(other, key, {weights: shown[weights]})
    (folder / weights).write_bytes(b"")  # whatever becomes of it on the disk
    assert verify(folder, key, {weights: shown[weights]}).keys() == shown.keys()
    (folder / "model/more.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"model/more\.safetensors was added"):
        verify(folder, key, {weights: shown[weights]})


@pytest.mark.parametrize("told", TAMPERED)
def test_a_file_changed_added_or_taken_out_is_refused_by_name(folder: Path, key: Path, told: str) -> None:
    TAMPERED[told](folder)
    with pytest.raises(UserError) as fault:
        verify(folder, key)
    assert fault.value.what == f"{folder}: {told}"


def test_a_link_is_refused_by_name_even_to_the_same_bytes(folder: Path, key: Path, tmp_path: Path) -> None:
    weights = folder / "model/model.safetensors"
    weights.rename(tmp_path / "same.safetensors")
    weights.symlink_to(tmp_path / "same.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        verify(folder, key)


def test_bytecode_that_python_left_is_no_file_of_the_model(folder: Path, key: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/service.cpython-311.pyc").write_bytes(b"x")
    verify(folder, key)


def test_another_key_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "attacker"))
    signing_key()
    theirs = trusted_key()
    with pytest.raises(UserError, match="Key mismatch"):
        verify(folder, theirs)


def test_while_keys_are_rotated_both_are_trusted_and_no_third(
    folder: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = []
    for name in ("new", "third"):
        monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / name))
        signing_key()
        new.append(trusted_key())
    both = tmp_path / "both.pub"
    both.write_text(key.read_text() + new[0].read_text())
    verify(folder, both)
    both.write_text(new[0].read_text() + key.read_text())
    verify(folder, both)
    flip(folder / "model/model.safetensors", 0)
    with pytest.raises(UserError, match=r"model/model\.safetensors was changed"):
        verify(folder, both)
    sign(folder, signing_key())
    with pytest.raises(UserError, match="Key mismatch"):
        verify(folder, both)


def test_who_changes_a_file_and_signs_anew_is_refused(
    folder: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(folder / "model/model.safetensors", 0)
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "attacker"))
    sign(folder, signing_key())
    with pytest.raises(UserError, match="Key mismatch"):
        verify(folder, key)


def test_a_list_of_files_that_was_changed_is_refused(folder: Path, key: Path) -> None:
    flip(folder / "model/model.safetensors", 0)
    bundle = json.loads((folder / SIGNATURE).read_bytes())
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["resources"] = statement["predicate"]["resources"][:1]
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (folder / SIGNATURE).write_text(json.dumps(bundle), encoding="utf-8")
    with pytest.raises(UserError, match=r"model\.sig was changed after it was signed"):
        verify(folder, key)


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[]", b"not json", b'{"dsseEnvelope": {"signatures": []}}'])
def test_a_damaged_signature_is_refused(folder: Path, key: Path, damaged: bytes) -> None:
    (folder / SIGNATURE).write_bytes(damaged)
    with pytest.raises(UserError):
        verify(folder, key)


def test_a_folder_without_signature_is_refused(folder: Path, key: Path) -> None:
    (folder / SIGNATURE).unlink()
    with pytest.raises(UserError, match=r"is not signed: it has no model\.sig"):
        verify(folder, key)


def test_the_published_tool_comes_to_the_same_verdict(folder: Path, key: Path) -> None:
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder)]
    command += ["--signature", str(folder / SIGNATURE), "--public_key", str(key)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    flip(folder / "model/model.safetensors", 0)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "model/model.safetensors" in done.stdout + done.stderr


def test_a_file_that_is_no_key_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key", encoding="utf-8")
    with pytest.raises(UserError, match=r"key\.pem is no public key"):
        verify(folder, tmp_path / "key.pem")
    with pytest.raises(UserError, match=r"key\.pem is no private key"):
        sign(folder, tmp_path / "key.pem")
    with pytest.raises(UserError, match=r"key\.pem is no private key"):
        public_half(tmp_path / "key.pem")
