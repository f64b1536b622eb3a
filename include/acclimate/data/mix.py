r"""acclimate mix: the training set, in training order.

    artifacts/mix/train.jsonl        {"id": "9f2c…", "kind": "domain_documents", "text": "numpy.savetxt\n\nSave an …"}
    artifacts/mix/records.parquet    the same rows: source, licence, language, quality, sizes, difficulty, stage
    artifacts/mix/canaries.json      where canaries are planted (canaries.py): how often, and the hash of each

The shares are of UTF-8 bytes, kept to within one record of each kind. What is too scarce for its share
makes the whole smaller, never the shares different; only if the domain has no questions at all
does their share go to its documents. General replay keeps what the base model can do already
(Rolnick et al. 2019, Experience Replay for Continual Learning). The strategies are in strategies.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.files import sha256, write_json, write_jsonl, write_parquet
from acclimate.core.params import CommonParams, MixParams
from acclimate.data.mixing import canaries, curriculum, difficulty, diversity
from acclimate.data.mixing.candidates import KINDS, PAIR, Measures, Pool, scan
from acclimate.data.mixing.strategies import affordable, choose, wanted_shares
from acclimate.data.mixing.training_set import training_rows, training_set

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LOW_QUALITY = 0.7
"""A text below this is of low quality: what the evaluation set asks for; `clean` drops what is below its own line."""
MIN_DOMAIN_SHARE = 0.3
"""Of the bytes; with less, the adapter learns little but what the base can do already."""
MAX_LOW_QUALITY_SHARE = 0.2
MAX_MEAN_SIMILARITY = 0.8
"""Mean cosine; unlike texts are below 0.3, the same sentence with other numbers in it above 0.8."""
SAMPLE = 20_000
"""Texts, evenly spread over the training set, whose mean similarity stands for all."""


@dataclass(frozen=True)
class KindReport:
    """One component of the training set."""

    wanted_share: float
    """After a share without material has gone elsewhere, or adaptive_quality has moved it."""
    share: float
    """Reached, of the bytes of the training set."""
    records: int
    bytes: int
    estimated_tokens: int
    mean_quality: float | None
    """Of the records taken that have a score."""
    available_records: int
    available_bytes: int


@dataclass(frozen=True)
class MixReport:
    """What the training set is made of."""

    dataset_sha256: str
    """Of train.jsonl: the name of the data set in lineage."""
    strategy: str
    records: int
    bytes: int
    estimated_tokens: int
    """Bytes by mix.bytes_per_token: the base and its tokenizer come later in the pipeline."""
    wanted_bytes: int
    kinds: dict[str, KindReport]
    difficulty: dict[str, float]
    """Share of the bytes per grade."""
    stages: dict[str, float]
    """Share of the bytes per stage of the curriculum; empty without one."""
    low_quality_share: float
    """Of the records that have a score, those below LOW_QUALITY."""
    mean_similarity: float
    """Mean cosine of hashed words over all pairs of at most SAMPLE texts."""
    notes: list[str]
    """Where the result differs from params.yaml, and why."""
    warnings: list[str]
    """What makes this a doubtful training set."""

    def headline(self) -> str:
        """'5,120 records, 1,199 kB: domain_documents 40 %, domain_questions 40 %, general_replay 20 %'."""
        shares = ", ".join(f"{kind} {report.share:.0%}".replace("%", " %") for kind, report in self.kinds.items())
        doubts = f"; doubtful: {'; '.join(self.warnings)}" if self.warnings else ""
        return f"{self.records:,} records, {self.bytes / 1000:,.0f} kB: {shares}{doubts}"


def run(params: MixParams, common: CommonParams, *, domain: Path, general: Path, out: Path) -> MixReport:
    """Compose the training set from the decontaminated texts.

    Raises:
        UserError: if a component with a share has no text at all, or adaptive_quality cannot keep its bounds.
    """
    measures = Measures(common.seed, params.max_document_characters, params.balance_difficulty, params.diverse)
    pools = scan(domain, general, measures)
    shares, notes = wanted_shares(params, pools)
    wanted = params.kilobytes * 1000
    total, less = affordable(shares, {kind: pool.size for kind, pool in pools.items()}, wanted)
    chosen = {}
    for kind in KINDS:
        chosen[kind], scarce = choose(pools[kind], shares[kind] * total, params)
        less += [f"{kind}: {note}" for note in scarce]
    table = canaries.plant(training_set(params, common, pools, chosen, (domain, general)), params, common)
    if params.canaries:
        planted = canaries.canaries(params.canaries, common.seed)
        write_json(out / canaries.MANIFEST, canaries.manifest(planted, params.canary_repeats))
    write_jsonl(out / "train.jsonl", training_rows(table))
    write_parquet(out / "records.parquet", table.drop_columns(["text", *PAIR]))
    return _report(params, shares, pools, table, dataset_sha256=sha256(out / "train.jsonl"), notes=notes + less)


def _report(
    params: MixParams,
    shares: Mapping[str, float],
    pools: Mapping[str, Pool],
    table: pa.Table,
    *,
    dataset_sha256: str,
    notes: list[str],
) -> MixReport:
    total = int(table.column("bytes").to_numpy().sum())
    kinds = {kind: _kind(table, kind, shares[kind], pools[kind], total) for kind in KINDS}
    if params.canaries:
        kinds[canaries.KIND] = _kind(table, canaries.KIND, 0.0, None, total)
    quality = _known_quality(table)
    low = float((quality < LOW_QUALITY).mean()) if len(quality) else 0.0
    step = max(1, -(-table.num_rows // SAMPLE))
    sample = table.column("text").take(np.arange(0, table.num_rows, step)).combine_chunks()
    similarity = diversity.mean_similarity(sample)
    return MixReport(
        dataset_sha256=dataset_sha256,
        strategy=params.strategy,
        records=table.num_rows,
        bytes=total,
        estimated_tokens=round(total / params.bytes_per_token),
        wanted_bytes=params.kilobytes * 1000,
        kinds=kinds,
        difficulty=_byte_shares(table, "difficulty", difficulty.GRADES),
        stages=_byte_shares(table, "stage", curriculum.STAGES) if params.strategy == "curriculum_progression" else {},
        low_quality_share=round(low, 4),
        mean_similarity=round(similarity, 4),
        notes=notes,
        warnings=warnings(1 - kinds["general_replay"].share, low, similarity),
    )


def warnings(domain_share: float, low_quality_share: float, mean_similarity: float) -> list[str]:
    """What to doubt about a training set with these three shares and means."""
    found = []
    if domain_share < MIN_DOMAIN_SHARE:
        found.append(f"only {domain_share:.1%} is of the domain, less than {MIN_DOMAIN_SHARE:.0%}")
    if low_quality_share > MAX_LOW_QUALITY_SHARE:
        found.append(
            f"{low_quality_share:.1%} have a quality below {LOW_QUALITY}, more than {MAX_LOW_QUALITY_SHARE:.0%}"
        )
    if mean_similarity > MAX_MEAN_SIMILARITY:
        found.append(f"the texts are alike: mean similarity {mean_similarity:.2f}, above {MAX_MEAN_SIMILARITY}")
    return found


def _kind(table: pa.Table, kind: str, share: float, pool: Pool | None, total: int) -> KindReport:
    """One kind of the training set; of what was not chosen from a pool, all there is has been taken."""
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table.column("kind"), kind))
    size, quality = int(rows.column("bytes").to_numpy().sum()), _known_quality(rows)
    return KindReport(
        wanted_share=round(share, 4),
        share=round(size / max(total, 1), 4),
        records=rows.num_rows,
        bytes=size,
        estimated_tokens=int(rows.column("estimated_tokens").to_numpy().sum()),
        mean_quality=round(float(quality.mean()), 4) if len(quality) else None,
        available_records=rows.num_rows if pool is None else len(pool.bytes),
        available_bytes=size if pool is None else pool.size,
    )


def _known_quality(table: pa.Table) -> NDArray[np.float64]:
    known: NDArray[np.float64] = table.column("quality").drop_null().to_numpy()
    return known


def _byte_shares(table: pa.Table, column: str, values: Sequence[str] | Mapping[str, Any]) -> dict[str, float]:
    sizes, found = table.column("bytes").to_numpy(), np.array(table.column(column).to_pylist())
    return {value: round(float(sizes[found == value].sum() / max(sizes.sum(), 1)), 4) for value in values}
