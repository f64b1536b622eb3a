"""What tells texts of the domain from others at the endpoint: fitted to the training set, measured on the test store.

The classifier is serving/relevance.py's. It learns from the texts that the model itself was adapted with, the domain's
against the general replay, both kinds weighing the same; how well it tells texts apart is measured on those of the test
store, which shares no near-duplicate with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import read_jsonl, read_parquet
from acclimate.core.records import GENERAL
from acclimate.release.reference import question_of
from acclimate.serving.relevance import PLACES, Relevance, features

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEAST_TEXTS = 20
"""Of either kind, to fit or to measure; from fewer nothing can be said."""
STRENGTH = 10.0
"""Of the data against the penalty on weights (scikit-learn's C)."""


THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Those of endpoint.base_below for which it is told what comes of them."""


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold does to texts that nothing was fitted to; shares 0–1."""

    threshold: float
    domain_kept: float
    """Of the domain's texts, those that score as much or more."""
    general_sent_away: float
    """Of the general texts, those that score less."""
    balanced_accuracy: float


@dataclass(frozen=True)
class Measured:
    """How well texts are told apart that nothing was fitted to."""

    fitted_to: int
    domain_texts: int
    general_texts: int
    auc: float
    """The chance that a text of the domain scores above a general one."""
    thresholds: list[AtThreshold]


@dataclass(frozen=True)
class Texts:
    """Texts of the domain and general ones."""

    domain: Sequence[str]
    general: Sequence[str]

    @property
    def enough(self) -> bool:
        """Whether there are LEAST_TEXTS of both."""
        return min(len(self.domain), len(self.general)) >= LEAST_TEXTS


def relevance_of(dataset: Path, test: Path) -> tuple[Relevance, dict[str, Any]] | None:
    """The classifier and how good it is; None where there are too few texts to tell, e.g. a mix without replay.

    Args:
        dataset: artifacts/mix/train.jsonl.
        test: artifacts/dedup/test.parquet.
    """
    rows = read_jsonl(dataset)
    learned = Texts(
        [question_of(row["text"]) for row in rows if str(row["kind"]).startswith("domain_")],
        [question_of(row["text"]) for row in rows if row["kind"] == "general_replay"],
    )
    unseen = _held_out(test)
    if not learned.enough or not unseen.enough:
        return None
    relevance = fit(learned)
    return relevance, asdict(measure(relevance, unseen, fitted_to=len(learned.domain) + len(learned.general)))


def fit(texts: Texts) -> Relevance:
    """A logistic regression in which both kinds weigh the same, however many there are of each."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    labels = [1] * len(texts.domain) + [0] * len(texts.general)
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
    model.fit(_matrix([*texts.domain, *texts.general]), labels)
    return Relevance(model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def measure(relevance: Relevance, texts: Texts, *, fitted_to: int) -> Measured:
    """How well it tells texts apart."""
    from sklearn.metrics import roc_auc_score

    of_domain, of_general = ([relevance.of(text) for text in some] for some in (texts.domain, texts.general))
    labels = [1] * len(of_domain) + [0] * len(of_general)
    return Measured(
        fitted_to=fitted_to,
        domain_texts=len(of_domain),
        general_texts=len(of_general),
        auc=round(float(roc_auc_score(labels, [*of_domain, *of_general])), 4),
        thresholds=[_at(threshold, of_domain, of_general) for threshold in THRESHOLDS],
    )


def _at(threshold: float, of_domain: Sequence[float], of_general: Sequence[float]) -> AtThreshold:
    kept = sum(score >= threshold for score in of_domain) / len(of_domain)
    sent = sum(score < threshold for score in of_general) / len(of_general)
    return AtThreshold(threshold, round(kept, 4), round(sent, 4), round((kept + sent) / 2, 4))


def _held_out(test: Path) -> Texts:
    """The texts of the test store; of a pair its question."""
    if not test.exists():
        return Texts([], [])
    rows = read_parquet(test).select(["text", "domain"]).to_pylist()
    return Texts(
        [question_of(row["text"]) for row in rows if row["domain"] != GENERAL],
        [question_of(row["text"]) for row in rows if row["domain"] == GENERAL],
    )


def _matrix(texts: Sequence[str]) -> csr_matrix:
    """Their features, [texts, PLACES]."""
    from scipy.sparse import csr_matrix

    rows = [features(text) for text in texts]
    ends = [0]
    for row in rows:
        ends.append(ends[-1] + len(row))
    places = [place for row in rows for place in row]
    weights = [weight for row in rows for weight in row.values()]
    return csr_matrix((weights, places, ends), shape=(len(texts), PLACES))
