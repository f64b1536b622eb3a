"""language: certain of prose, silent about code and short text."""

import json
from pathlib import Path

import pytest

from acclimate.data.cleaning.language import identify

XQUAD = Path(__file__).parents[4] / "shared/data/general/xquad"
GERMAN = (
    "Die Schlüssel liegen auf dem Tisch und warten darauf, dass jemand sie nimmt. Am Abend kommt der Nachbar, "
    "der den Ofen bedient, und öffnet damit die Werkstatt, in der die Schalen trocknen."
)


def test_prose_in_another_language_is_recognised_whatever_it_claims_to_be() -> None:
    assert identify(GERMAN, "en") == "de"
    assert identify(GERMAN, "de") == "de"


def test_a_region_of_the_given_language_stays() -> None:
    assert identify(GERMAN, "de-AT") == "de-AT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Der Ofen ist heiß.",
        "0.1 0.2 0.3 " * 60,
        "def mod(a, b):\n    return a % b\n" * 20,
        ">>> read_bytes1(io.BytesIO(b'\\x00'))\nb''\n>>> read_bytes1(io.BytesIO(b'\\x00abc'))\n" * 5,
        "domain = dot-atom / domain-literal / obs-domain\nobs-domain = atom *('.' atom)\n" * 3,
    ],
)
def test_short_text_and_code_keep_the_language_they_came_with(text: str) -> None:
    assert identify(text, "en") == "en"


@pytest.mark.skipif(not XQUAD.exists(), reason="needs ../shared/data/general/xquad")
@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_real_paragraphs_are_recognised(language: str) -> None:
    articles = json.loads((XQUAD / f"xquad.{language}.json").read_text(encoding="utf-8"))["data"]
    texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    other = "en" if language != "en" else "de"
    assert sum(identify(text, other) == language for text in texts) >= 0.97 * len(texts)
    assert all(identify(text, language) == language for text in texts)
