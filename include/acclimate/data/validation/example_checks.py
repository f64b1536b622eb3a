"""Check evaluation examples against a Great Expectations suite, with its page in Data Docs of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acclimate.core.params import EvaluationSetParams
from acclimate.data.evaluation.examples import DIFFICULTIES, SOURCE_KINDS, Example
from acclimate.data.validation.checking import CheckedSuite, Outcome
from acclimate.data.validation.data_docs import open_context, write_data_docs
from acclimate.data.validation.expectations import filled

_CHECKED = ("id", "question", "difficulty", "source_kind", "quality_score", "annotation_confidence", "complexity_score")


def evaluation_suite(params: EvaluationSetParams) -> list[Any]:
    """What holds for every example of the evaluation set; `answer` is that of its ground truth."""
    from great_expectations import expectations as gxe

    between = gxe.ExpectColumnValuesToBeBetween
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="id"),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        *filled("question"),
        *filled("answer"),
        gxe.ExpectColumnValuesToBeInSet(column="difficulty", value_set=list(DIFFICULTIES)),
        gxe.ExpectColumnValuesToBeInSet(column="source_kind", value_set=list(SOURCE_KINDS)),
        gxe.ExpectColumnValuesToNotBeNull(column="quality_score"),
        between(column="quality_score", min_value=params.min_quality, strict_min=True, max_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column="annotation_confidence"),
        between(
            column="annotation_confidence", min_value=params.min_annotation_confidence, strict_min=True, max_value=1
        ),
        between(column="complexity_score", min_value=0, max_value=1),
    ]


def check_examples(params: EvaluationSetParams, examples: Sequence[Example], data_docs: Path) -> list[Outcome]:
    """Check examples that are to be used, and write what was found to the folder `data_docs`.

    Returns:
        One outcome per expectation; its rows are positions in `examples`. None for no examples.
    """
    import pandas as pd

    context = open_context(data_docs)
    suite = CheckedSuite(context, "evaluation", evaluation_suite(params))
    outcomes = suite.check(pd.DataFrame([_row(example) for example in examples]))
    write_data_docs(context, data_docs, [suite])
    return outcomes


def _row(example: Example) -> dict[str, Any]:
    values = example.model_dump()
    return {name: values[name] for name in _CHECKED} | {"answer": values["ground_truth"]["answer"]}
