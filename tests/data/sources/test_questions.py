import pytest

from acclimate.data.sources.docstrings import Docstring
from acclimate.data.sources.questions import first_sentence, question_and_answer


def test_a_function_is_asked_what_it_does_and_a_class_what_it_is() -> None:
    text = "Save an array to a text file.\n\nMore."
    assert question_and_answer(Docstring("numpy.savetxt", "function", text)) == (
        "What does numpy.savetxt do?",
        "Save an array to a text file.",
    )
    assert question_and_answer(Docstring("a.B", "class", "Base class of everything.")) == (
        "What is a.B?",
        "Base class of everything.",
    )


def test_a_module_asks_nothing() -> None:
    assert question_and_answer(Docstring("numpy", "module", "Provides arrays and fast operations.")) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Return the indices\nthat sort an array. Stable.", "Return the indices that sort an array."),
        ("fft(a, n=None)\n\nCompute the discrete transform.", "Compute the discrete transform."),
        ("x.dot(y) -> array\n\nMultiply two arrays.", "Multiply two arrays."),
        ("Use :func:`numpy.sort` or ``x.sort``, e.g. in place. Next.", "Use numpy.sort or x.sort, e.g. in place."),
        ("Sort the values, i.e. The whole array.", "Sort the values, i.e. The whole array."),
        ("Return the values of the array:", "Return the values of the array."),
    ],
)
def test_the_first_sentence_is_plain_text_with_a_full_stop(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "Short.",
        "Return the %(klass)s of the values.",
        "Return {name} of the given values.",
        ">>> savetxt('a.txt', numpy.zeros(3))",
        ".. deprecated:: 1.0 use something else",
        "fft(a, n=None)",
        "x" * 300,
    ],
)
def test_what_is_no_sentence_gives_no_answer(text: str) -> None:
    assert first_sentence(text) is None
