r"""acclimate mix: the training set, in training order.

    artifacts/mix/train.jsonl    {"id": "9f2c…", "kind": "domain_documents", "text": "numpy.savetxt\n\nSave an …"}

The shares are of UTF-8 bytes, kept to within one record of each kind. What is too scarce for its share
makes the whole smaller, never the shares different; only if the domain has no questions at all
does their share go to its documents. General replay keeps what the base model can do already
(Rolnick et al. 2019, Experience Replay for Continual Learning).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, sha256, write_jsonl
from acclimate.core.params import CommonParams, MixParams
from acclimate.data.seeded import chance
from acclimate.data.words import opening

KINDS = ("domain_documents", "domain_questions", "general_replay")

Row = dict[str, Any]


@dataclass(frozen=True)
class KindReport:
    """One component of the training set."""

    wanted_share: float
    """After a share without material has gone elsewhere."""
    share: float
    """Reached, of the bytes of the training set."""
    records: int
    bytes: int
    available_records: int
    available_bytes: int


@dataclass(frozen=True)
class MixReport:
    """What the training set is made of."""

    dataset_sha256: str
    """Of train.jsonl: the name of the data set in lineage."""
    records: int
    bytes: int
    wanted_bytes: int
    kinds: dict[str, KindReport]
    notes: list[str]
    """Where the result differs from params.yaml, and why."""

    def headline(self) -> str:
        """'5,120 records, 1,199 kB: domain_documents 40 %, domain_questions 40 %, general_replay 20 %'."""
        shares = ", ".join(f"{kind} {report.share:.0%}".replace("%", " %") for kind, report in self.kinds.items())
        return f"{self.records:,} records, {self.bytes / 1000:,.0f} kB: {shares}"


def run(params: MixParams, common: CommonParams, *, domain: Path, general: Path, out: Path) -> MixReport:
    """Compose the training set from the decontaminated texts.

    Raises:
        UserError: if a component with a share has no text at all.
    """
    pools = components(read_parquet(domain).to_pylist(), read_parquet(general).to_pylist(), params, common.seed)
    shares, notes = wanted_shares(params, pools)
    wanted = params.kilobytes * 1000
    total, more_notes = affordable(shares, {kind: _bytes(pool) for kind, pool in pools.items()}, wanted)
    chosen = {kind: take(pools[kind], shares[kind] * total) for kind in KINDS}
    rows = [row for kind in KINDS for row in chosen[kind]]
    rows.sort(key=lambda row: (chance(common.seed, f"order/{row['id']}"), row["id"]))
    write_jsonl(out / "train.jsonl", rows)
    return MixReport(
        dataset_sha256=sha256(out / "train.jsonl"),
        records=len(rows),
        bytes=_bytes(rows),
        wanted_bytes=wanted,
        kinds={kind: _kind(shares[kind], chosen[kind], pools[kind], _bytes(rows)) for kind in KINDS},
        notes=notes + more_notes,
    )


def components(domain: Sequence[Row], general: Sequence[Row], params: MixParams, seed: int) -> dict[str, list[Row]]:
    """What each kind could consist of, as rows of the training set in random order."""
    sources = {
        "domain_documents": [row for row in domain if row["type"] != "qa_pair"],
        "domain_questions": [row for row in domain if row["type"] == "qa_pair"],
        "general_replay": list(general),
    }
    pools = {}
    for kind, rows in sources.items():
        shuffled = sorted(rows, key=lambda row: (chance(seed, f"mix/{row['id']}"), row["id"]))
        pools[kind] = [_training_row(kind, row, params.max_document_characters) for row in shuffled]
    return pools


def wanted_shares(params: MixParams, pools: dict[str, list[Row]]) -> tuple[dict[str, float], list[str]]:
    """The shares to reach; a domain without questions gives theirs to its documents.

    Raises:
        UserError: if documents or replay are wanted and there are none.
    """
    shares = {kind: float(getattr(params, kind)) for kind in KINDS}
    notes = []
    if shares["domain_questions"] > 0 and not pools["domain_questions"]:
        notes.append(f"the domain has no questions: their share ({shares['domain_questions']:g}) goes to its documents")
        shares["domain_documents"] += shares["domain_questions"]
        shares["domain_questions"] = 0.0
    for kind, share in shares.items():
        if share > 0 and not pools[kind]:
            raise UserError(
                f"mix.{kind} is {share:g}, but there is no such text",
                why="the training set would not have the composition that params.yaml asks for",
                fix=f"add such documents to a source, or set mix.{kind} to 0",
            )
    return shares, notes


def affordable(shares: dict[str, float], sizes: dict[str, int], wanted: int) -> tuple[float, list[str]]:
    """The bytes of the whole, at most `wanted`, for which every kind has enough; a note if that is less."""
    limits = {kind: sizes[kind] / share for kind, share in shares.items() if share > 0}
    scarcest = min(limits, key=lambda kind: (limits[kind], kind))
    if limits[scarcest] >= wanted:
        return float(wanted), []
    total = limits[scarcest]
    return total, [
        f"{scarcest} has {sizes[scarcest]:,} bytes, {shares[scarcest] * wanted:,.0f} needed: "
        f"the training set shrinks from {wanted:,} to {total:,.0f} bytes so that the shares hold"
    ]


def take(pool: Sequence[Row], size: float) -> list[Row]:
    """The first rows that fit into `size` bytes together."""
    chosen: list[Row] = []
    used = 0
    for row in pool:
        used += _bytes([row])
        # Half a byte: `size` is a product of floats.
        if used > size + 0.5:
            break
        chosen.append(row)
    return chosen


def _training_row(kind: str, row: Row, characters: int) -> Row:
    # A question is kept whole: without the end of its answer it teaches to stop in mid-sentence.
    text = row["text"] if row["type"] == "qa_pair" else opening(row["text"], characters)
    return {"id": row["id"], "kind": kind, "text": text}


def _kind(share: float, chosen: Sequence[Row], pool: Sequence[Row], total: int) -> KindReport:
    return KindReport(
        wanted_share=round(share, 4),
        share=round(_bytes(chosen) / total, 4),
        records=len(chosen),
        bytes=_bytes(chosen),
        available_records=len(pool),
        available_bytes=_bytes(pool),
    )


def _bytes(rows: Sequence[Row]) -> int:
    return sum(len(row["text"].encode()) for row in rows)
