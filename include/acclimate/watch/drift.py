"""Compare what the champion is asked with the questions it was trained on.

    acclimate drift           # writes .acclimate/watch/drift.json

The distance is the Jensen–Shannon divergence of the two word distributions (bits, 0–1; Lin 1991). Whether
it is more than chance is asked by a permutation test over whole texts: words of one text depend on each other.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acclimate.core.files import read_jsonl, write_json
from acclimate.core.params import DriftParams, load
from acclimate.release.reference import question_of
from acclimate.release.registry import CHAMPION, connect, model_name, version_at
from acclimate.watch.collect import watch_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD = re.compile(r"[^\W\d_]{2,}")
LATEST = 1000
"""Requests compared: the newest ones; what was asked long ago says nothing about now."""


@dataclass(frozen=True)
class DriftResult:
    """What the comparison found; distance and p-value are null when there was nothing to compare."""

    status: Literal["quiet", "drift", "too_few", "no_champion"]
    version: str | None
    """Of the champion; only requests that it answered count."""
    n: int
    """Requests compared."""
    distance: float | None
    p_value: float | None
    words: list[str]
    """The words that contribute most to the distance and are asked more often than trained."""

    def headline(self) -> str:
        """'quiet: 120 requests, distance 0.310, p = 0.42'."""
        if self.distance is None:
            return f"{self.status}: {self.n} requests"
        return f"{self.status}: {self.n} requests, distance {self.distance:.3f}, p = {self.p_value:.4f}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the section `drift` of params.yaml has the dials."""


def main(arguments: argparse.Namespace) -> int:
    """Compare, write the result, and say it in a line."""
    params = load(Path("params.yaml"))
    result = measure(model_name(params.ingest.domain), params.drift, seed=params.common.seed, folder=watch_folder())
    write_json(watch_folder() / "drift.json", asdict(result))
    print(result.headline())
    return 0


def measure(name: str, params: DriftParams, *, seed: int, folder: Path) -> DriftResult:
    """Compare the requests collected in `folder` with the reference logged for the champion of `name`."""
    champion = version_at(connect(), name, CHAMPION)
    if champion is None:
        return DriftResult("no_champion", None, 0, None, None, [])
    version = str(champion.version)
    path = folder / "requests.jsonl"
    rows: list[dict[str, Any]] = read_jsonl(path) if path.exists() else []
    asked = [question_of(row["prompt"]) for row in rows if row["version"] == version][-LATEST:]
    if len(asked) < params.min_requests:
        return DriftResult("too_few", version, len(asked), None, None, [])
    return compare(_reference(champion), asked, params, seed=seed, version=version)


def compare(
    trained: Sequence[str], asked: Sequence[str], params: DriftParams, *, seed: int, version: str
) -> DriftResult:
    """The result for two sets of texts, neither of them empty."""
    import numpy as np

    counts, vocabulary = word_counts([*trained, *asked])
    distance = divergence(counts[: len(trained)].sum(axis=0), counts[len(trained) :].sum(axis=0))
    p_value = permutation_p(counts, len(trained), params.permutations, np.random.default_rng(seed))
    return DriftResult(
        status="drift" if p_value < params.alpha else "quiet",
        version=version,
        n=len(asked),
        distance=round(distance, 6),
        p_value=round(p_value, 6),
        words=_standing_out(counts, vocabulary, len(trained)),
    )


def word_counts(texts: Sequence[str]) -> tuple[NDArray[np.float64], list[str]]:
    """Counts of each word in each text, shape [texts, words], and the words in alphabetical order."""
    import numpy as np

    split = [[word.lower() for word in WORD.findall(text)] for text in texts]
    vocabulary = sorted({word for words in split for word in words})
    place = {word: index for index, word in enumerate(vocabulary)}
    counts = np.zeros((len(texts), len(vocabulary)))
    for row, words in enumerate(split):
        np.add.at(counts[row], [place[word] for word in words], 1)
    return counts, vocabulary


def divergence(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Jensen–Shannon divergence in bits (0–1) of two vectors of counts over the same words.

    Two empty ones are equal; an empty and a non-empty one have nothing in common.
    """
    if first.sum() == 0 or second.sum() == 0:
        return 0.0 if first.sum() == second.sum() else 1.0
    return float(_contributions(first, second).sum())


def permutation_p(counts: NDArray[np.float64], trained: int, permutations: int, random: np.random.Generator) -> float:
    """Chance of a distance at least as large if the labels 'trained' and 'asked' meant nothing.

    The observed arrangement counts as one of them (Phipson & Smyth 2010), so the result is never 0.
    """
    total = counts.sum(axis=0)
    observed = divergence(counts[:trained].sum(axis=0), counts[trained:].sum(axis=0))
    asked = len(counts) - trained
    at_least = 0
    for _ in range(permutations):
        drawn = counts[random.choice(len(counts), size=asked, replace=False)].sum(axis=0)
        at_least += divergence(total - drawn, drawn) >= observed - 1e-12
    return (1 + at_least) / (1 + permutations)


def _contributions(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    terms: NDArray[np.float64] = np.zeros(len(middle))
    for part in (p, q):
        present = part > 0
        terms[present] += part[present] * np.log2(part[present] / middle[present]) / 2
    return terms


def _standing_out(counts: NDArray[np.float64], vocabulary: list[str], trained: int) -> list[str]:
    first, second = counts[:trained].sum(axis=0), counts[trained:].sum(axis=0)
    if first.sum() == 0 or second.sum() == 0:
        return []
    terms = _contributions(first, second)
    more = second / second.sum() > first / first.sum()
    ranked = sorted((place for place in range(len(vocabulary)) if more[place]), key=lambda place: -terms[place])
    return [vocabulary[place] for place in ranked[:10]]


def _reference(champion: Any) -> list[str]:
    """The questions logged with the champion when it was registered."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(
            run_id=champion.run_id, artifact_path="reference/questions.jsonl", dst_path=folder
        )
        return [row["question"] for row in read_jsonl(Path(path))]
