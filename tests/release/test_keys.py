from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.release.keys import fingerprint, public_half, signing_key, trusted_key


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that has signed nothing yet, and is given no key."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path / "home"))
    for name in ("ACCLIMATE_SIGNING_KEY", "ACCLIMATE_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def test_a_key_is_made_once_and_only_its_owner_can_read_it(checkout: Path) -> None:
    key = signing_key()
    first = key.read_bytes()
    assert key == checkout / ".acclimate/keys/signing.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert signing_key().read_bytes() == first


def test_without_a_pinned_key_ones_own_is_trusted(checkout: Path) -> None:
    private = signing_key()
    assert trusted_key().read_text(encoding="utf-8") == public_half(private)


def test_a_key_that_was_given_is_used_and_trusted(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given.pem"
    signing_key().rename(given)
    monkeypatch.setenv("ACCLIMATE_SIGNING_KEY", str(given))
    assert signing_key() == given
    assert trusted_key().read_text(encoding="utf-8") == public_half(given)
    assert not (checkout / ".acclimate/keys/signing.pem").exists()


def test_a_pinned_key_is_trusted_and_no_other(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signing_key()
    monkeypatch.setenv("ACCLIMATE_PUBLIC_KEY", "/trusted/signing.pub")
    assert trusted_key() == Path("/trusted/signing.pub")


def test_where_nothing_was_signed_no_key_is_made_up_to_check_with(checkout: Path) -> None:
    with pytest.raises(UserError) as fault:
        trusted_key()
    assert "ACCLIMATE_PUBLIC_KEY" in fault.value.fix
    assert not (checkout / ".acclimate/keys/signing.pem").exists()


def test_the_fingerprint_is_how_signatures_call_the_key(checkout: Path, tmp_path: Path) -> None:
    from acclimate.release.signing import SIGNATURE, sign

    (tmp_path / "folder").mkdir()
    sign(tmp_path / "folder", signing_key())
    assert fingerprint(public_half(signing_key())) in (tmp_path / "folder" / SIGNATURE).read_text(encoding="utf-8")
