from __future__ import annotations

from acclimate.model.compare import Rows
from acclimate.release.forms.table import Seen, compare


def rows(right: int, items: int) -> Rows:
    """Results of a model that answers the first `right` of its items."""
    cloze = [
        {"id": str(n), "cluster": str(n), "label": 0, "correct": n < right, "log_likelihoods": [-1.0, -2.0]}
        for n in range(items)
    ]
    return {"domain_cloze": cloze, "general_cloze": cloze}


def test_a_form_scored_on_fewer_items_is_compared_on_those() -> None:
    whole, some = rows(60, 100), rows(20, 40)
    unquantised, other = compare(
        whole, [Seen("merged", 8, 8, whole), Seen("gptq-8", 4, 8, some)], resamples=300, seed=1
    )
    assert unquantised.metrics["domain_cloze"]["interval"] == [0.0, 0.0]
    found = other.metrics["domain_cloze"]
    # Of the first forty the unquantised model answers all.
    assert (found["n"], found["base"], found["candidate"]) == (40, 1.0, 0.5)
    assert found["interval"][1] < 0


def test_what_could_not_be_made_is_a_row_with_its_reason() -> None:
    (row,) = compare(rows(1, 2), [Seen("gguf-f16", None, failure="of wax")], resamples=300, seed=1)
    assert (row.bytes, row.metrics, row.failure) == (None, {}, "of wax")
