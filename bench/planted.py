"""Evaluation items from published benchmarks, and texts made of them by every kind of edit.

The items are real questions of ../shared/data/general; around the copies stand real passages (corpus.py).
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared/data/general"
REPHRASED_KINDS = ("synonyms", "reordering", "voice", "summary", "question")

Planted = list[tuple[str, int, str]]
"""Kind of edit, item, text."""


def questions() -> list[str]:
    """Word problems of 25 words or more: long enough for passages of 13 words after an edit."""
    lines = (SHARED / "gsm8k/train.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["question"] for line in lines]
    return [question for question in found if len(question.split()) >= 25][:500]


def short_questions() -> list[str]:
    """Stems of 6 to 12 words."""
    lines = (SHARED / "openbookqa/test.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["question"]["stem"] for line in lines]
    return [stem for stem in found if 6 <= len(re.findall(r"\w+", stem)) <= 12]


def translations() -> list[tuple[str, str, str]]:
    """English question, language, and the same question in it (XQuAD is parallel)."""
    found = []
    for language in ("de", "es"):
        pairs = zip(_xquad("en"), _xquad(language), strict=True)
        found += [(english, language, other) for english, other in list(pairs)[:300]]
    return found


def rephrasings() -> list[dict[str, str]]:
    """The labelled set: kind, item, text; of kind 'same topic' the text is no rephrasing."""
    lines = (HERE / "data/rephrasings.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _xquad(language: str) -> list[str]:
    content = json.loads((SHARED / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))
    return [qa["question"] for a in content["data"] for p in a["paragraphs"] for qa in p["qas"]]


def plant(surroundings: Sequence[str]) -> tuple[list[str], Planted]:
    """Items, and texts made of them by every kind of edit."""
    choose = random.Random(1729)
    items = questions()
    planted: Planted = []
    for number, item in enumerate(items):
        for kind, edit in EDITS.items():
            planted.append((kind, number, edit(item, choose)))
        around = choose.sample(surroundings, 2)
        planted.append(("embedded", number, f"{around[0]}\n\n{item}\n\n{around[1]}"))
    for stem in short_questions():
        items.append(stem)
        planted.append(("short, embedded", len(items) - 1, f"{choose.choice(surroundings)}\n\n{stem}"))
    for row in rephrasings():
        if row["kind"] in REPHRASED_KINDS:
            items.append(row["item"])
            planted.append((f"rephrased: {row['kind']}", len(items) - 1, row["text"]))
    for english, language, other in translations():
        items.append(english)
        planted.append((f"translated: {language}", len(items) - 1, other))
    return items, planted


def _with_words_replaced(share: float) -> Callable[[str, random.Random], str]:
    def edit(text: str, choose: random.Random) -> str:
        words = text.split()
        for place in choose.sample(range(len(words)), max(1, round(share * len(words)))):
            words[place] = choose.choice(("river", "quickly", "seven", "blue", "under", "because"))
        return " ".join(words)

    return edit


EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda text, _: text,
    "case": lambda text, _: text.upper(),
    "punctuation and spacing": lambda text, _: re.sub(r"[.,?;:]", " – ", text).replace(" ", "\u00a0 "),
    "5 % of words replaced": _with_words_replaced(0.05),
    "10 % of words replaced": _with_words_replaced(0.10),
    "20 % of words replaced": _with_words_replaced(0.20),
}
