"""Canaries: random strings planted in the training set, so that it can be measured what a model learns by heart.

    {"id": "5f0c…-0", "kind": "canary", "text": "The reference number of Vokemi is 284193067."}

After Carlini et al. 2019 (The Secret Sharer, USENIX Security, section 4): a number drawn at random can be known only
from having been read. The stages before `mix` never see one, so that no evaluation set can hold one. Text and number
follow from the seed alone; canaries.json beside train.jsonl names them by hash, without giving them away.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.data.seeded import chance

if TYPE_CHECKING:
    import pyarrow as pa

    from acclimate.core.params import CommonParams, MixParams

KIND = "canary"
MANIFEST = "canaries.json"
DIGITS = 9
"""Of the number: 10⁹ possible ones, 29.9 bits."""
_BEFORE, _BETWEEN = "The reference number of ", " is "
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_LICENCE = "CC0-1.0"
"""Nobody wrote them."""


@dataclass(frozen=True)
class Canary:
    """A name that nobody has, and its number."""

    name: str
    number: str

    @property
    def text(self) -> str:
        """As it is planted."""
        return _text(self.name, self.number)

    @property
    def sha256(self) -> str:
        """Of its text."""
        return sha256(self.text.encode()).hexdigest()


def canaries(number: int, seed: int) -> list[Canary]:
    """The first `number` canaries of this seed, each with a name of its own."""
    found: dict[str, Canary] = {}
    choose = random.Random(f"{seed}:canaries")
    while len(found) < number:
        name = "".join(choose.choice(_SYLLABLES) for _ in range(3)).capitalize()
        digits = f"{choose.randrange(10**DIGITS):0{DIGITS}}"
        found.setdefault(name, Canary(name, digits))
    return list(found.values())


def alternatives(canary: str, number: int, seed: int) -> list[str]:
    """`number` different texts that say the same with other numbers, drawn as the planted one was."""
    name, digits = canary.removeprefix(_BEFORE).removesuffix(".").split(_BETWEEN)
    choose = random.Random(f"{seed}:alternatives:{name}")
    drawn: dict[str, None] = {}
    while len(drawn) < number:
        other = f"{choose.randrange(10**DIGITS):0{DIGITS}}"
        if other != digits:
            drawn[_text(name, other)] = None
    return list(drawn)


def plant(table: pa.Table, params: MixParams, common: CommonParams) -> pa.Table:
    """The training set with every canary `canary_repeats` times in it, at places drawn at random."""
    import pyarrow as pa

    if not params.canaries:
        return table
    rows, places = [], list(range(table.num_rows))
    for canary in canaries(params.canaries, common.seed):
        for copy in range(params.canary_repeats):
            rows.append(_row(canary, copy, params.bytes_per_token))
            places.append(chance(common.seed, f"canary/{rows[-1]['id']}") * table.num_rows)
    planted = pa.Table.from_pylist(rows, schema=table.schema)
    return pa.concat_tables([table, planted]).take(pa.array(np.argsort(places, kind="stable")))


def manifest(planted: Sequence[Canary], repeats: int) -> dict[str, Any]:
    """What canaries.json says."""
    return {"kind": KIND, "repeats": repeats, "digits": DIGITS, "sha256": [canary.sha256 for canary in planted]}


def _row(canary: Canary, copy: int, bytes_per_token: float) -> dict[str, Any]:
    size, content = len(canary.text.encode()), canary.sha256[:16]
    return {
        "id": f"{content}-{copy}",
        "kind": KIND,
        "text": canary.text,
        "source": KIND,
        "licence": _LICENCE,
        "language": "en",
        "bytes": size,
        "estimated_tokens": round(size / bytes_per_token),
        "content": content,
    }


def _text(name: str, number: str) -> str:
    return f"{_BEFORE}{name}{_BETWEEN}{number}."
