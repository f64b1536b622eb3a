"""Ask a jury of language models which of two answers is better, by a rubric.

    acclimate judge                                             # the candidate's answers against the base's
    acclimate judge --predictions B.jsonl --against A.jsonl --references R.jsonl
        --mapping id=id prediction=output question=question answer=answer

Nothing is asked unless the section `judge` of params.yaml names a jury: models behind OpenAI-compatible endpoints. The
number of questions is told before the first is asked, the tokens and the cost after the last. Writes reports/judge.json
and artifacts/judge/votes.jsonl, one line per question put to a juror.
"""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_MAPPING = ["id=id", "prediction=text", "question=question", "answer=ground_truth.answer"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--predictions, --against, --references, --mapping: by default what the stages of this checkout wrote."""
    evaluated = Path("artifacts/evaluate/candidate/questions.jsonl")
    baseline = Path("artifacts/baseline/questions.jsonl")
    examples = Path("artifacts/evaluation_set/examples.jsonl")
    parser.add_argument("--predictions", type=Path, default=evaluated, metavar="FILE", help=f"default {evaluated}")
    parser.add_argument("--against", type=Path, default=baseline, metavar="FILE", help=f"default {baseline}")
    parser.add_argument("--references", type=Path, default=examples, metavar="FILE", help=f"default {examples}")
    parser.add_argument(
        "--mapping", nargs="+", default=DEFAULT_MAPPING, metavar="NAME=PATH", help="as for `acclimate score`"
    )


def main(arguments: argparse.Namespace) -> int:
    """Ask, write, and print what came of it."""
    from acclimate.core.files import write_jsonl
    from acclimate.core.params import load
    from acclimate.core.reports import report_path, write_report
    from acclimate.model.judge.asking import ask_jury, questions_put
    from acclimate.model.judge.pairs import read_pairs
    from acclimate.model.judge.tally import tally
    from acclimate.model.predictions.joining import parsed_mapping

    params = load(Path("params.yaml"))
    mapping = parsed_mapping(arguments.mapping)
    pairs = read_pairs(arguments.predictions, arguments.against, arguments.references, mapping)[: params.judge.items]
    print(questions_put(params.judge, len(pairs)), flush=True)
    votes = ask_jury(params.judge, pairs, seed=params.common.seed)
    report = tally(params.judge, votes, seed=params.common.seed)
    write_jsonl(Path("artifacts/judge/votes.jsonl"), [vote.row() for vote in votes])
    write_report(report_path("judge"), "judge", report)
    print(report.table())
    return 0
