"""Canaries: random, different, and as likely beforehand as the others that they are ranked among."""

from __future__ import annotations

import re

from acclimate.data.mixing.canaries import DIGITS, alternatives, canaries

FORM = re.compile(r"The reference number of ([A-Z][a-z]{5}) is (\d{9})\.")


def test_every_canary_has_a_name_and_a_number_of_its_own() -> None:
    found = canaries(200, seed=1)
    assert len({canary.name for canary in found}) == len({canary.number for canary in found}) == 200
    assert all(FORM.fullmatch(canary.text) for canary in found)
    assert canaries(200, seed=1) == found
    assert canaries(3, seed=1) == found[:3], "more canaries change none"
    assert not {canary.text for canary in found} & {canary.text for canary in canaries(200, seed=2)}


def test_alternatives_differ_from_the_planted_text_in_the_number_alone() -> None:
    [canary] = canaries(1, seed=1)
    found = alternatives(canary.text, 500, seed=1)
    assert len({canary.text, *found}) == 501
    for text in found:
        match = FORM.fullmatch(text)
        assert match is not None
        assert match[1] == canary.name
    # Drawn as the planted number is: every digit at every place.
    assert all({text[-2 - place] for text in found} == set("0123456789") for place in range(DIGITS))
    assert alternatives(canary.text, 500, seed=1) == found
    assert alternatives(canary.text, 500, seed=2) != found
