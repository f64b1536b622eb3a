"""acclimate review: people judge the examples of the evaluation set.

    acclimate review export --annotator ada --out ada.jsonl   # what ada has not judged yet, to be filled in
    acclimate review import ada.jsonl                         # adds to inputs/evaluation/reviews.jsonl
    acclimate review agreement                                # Krippendorff's alpha over verdicts and difficulties

In an exported line, fill in `verdict` (accept, reject or edit; edit takes the corrected `answer`), `confidence`
(above 0 up to 1) and, if you like, `difficulty`; a line without a verdict is passed over. Importing a file twice
changes nothing; a new judgement by the same person on the same example counts instead of the old one. The next
`dvc repro` draws the evaluation set with what was said.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.core.home import home
from acclimate.core.params import load
from acclimate.data.evaluation.agreement import Agreement, agreement
from acclimate.data.evaluation.annotations import (
    REVIEWS,
    BadLine,
    add_annotations,
    latest,
    parse_lines,
    read_annotations,
)
from acclimate.data.evaluation.review_queue import newest_queue, to_fill_in

SHOWN_FAULTS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """export, import, agreement."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    export = verbs.add_parser("export", help="write what somebody has not judged yet as JSONL")
    export.add_argument("--annotator", required=True, metavar="NAME", help="who will judge")
    export.add_argument("--out", type=Path, metavar="FILE", help="where to; left out: standard output")
    verbs.add_parser("import", help="add the judgements in a JSONL file").add_argument("file", type=Path)
    verbs.add_parser("agreement", help="how far the annotators agree beyond chance")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says."""
    root = home()
    if arguments.verb == "export":
        _export(root, arguments.annotator, arguments.out)
    elif arguments.verb == "import":
        _import(root, arguments.file)
    else:
        labels = latest(read_annotations(root / REVIEWS))
        for name, found in agreement(labels, seed=load(root / "params.yaml").common.seed).items():
            print(f"{name:<10}  {sentence(found)}")
    return 0


def sentence(found: Agreement) -> str:
    """'alpha 0.710 [0.551, 0.843], 43 examples by 3 annotators', or why there is no alpha."""
    if found.alpha is None:
        return found.note
    numbers = f"alpha {found.alpha:.3f} [{found.low:.3f}, {found.high:.3f}]"
    note = f"; {found.note}" if found.note else ""
    return f"{numbers}, {found.examples} examples by {found.annotators} annotators{note}"


def _export(root: Path, annotator: str, out: Path | None) -> None:
    rows = [to_fill_in(pending, annotator) for pending in newest_queue(root).waiting_for(annotator)]
    if out is None:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    else:
        print(f"{write_jsonl(out, rows)} examples for {annotator} in {out}")


def _import(root: Path, file: Path) -> None:
    """Add what the file says.

    Raises:
        UserError: if lines are no judgements, after the others were added.
    """
    queue = newest_queue(root)
    found = parse_lines(_text(file).split("\n"), file.name, queue.known, queue.unanswered)
    bad = [line for line in found if isinstance(line, BadLine)]
    good = [line for line in found if not isinstance(line, BadLine)]
    added = add_annotations(queue.reviews, good, now=datetime.now(UTC).isoformat(timespec="seconds"))
    print(
        f"{added.new} judgements added to {REVIEWS} ({added.replaced} in place of earlier ones), "
        f"{added.unchanged} were there already"
    )
    if bad:
        more = f"\n  and {len(bad) - SHOWN_FAULTS} more" if len(bad) > SHOWN_FAULTS else ""
        raise UserError(
            f"{len(bad)} of {len(found)} judgements were not imported:\n"
            + "\n".join(f"  {line.origin}: {line.reason}" for line in bad[:SHOWN_FAULTS])
            + more,
            why="a judgement that is misread would count for or against the wrong thing",
            fix="mend these lines and import the file again; what is in already is passed over",
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise UserError(
            f"{file} cannot be read: {fault}", why="there is nothing to import", fix="name a JSONL file in UTF-8"
        ) from None
