"""What came of one form: a line of artifacts/quantize/forms/forms.json."""

from __future__ import annotations

from dataclasses import dataclass, field

FORMS = "forms.json"
"""Beside the folders of the forms: what was asked for and what came of it."""


@dataclass(frozen=True)
class Made:
    """One form, made or not."""

    form: str
    bytes: int | None
    """On disk, of the weights (of a GGUF file: with its tokenizer); None if it could not be made."""
    sha256: str | None
    storage: dict[str, int] = field(default_factory=dict)
    """Of a GGUF file: how many tensors are stored in which type. K-quants need rows of whole 256s; others fall back."""
    failure: str | None = None
    """Why it could not be made."""
