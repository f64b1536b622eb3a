"""Cloze items: fair choices, no answer to copy, spread over many clusters."""

from __future__ import annotations

from collections import Counter

from acclimate.data.evaluation.cloze import (
    ITEMS_PER_DOCUMENT,
    ITEMS_PER_TERM,
    NEIGHBOURS,
    Candidate,
    Lexicon,
    candidates_in,
    draw,
)

TERMS = ["glaze", "kiln", "clay", "wheel", "bisque", "slip", "throwing", "porcelain", "celadon", "ochre"]
PADDING = "Something is said here first, at such a length that a term can be told from another by it. "


def _lexicon(terms: list[str] = TERMS) -> Lexicon:
    return Lexicon(terms, {term: place for place, term in enumerate(terms)})


def _found(text: str, lexicon: Lexicon | None = None, right: int = 30) -> list[Candidate]:
    return candidates_in("d", "c", text, lexicon or _lexicon(), left_characters=95, right_characters=right)


def test_the_lexicon_holds_what_sets_a_corpus_apart_rarest_first() -> None:
    own = ["kiln kiln kiln glaze glaze with with with"] * 10
    other = ["with with with house house house"] * 10
    assert Lexicon.of(own, other).terms == ["glaze", "kiln"]
    assert Lexicon.of(other, own).terms == ["house"]


def test_words_joined_to_digits_or_shorter_than_four_letters_are_no_terms() -> None:
    assert Lexicon.of(["kiln9 int64 pot kiln"], ["with"] * 9).terms == ["kiln"]


def test_a_term_is_left_out_with_its_context_as_it_stands_in_the_document() -> None:
    text = PADDING + "Then the kiln is opened,\nslowly, after a night and a day of waiting."
    (candidate,) = _found(text)
    assert candidate.answer == "kiln"
    assert text[candidate.offset :].startswith("kiln")
    assert candidate.window in text
    assert candidate.right == " is opened,\nslowly, after a "
    assert candidate.left == f"{PADDING}Then the ".removeprefix("Something")


def test_an_answer_that_could_be_copied_from_the_left_is_no_candidate() -> None:
    assert [found.answer for found in _found(PADDING + "Kilns are hot; open the kiln now.")] == []
    assert [found.answer for found in _found(PADDING + "Open the kiln; kilns are hot.")] == ["kiln"]


def test_a_term_with_too_little_before_it_is_no_candidate() -> None:
    assert _found("Open the kiln.") == []


def test_wrong_answers_are_near_in_frequency_and_absent_from_the_window() -> None:
    terms = [f"term{'abcdefghijklmnopqrstuvwxyz'[i]}" for i in range(26)] + ["answer"]
    alternatives = _lexicon(terms).alternatives("termf", "Here stands TERMG.")
    assert alternatives == [term for term in terms[: 5 + NEIGHBOURS + 1] if term not in ("termf", "termg")]


def test_no_choice_is_part_of_another() -> None:
    lexicon = _lexicon(["slip", "slips", "slipcast", "clay", "clays", "kiln", "glaze"])
    (item,), _ = draw(_found(PADDING + "Pour the slip into it.", lexicon), lexicon, wanted=5, seed=1)
    assert item.choices[item.label] == "slip"
    assert sorted(choice[:4] for choice in item.choices) == ["clay", "glaz", "kiln", "slip"]


def test_without_three_wrong_answers_there_is_no_item() -> None:
    lexicon = _lexicon(["slip", "clay", "kiln"])
    items, passed = draw(_found(PADDING + "Pour the slip into it.", lexicon), lexicon, wanted=5, seed=1)
    assert items == []
    assert passed == {"too few wrong answers": 1}


def test_every_cluster_gives_an_item_before_one_gives_a_second() -> None:
    found = [_candidate(cluster, place) for cluster in range(6) for place in range(5)]
    items, _ = draw(found, _lexicon(), wanted=8, seed=3)
    assert sorted(Counter(item.cluster for item in items).values()) == [1, 1, 1, 1, 2, 2]


def test_documents_terms_and_windows_have_their_limits() -> None:
    one_document = [_candidate(0, place, term=TERMS[place % 10]) for place in range(10)]
    items, passed = draw(one_document, _lexicon(), wanted=10, seed=3)
    assert (len(items), passed) == (ITEMS_PER_DOCUMENT, {"document has its items": 10 - ITEMS_PER_DOCUMENT})
    one_term = [_candidate(cluster, 0, term="kiln") for cluster in range(10)]
    items, passed = draw(one_term, _lexicon(), wanted=10, seed=3)
    assert (len(items), passed) == (ITEMS_PER_TERM, {"term has its items": 10 - ITEMS_PER_TERM})
    same = [Candidate(f"d{i}", f"c{i}", 9, "As Before, ", "kiln", " here") for i in range(2)]
    items, passed = draw(same, _lexicon(), wanted=10, seed=3)
    assert (len(items), passed) == (1, {"same window": 1})


def test_an_item_does_not_change_when_others_come() -> None:
    few = [_candidate(cluster, 0, term=TERMS[cluster]) for cluster in range(5)]
    more = [*few, *(_candidate(cluster, 0, term=TERMS[cluster]) for cluster in range(5, 10))]
    before = {item.id: item for item in draw(few, _lexicon(), wanted=50, seed=3)[0]}
    after = {item.id: item for item in draw(more, _lexicon(), wanted=50, seed=3)[0]}
    assert before.items() <= after.items()


def test_the_answer_stands_in_every_place_alike() -> None:
    found = [_candidate(cluster, place, term=TERMS[cluster % 10]) for cluster in range(400) for place in range(2)]
    terms: list[str] = [f"{term}{letter}" for letter in "abcdefghij" for term in TERMS]
    many = [Candidate(c.document, c.cluster, c.offset, c.left, terms[i % 100], c.right) for i, c in enumerate(found)]
    items, _ = draw(many, _lexicon(terms), wanted=800, seed=3)
    places = Counter(item.label for item in items)
    # 800 draws of one in four: standard deviation 12.
    assert all(abs(count - len(items) / 4) < 40 for count in places.values())
    assert len(items) > 700


def _candidate(cluster: int, place: int, term: str = "") -> Candidate:
    answer = term or TERMS[(cluster * 5 + place) % 10]
    return Candidate(f"d{cluster}", f"c{cluster}", place, f"In text {cluster} at {place}: ", answer, f" end {cluster}")
