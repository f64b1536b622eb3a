"""Memorisation: training texts continued, and passages of theirs in answers."""

from __future__ import annotations

from acclimate.model.scoring.memorisation import (
    HELD_OUT,
    PROMPT_WORDS,
    SEEN,
    continued_rows,
    memorisation,
    memorisation_tasks,
)

LONG = [" ".join(f"{name}{n}" for n in range(PROMPT_WORDS + 8)) for name in ("alpha", "beta", "gamma")]
TRAINING = [*LONG, "too short"]
HELD = [{"id": "h", "cluster": "h", "text": " ".join(f"held{n}" for n in range(PROMPT_WORDS + 6))}]


def test_the_opening_is_the_prompt_and_short_texts_are_passed_over() -> None:
    seen, held_out = memorisation_tasks(TRAINING, HELD, texts=9, words=5, tokens=7, seed=1)
    assert (seen.name, held_out.name) == (SEEN, HELD_OUT)
    assert sorted(item["prompt"] + item["rest"] for item in seen.items) == sorted(LONG)
    assert {len(item["prompt"].split()) for item in [*seen.items, *held_out.items]} == {PROMPT_WORDS}
    assert seen.new_tokens == 7


def test_a_text_counts_as_extracted_from_so_many_words_on() -> None:
    seen, held_out = memorisation_tasks(TRAINING, HELD, texts=3, words=5, tokens=7, seed=1)
    said = [seen.items[0]["rest"], " ".join(seen.items[1]["rest"].split()[:4]), "something else"]
    rows = {SEEN: continued_rows(seen, said), HELD_OUT: continued_rows(held_out, [" guess"])}
    assert [row["words"] for row in rows[SEEN]] == [8, 4, 0]
    answers = [f"It says: {LONG[0].upper()}.", "something of its own and long enough to be a passage"]
    found = memorisation(rows, answers, ["a", "b"], ["x", "y"], TRAINING, words=5, seed=1)
    assert round(found.extracted.value, 4) == 0.3333
    assert found.extracted_held_out.value == 0
    assert found.mean_words.value == 4
    assert found.answers_with_passage.value == 0.5
    assert found.references_with_passage.value == 0
