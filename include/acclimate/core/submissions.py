"""What repeated use of one locked test set costs: each further candidate is tested at a smaller level.

    number = submission(read_ledger(home()), testset, candidate_sha256)     # 3: the third adapter judged on it
    level(0.05, number), spent(0.05, number)                                # 0.0042, 0.0375

Whoever tries twenty useless candidates at 5 % promotes one by luck. So alpha is spent over the candidates of a
test set: the k-th is tested at alpha / (k(k + 1)). These levels sum to alpha however many come, so the chance that
any useless candidate is ever promoted on this test set is at most alpha (the union bound; a spending sequence as
in Foster & Stine 2008, who also let a sequence never end).

That holds for candidates that were not made from the answers to single items. Somebody who tunes to the scores can
climb about √(k/n) in accuracy whatever the level (Blum & Hardt 2015, sect. 4; Dwork et al. 2015): against that helps
only a limit on k, after which a new test set is locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acclimate.core.ledger import Use

CANDIDATE = "adapter"
"""The role under which the ledger has a candidate."""


def submission(uses: Sequence[Use], testset: Mapping[str, str], candidate_sha256: str) -> int:
    """The how-manieth different candidate this is on the test set with these files, counted from 1.

    A candidate keeps the number of its first scoring: scoring it again says nothing new. One that the ledger
    does not have (its scores came from a cache) comes after all that it has.

    Args:
        uses: the ledger, oldest first.
        testset: file name to SHA-256; another test set starts at 1 again.
        candidate_sha256: of the candidate's weights.
    """
    judged = dict.fromkeys(use.models[CANDIDATE] for use in uses if use.testset == testset and CANDIDATE in use.models)
    order = [*judged]
    return order.index(candidate_sha256) + 1 if candidate_sha256 in judged else len(order) + 1


def level(alpha: float, number: int) -> float:
    """The level that the `number`-th candidate is tested at."""
    return alpha / (number * (number + 1))


def spent(alpha: float, number: int) -> float:
    """The part of `alpha` that is gone once the `number`-th candidate has been tested: the levels' sum."""
    return alpha * number / (number + 1)
