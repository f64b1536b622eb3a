"""What a batch looks like, small enough to be kept: sizes, nulls, languages and lengths of text, per source.

    {"version": 1, "schema": {"id": "string", …},
     "overall": {"records": 26842, "passed": 26841, "bytes": 15041552, "null_share": {"question": 0.56, …},
                 "domains": {"general": 10840, …}, "languages": {"en": 1.0},
                 "length_quantiles": {"0.05": 70, …}, "lengths": {"17": 1, "19": 1, "23": 4, …}},
     "sources": {"standard_library": {…}}}

`validate` writes it as profile.json; the one of the batch accepted last stands in accepted/, and shifts.py says
how the two differ. Counted part by part: what is kept in memory does not grow with the corpus.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import write_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

NAME = "profile.json"
VERSION = 1
EDGES = sorted({round(2 ** (step / 8)) for step in range(8 * 24)})
"""Lower ends of the classes of text lengths in characters: eight to a doubling, so 9 % wide, up to 16 million."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Slice:
    """The records of one source, or of all."""

    records: int
    """As they came in, those included that are quarantined."""
    passed: int
    bytes: int
    """Of text, in UTF-8."""
    null_share: dict[str, float]
    """Column to share of records without a value."""
    domains: dict[str, int]
    """Domain to the number of records that passed."""
    languages: dict[str, float]
    """Language to share of records."""
    length_quantiles: dict[str, int]
    """Share to the length in characters that this share of texts does not exceed, to 9 %."""
    lengths: dict[str, int]
    """Lower end of a class of lengths to the number of texts in it; empty classes left out."""


@dataclass(frozen=True)
class Profile:
    """A batch."""

    version: int
    schema: dict[str, str]
    """Column to Arrow type."""
    overall: Slice
    sources: dict[str, Slice]


@dataclass
class _Tally:
    """The counts that a Slice is made of."""

    records: int = 0
    passed: int = 0
    bytes: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    """By position in EDGES."""

    def add(self, table: pa.Table, passed: np.ndarray[Any, Any]) -> None:
        """Count the rows of `table`; `passed` says of each whether it stays [rows]."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self.records += len(table)
        self.passed += int(passed.sum())
        self.bytes += pc.sum(pc.binary_length(table["text"])).as_py() or 0
        self.nulls.update({name: table[name].null_count for name in table.column_names})
        self.domains.update(_counted(table["domain"].filter(pa.array(passed))))
        self.languages.update(_counted(table["language"]))
        lengths = pc.utf8_length(table["text"].drop_null()).to_numpy()
        classes = np.searchsorted(EDGES, np.maximum(lengths, 1), side="right") - 1
        self.lengths.update(dict(zip(*(part.tolist() for part in np.unique(classes, return_counts=True)), strict=True)))

    def __iadd__(self, other: _Tally) -> _Tally:
        for name in ("records", "passed", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("nulls", "domains", "languages", "lengths"):
            getattr(self, name).update(getattr(other, name))
        return self

    def slice(self, columns: list[str]) -> Slice:
        """The counts as shares, in a fixed order."""
        return Slice(
            self.records,
            self.passed,
            self.bytes,
            {name: round(self.nulls[name] / max(1, self.records), 6) for name in columns},
            dict(sorted(self.domains.items())),
            {name: round(count / max(1, self.records), 6) for name, count in sorted(self.languages.items())},
            {str(share): self._quantile(share) for share in QUANTILES if self.lengths},
            {str(EDGES[of]): count for of, count in sorted(self.lengths.items())},
        )

    def _quantile(self, share: float) -> int:
        reached, wanted = 0, share * self.lengths.total()
        for of, count in sorted(self.lengths.items()):
            reached += count
            if reached >= wanted:
                return EDGES[of]
        raise AssertionError(f"{share} of {wanted} texts")


def _counted(values: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column, nulls left out."""
    return {entry["values"]: entry["counts"] for entry in values.drop_null().value_counts().to_pylist()}


class Profiler:
    """Counts a batch part by part."""

    def __init__(self) -> None:
        self._schema: dict[str, str] = {}
        self._sources: dict[str, _Tally] = {}

    def add(self, table: pa.Table, passed: np.ndarray[Any, Any]) -> None:
        """Count a part; `passed` says of each record whether it stays [records]."""
        import pyarrow.compute as pc

        self._schema |= {column.name: str(column.type) for column in table.schema}
        for source in sorted(pc.unique(table["source"]).to_pylist(), key=str):
            own = pc.fill_null(pc.equal(table["source"], source), False) if source else pc.is_null(table["source"])
            self._sources.setdefault(source or "", _Tally()).add(table.filter(own), passed[own.to_numpy()])

    def profile(self) -> Profile:
        """The whole batch."""
        overall = _Tally()
        for tally in self._sources.values():
            overall += tally
        columns = list(self._schema)
        sources = {source: self._sources[source].slice(columns) for source in sorted(self._sources)}
        return Profile(VERSION, self._schema, overall.slice(columns), sources)


def write_profile(folder: Path, profile: Profile) -> None:
    """Write `profile` where accepted/ and the next validate look for it."""
    write_json(folder / NAME, asdict(profile))


def read_profile(folder: Path) -> Profile | None:
    """The profile in `folder`, or None if there is none.

    Raises:
        UserError: if what stands there is no profile, or one of another version.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / NAME
    if not path.exists():
        return None
    try:
        profile = TypeAdapter(Profile).validate_json(path.read_bytes())
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        problem = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg'].lower()}"
    else:
        if profile.version == VERSION:
            return profile
        problem = f"version {profile.version}, this is version {VERSION}"
    raise UserError(
        f"{folder.name}/{NAME} is no profile that can be compared with ({problem})",
        why="a batch is compared with the one accepted last, so that a broken source is noticed",
        fix=f"remove {folder.name}/{NAME}; the next accepted batch writes a new one",
    )
