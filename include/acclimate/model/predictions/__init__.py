"""Score stored predictions of any model, so that published outputs can be scored again, exactly.

    acclimate score --predictions outputs.jsonl --references ARC-Easy-Dev.jsonl --rule mmlu_pro
        --mapping id=id prediction=output answer=answerKey labels=question.choices.label grade=grade

FILE is .jsonl, .json, .csv, .tsv or .parquet. The mapping says where in a record what stands: `prediction` in the
predictions, `answer` in the references, `id` in both (`prediction_id` where it is called otherwise there; `$line` pairs
the files line by line); `labels`, the choices of a question, and `cluster`, what belongs together, are optional. Any
other name is a slice. `--rule` says how an answer is read out of a prediction, as somebody has published it:
`acclimate score --help` lists them. What a rule cannot read is counted apart and never guessed.

The numbers go to FILE.json of `--out`, what was made of each prediction to FILE.jsonl beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--predictions, --references, --mapping, --rule, --out, --seed."""
    from acclimate.model.predictions.rules import RULES, TEXT

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "rules:\n" + "\n".join(f"  {name:<15} {rule.source}" for name, rule in RULES.items())
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE", help="what a model answered")
    parser.add_argument("--references", type=Path, required=True, metavar="FILE", help="what is right")
    parser.add_argument(
        "--mapping", nargs="+", required=True, metavar="NAME=PATH", help="e.g. id=id prediction=output answer=answerKey"
    )
    parser.add_argument("--rule", choices=sorted(RULES), default=TEXT, help="how to read a prediction; default text")
    parser.add_argument("--out", type=Path, default=Path("score.json"), metavar="FILE", help="default score.json")
    parser.add_argument("--seed", type=int, default=1729, help="of the bootstrap intervals; default 1729")


def main(arguments: argparse.Namespace) -> int:
    """Score, write the files, print the table."""
    from acclimate.core.files import write_jsonl
    from acclimate.core.reports import write_report
    from acclimate.model.predictions.joining import joined, parsed_mapping
    from acclimate.model.predictions.scoring import score_answers
    from acclimate.model.predictions.table import table

    mapping = parsed_mapping(arguments.mapping)
    answers = joined(arguments.predictions, arguments.references, mapping)
    report, rows = score_answers(answers, arguments.rule, seed=arguments.seed)
    write_report(arguments.out, "score", report)
    write_jsonl(arguments.out.with_suffix(".jsonl"), rows)
    print(table(report))
    return 0
