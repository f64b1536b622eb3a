"""The one exception for what a person can put right.

    raise UserError(
        "no file matches inputs/*.jsonl",
        why="the source 'inputs' would contribute nothing to the training set",
        fix="put JSONL files there, or remove the source from ingest.sources in params.yaml",
    )

Our own invariants are asserted; a failed gate is a result, not an exception.
"""

from __future__ import annotations


class UserError(Exception):
    """A fault in what a user gave: what is wrong (with the value), why it matters, what to do next."""

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  why it matters: {self.why}\n  what to do:     {self.fix}"
