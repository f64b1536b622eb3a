"""redaction: what it finds in the labelled set, what it writes instead, and what it leaves alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning.pii.scoring import Labelled, parse, read_labelled, score
from acclimate.data.cleaning.redaction import FINDERS, Redacted, Span, _add_free, find, redact

KINDS = list(FINDERS)
# Keys in it are escaped (\u0067hp_…), so that a scanner of repositories does not take them for real ones.
LABELLED = Path(__file__).parent / "pii.jsonl"
STACK_OVERFLOW = Path(__file__).parents[4] / "shared/data/technical/stackoverflow_airflow/base.parquet"


@pytest.fixture(scope="module")
def labelled() -> list[Labelled]:
    return read_labelled(LABELLED)


def test_the_labelled_set_is_large_and_has_hard_negatives(labelled: list[Labelled]) -> None:
    kinds = Counter(span.kind for example in labelled for span in example.spans)
    assert set(kinds) == set(FINDERS)
    assert kinds.total() >= 300
    assert min(kinds.values()) >= 15
    assert sum(not example.spans for example in labelled) >= 200


def test_precision_and_recall_of_every_kind_stay_above_their_floors(labelled: list[Labelled]) -> None:
    floors = {
        "key": (0.98, 0.98),
        "email": (1.0, 0.92),
        "iban": (1.0, 1.0),
        "card": (1.0, 1.0),
        "national_id": (0.95, 0.98),
        "phone": (1.0, 0.91),
        "ip": (1.0, 0.98),
    }
    found = score(labelled)
    below = {
        kind: (round(found[kind].precision, 3), round(found[kind].recall, 3))
        for kind, (precision, recall) in floors.items()
        if found[kind].precision < precision or found[kind].recall < recall
    }
    assert below == {}


def test_scoring_counts_right_wrong_and_missed() -> None:
    found = score([parse("⟦email:ann@hill.org⟧ and ben@hill.org, not ⟦email:nobody⟧")])["email"]
    assert (found.right, found.wrong, found.missed, found.precision, found.recall) == (1, 1, 1, 0.5, 0.5)


def test_marks_are_taken_out_of_a_labelled_text() -> None:
    assert parse("a ⟦ip:5.9.61.130⟧!") == Labelled("a 5.9.61.130!", frozenset({Span(2, 12, "ip")}))


def test_a_placeholder_says_what_stood_there() -> None:
    text = "Ann (ann@hill.org, +44 20 7183 8750) logs in from 5.9.61.130."
    expected = "Ann ([EMAIL], [PHONE]) logs in from [IP]."
    assert redact(text, KINDS) == Redacted(expected, {"email": 1, "phone": 1, "ip": 1})


def test_only_the_wanted_kinds_are_replaced() -> None:
    assert redact("ann@hill.org at 5.9.61.130:80", ["ip"]).text == "ann@hill.org at [IP]:80"
    assert redact("ann@hill.org", []) == Redacted("ann@hill.org", {})


def test_of_an_assignment_and_a_url_only_the_secret_goes() -> None:
    assert redact("api_key = 'q8Zt3Kq9LpW2xV7n'", KINDS).text == "api_key = '[KEY]'"
    assert redact("postgres://etl:w8Zt3Kq9Lp@pg.kiln.io/prod", KINDS).text == "postgres://etl:[KEY]@pg.kiln.io/prod"


def test_own_patterns_replace_their_group_and_come_first() -> None:
    patterns = {"user_id": r"^BY: (\d+)$", "badge": r"B-\d{3}"}
    assert redact("BY: 14411952\nB-123", KINDS, patterns).text == "BY: [USER_ID]\n[BADGE]"


@pytest.mark.parametrize(
    "text",
    [
        "numpy 1.21.0.1 and scipy==1.2.3.4",
        "bind to 127.0.0.1, 10.0.0.12 or 192.0.2.45",
        "C = A@B.T; loss = (p@q).mean(); @pytest.fixture",
        "array([212, 555, 1234, 4567]) on 2026-11-21",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "token = os.environ['GITHUB_TOKEN']",
        "user@example.com, git@github.com:numpy/numpy.git",
        "/home/marta/data/file_2021.csv, user ada_l",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redact(text, KINDS) == Redacted(text, {})


@given(
    st.lists(
        st.sampled_from(["ann@hill.org ", "5.9.61.130:80 ", "x", "\n", " 4111111111111111", "é", "+442071838750 "])
    )
)
def test_spans_are_in_order_do_not_overlap_and_each_leaves_one_placeholder(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = find(text, KINDS, {})
    assert all(one.end <= other.start for one, other in pairwise(spans))
    redacted = redact(text, KINDS)
    assert redacted.text.count("[") == len(spans) == sum(redacted.counts.values())


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    redact(text, KINDS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["a.", "1 ", "1-", "+1", "a@", "(at) ", "::", "2001:", "key=", "-----BEGIN PRIVATE KEY-----"]
)
def test_a_long_adversarial_text_takes_time_in_proportion(unit: str) -> None:
    redact(unit * (100_000 // len(unit)), KINDS)


@pytest.mark.skipif(not STACK_OVERFLOW.exists(), reason="needs ../shared/data/technical/stackoverflow_airflow")
def test_real_questions_lose_addresses_keys_and_user_ids_and_nothing_else() -> None:
    texts = pq.read_table(STACK_OVERFLOW)["content"].to_pylist()
    patterns = {"user_id": r"^BY: (\d+)$|^\d{4,9}(?= on 20\d\d-)"}
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(find_kinds(text, patterns))
    assert set(counts) == {"user_id", "email", "key", "ip"}
    assert (counts["key"], counts["ip"]) == (6, 2)
    assert counts["email"] < 40 < len(texts) < counts["user_id"]


def find_kinds(text: str, patterns: dict[str, str]) -> Counter[str]:
    return Counter(span.kind for span in find(text, KINDS, patterns))


@pytest.mark.timeout(10)
def test_a_text_of_very_many_addresses_costs_no_time() -> None:
    text = "\n".join(f"host 81.2.{number // 250}.{number % 250 + 1} ok" for number in range(40_000))
    assert redact(text, ["ip", "email"]).counts == {"ip": 40_000}


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda span: (span[0], sum(span))))


@given(st.lists(SPANS, max_size=4))
def test_of_overlapping_spans_the_first_found_stays(kinds: list[list[tuple[int, int]]]) -> None:
    found: list[Span] = []
    taken: set[int] = set()
    expected = []
    for kind, spans in enumerate(kinds):
        _add_free(found, str(kind), spans)
        for start, end in spans:
            if start < end and not taken & set(range(start, end)):
                taken |= set(range(start, end))
                expected.append(Span(start, end, str(kind)))
    assert found == sorted(expected, key=lambda span: span.start)
