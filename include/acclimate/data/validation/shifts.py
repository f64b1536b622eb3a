"""How a batch differs from the one accepted last, and whether by more than is allowed.

A difference counts if it exceeds its dial in params.yaml *and* what chance explains: a source of thirty records
may have two nulls more without being broken. The limit of a comparison is therefore the larger of the two.

    volume_drop      1 − records passed / records then passed
    null_increase    share of records without a value in a column, more than then
    language_shift   share of a language, more or less than then
    length_shift     Kolmogorov-Smirnov distance of the lengths of texts: the largest difference between the shares
                     of texts up to some length, at the ends of the classes in profile.py
    schema_change    1 for a column that came, went or changed its type

Chance: two shares differ by less than z √(p (1−p) (1/n + 1/m)), p the share in both batches together (two-proportion
z-test); two samples of lengths by less than √(−ln(α/2)/2) √((n+m)/(nm)) (Smirnov 1948, Table for estimating the
goodness of fit of empirical distributions); at α = 0.001 either way. In samples of thousands both are far below any
sensible dial: there even harmless differences are beyond chance, so the dial decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from acclimate.core.params import ValidateParams
from acclimate.data.validation.profile import Profile, Slice

_Z = 3.2905
"""Quantile of the normal distribution at 1 − α/2, α = 0.001."""
_SMIRNOV = math.sqrt(-math.log(0.001 / 2) / 2)

MEASURES = ("volume_drop", "null_increase", "language_shift", "length_shift", "schema_change")
"""All but the last have a dial of their name in params.yaml, validate.max_<measure>."""


@dataclass(frozen=True)
class Shift:
    """One measure of one source, or of the schema, against the batch accepted last."""

    measure: str
    """One of MEASURES."""
    source: str
    """'' for the schema, which all share."""
    subject: str
    """The column or language; '' where the measure is of the source as a whole."""
    accepted: str
    """What was measured then, in words."""
    found: str
    change: float
    limit: float

    @property
    def exceeded(self) -> bool:
        """Whether the batch must not go on."""
        return self.change > self.limit

    def sentence(self) -> str:
        """'numpy_docs: 12.0 % without answer, 0.0 % in the accepted batch: null_increase 0.120, limit 0.100'."""
        where = self.source or "schema"
        return (
            f"{where}: {self.found}, {self.accepted} in the accepted batch: "
            f"{self.measure} {self.change:.3f}, limit {self.limit:.3f}"
        )

    def remedy(self) -> str:
        """What to do about it."""
        accept = "accept the new normal by copying the kept profile.json into accepted/ of the main checkout"
        if self.measure == "schema_change":
            return f"mend what wrote the column, or {accept}"
        return f"mend the source {self.source}, or {accept}, or raise validate.max_{self.measure} in params.yaml"


@dataclass(frozen=True)
class Comparison:
    """A batch against the one accepted last."""

    shifts: list[Shift]
    new_sources: list[str]
    """Not in the accepted batch: nothing to compare with."""
    removed_sources: list[str]
    """In the accepted batch and no longer in params.yaml; one that vanished by itself is a volume_drop of 1."""


@dataclass(frozen=True)
class _Share:
    """A share of records in two batches."""

    before: float
    records_before: int
    after: float
    records_after: int

    def limit(self, dial: float) -> float:
        """By how much the two may differ: the dial, or what chance explains if that is more."""
        n, m = self.records_before, self.records_after
        together = (self.before * n + self.after * m) / (n + m)
        return round(max(dial, _Z * math.sqrt(together * (1 - together) * (1 / n + 1 / m))), 6)


def compare(params: ValidateParams, now: Profile, accepted: Profile, configured: set[str]) -> Comparison:
    """Compare every source of the accepted batch that `configured` (the sources in params.yaml) still names."""
    wanted = [source for source in accepted.sources if source in now.sources or source in configured]
    shifts = [shift for source in wanted for shift in _of_source(params, source, now, accepted.sources[source])]
    return Comparison(
        shifts + _of_schema(now.schema, accepted.schema),
        sorted(now.sources.keys() - accepted.sources.keys()),
        sorted(accepted.sources.keys() - set(wanted)),
    )


def _of_source(params: ValidateParams, source: str, batch: Profile, then: Slice) -> Iterator[Shift]:
    now = batch.sources.get(source)
    if now is None:
        found = "no record, though params.yaml names the source"
        yield Shift("volume_drop", source, "", f"{then.passed:,} passed", found, 1.0, params.max_volume_drop)
        return
    yield _volume(params.max_volume_drop, source, now, then)
    for column in sorted(now.null_share.keys() & then.null_share.keys()):
        yield _null(params.max_null_increase, source, column, now, then)
    for language in sorted(now.languages.keys() | then.languages.keys()):
        yield _language(params.max_language_shift, source, language, now, then)
    if now.lengths and then.lengths:
        yield _length(params.max_length_shift, source, now, then)


def _volume(limit: float, source: str, now: Slice, then: Slice) -> Shift:
    drop = max(0.0, 1 - now.passed / then.passed) if then.passed else 0.0
    return Shift(
        "volume_drop", source, "", f"{then.passed:,} passed", f"{now.passed:,} records passed", round(drop, 6), limit
    )


def _null(dial: float, source: str, column: str, now: Slice, then: Slice) -> Shift:
    share = _Share(then.null_share[column], then.records, now.null_share[column], now.records)
    found = f"{share.after:.1%} of records without {column}"
    increase = round(max(0.0, share.after - share.before), 6)
    return Shift("null_increase", source, column, f"{share.before:.1%}", found, increase, share.limit(dial))


def _language(dial: float, source: str, language: str, now: Slice, then: Slice) -> Shift:
    shares = [of.languages.get(language, 0.0) for of in (then, now)]
    share = _Share(shares[0], then.records, shares[1], now.records)
    found = f"{share.after:.1%} of records in {language}"
    change = round(abs(share.after - share.before), 6)
    return Shift("language_shift", source, language, f"{share.before:.1%}", found, change, share.limit(dial))


def _length(dial: float, source: str, now: Slice, then: Slice) -> Shift:
    n, m = sum(now.lengths.values()), sum(then.lengths.values())
    limit = max(dial, _SMIRNOV * math.sqrt((n + m) / (n * m)))
    before, after = (slice_.length_quantiles["0.5"] for slice_ in (then, now))
    found = f"half of the texts longer than {after:,} characters"
    change = ks_distance(now.lengths, then.lengths)
    return Shift("length_shift", source, "", f"{before:,}", found, round(change, 6), round(limit, 6))


def _of_schema(now: dict[str, str], then: dict[str, str]) -> list[Shift]:
    columns = [(name, then.get(name, "absent"), now.get(name, "absent")) for name in sorted(now.keys() | then.keys())]
    return [
        Shift("schema_change", "", name, before, f"column {name} is {after}", float(before != after), 0.0)
        for name, before, after in columns
    ]


def ks_distance(one: dict[str, int], other: dict[str, int]) -> float:
    """The Kolmogorov-Smirnov distance of two histograms over the same classes: 0 alike, 1 without overlap."""
    edges = sorted({int(edge) for edge in one.keys() | other.keys()})
    first, second = (
        [count / sum(of.values()) for count in accumulate(of.get(str(edge), 0) for edge in edges)]
        for of in (one, other)
    )
    return max(abs(share - other_share) for share, other_share in zip(first, second, strict=True))
