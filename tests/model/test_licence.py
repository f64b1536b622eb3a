from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.model.licence import licence_of_card, licence_of_texts


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\nlanguage: en\n---\n# A model", "apache-2.0"),
        ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("---\nlicense: [a, b]\n---\n", "unknown"),
        ("---\nlicense: [unclosed\n---\n", "unknown"),
        ("---\njust a sentence\n---\n", "unknown"),
        ("# A model\nlicense: mit\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_what_the_front_matter_of_a_card_says_counts(card: str, licence: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(card, encoding="utf-8")
    assert licence_of_card(path) == licence


def test_a_model_without_a_card_has_an_unknown_licence(tmp_path: Path) -> None:
    assert licence_of_card(tmp_path / "README.md") == "unknown"


def test_a_model_made_of_texts_has_the_licences_of_them_all() -> None:
    assert licence_of_texts(["PSF-2.0", "CC-BY-4.0", "PSF-2.0"]) == "CC-BY-4.0, PSF-2.0"
    assert licence_of_texts(["PSF-2.0", None]) == "PSF-2.0, unknown"
    assert licence_of_texts([]) == "unknown"
