"""What guard rails add to a request: the milliseconds of looking at a question and at its answer.

    python bench/guardrails.py [--questions 1000]      # writes bench/results/guardrails.json and .md

Questions and answers are pairs that the embedded default is made of: names and summaries of the installed packages'
functions. One in ten carries personal data of the labelled set. Each pair is timed by itself, in one thread, through
the code that the endpoint runs: what is asked is checked, the answer redacted whole, and again as a stream that comes
word by word.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from results_file import Goal, Outcome, at_most, write
from serve_load import quantile

from acclimate.core.params import GuardrailsParams, load
from acclimate.data.cleaning.pii.scoring import read_labelled
from acclimate.serving.generation import Completion
from acclimate.serving.guardrails.passage import Passage
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.prompts import as_it_stands

LABELLED = Path(__file__).parent.parent / "tests/data/cleaning/pii.jsonl"
PERSONAL_EVERY = 10
WARM = 50
DEFAULT, ALL, STREAMED = "as params.yaml has them", "all on", "all on, streamed"
GOAL_MS = 5.0
"""What the whole of the endpoint may add to the engine alone (bench/serve.py)."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds per request with one setting."""

    guardrails: str
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def main() -> int:
    """Measure the default and everything at once, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=1000)
    count = parser.parse_args().questions
    default = load(Path("params.yaml")).endpoint.guardrails
    on: dict[str, Any] = {
        "pii_in": "redact",
        "pii_out": "redact",
        "injection": "refuse",
        "disclaimer": "This may be wrong.",
    }
    on |= {"topics": {f"topic_{number}": rf"\b(word{number}|other{number})\b" for number in range(8)}}
    everything = GuardrailsParams.model_validate({**default.model_dump(), **on})
    asked = pairs(count)
    rows = [
        cost(DEFAULT, default, asked, whole),
        cost(ALL, everything, asked, whole),
        cost(STREAMED, everything, asked, streamed),
    ]
    said = f"{count} questions with their answers, one in {PERSONAL_EVERY} with personal data; 8 topics where all is on"
    versions = {name: importlib.metadata.version(name) for name in ("google-re2", "phonenumberslite", "python-stdnum")}
    write("guardrails", Outcome({"said": said}, versions, rows, goals(rows)))
    return 0


def pairs(count: int) -> list[tuple[str, str]]:
    """Questions and answers."""
    documented = [
        (name, inspect.cleandoc(one.__doc__ or ""))
        for name, one in inspect.getmembers(np)
        if getattr(one, "__doc__", None)
    ]
    documented += [
        (name, inspect.cleandoc(one.__doc__ or ""))
        for name, one in inspect.getmembers(scipy.signal, callable)
        if getattr(one, "__doc__", None)
    ]
    personal = [example.text for example in read_labelled(LABELLED)]
    made = []
    for number in range(count):
        name, text = documented[number % len(documented)]
        more = f" {personal[number // PERSONAL_EVERY % len(personal)]}" if number % PERSONAL_EVERY == 0 else ""
        made.append((f"What does {name} do?{more}", text[:200] + more))
    return made


def whole(passage: Passage, answer: str) -> None:
    """The answer in one piece."""
    passage.finished(Completion(answer, 48, "stop"))


def streamed(passage: Passage, answer: str) -> None:
    """The answer word by word, and what the audit counts at its end."""
    withholding = passage.withholding()
    for word in re.findall(r"\S+\s*|\s+", answer):
        withholding.take(word)
    withholding.rest()
    whole(passage, answer)


def cost(
    name: str, params: GuardrailsParams, asked: list[tuple[str, str]], answered: Callable[[Passage, str], None]
) -> Cost:
    """Time every pair."""
    rails, seconds = Rails(params), []
    for question, answer in [*asked[:WARM], *asked]:
        reading = as_it_stands(question)
        begun = time.perf_counter()
        passage = Passage(rails, reading)
        passage.admitted()
        if not passage.refused:
            answered(passage, answer)
        seconds.append(time.perf_counter() - begun)
    p50, p95, p99 = (round(1000 * quantile(seconds[WARM:], share), 4) for share in (0.5, 0.95, 0.99))
    return Cost(name, len(asked), p50, p95, p99)


def goals(rows: list[Cost]) -> list[Goal]:
    """Guard rails alone are to stay within what everything around the engine may take."""
    return [at_most(f"p50 of a request, {row.guardrails} (ms)", GOAL_MS, row.p50_ms) for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
