"""markup: pages become text, code and mathematics survive, and texts about HTML are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning.markup import is_markup, strip_markup

POST = """<p>I call <code>zip(a, b)</code> on a <code>List&lt;int&gt;</code>, where a &lt; b &amp; b &lt; c:</p>

<pre><code>def pairs(a, b):
    if len(a) &lt; len(b):
        return zip(a, b)
</code></pre>

<ul><li>It is slow.</li><li>It <em>leaks</em>.</li></ul>"""


def test_a_post_becomes_what_its_reader_sees() -> None:
    assert strip_markup(POST) == (
        "I call `zip(a, b)` on a `List<int>`, where a < b & b < c:\n\n"
        "def pairs(a, b):\n    if len(a) < len(b):\n        return zip(a, b)\n\n"
        "- It is slow.\n- It leaks."
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<P>one<BR>two</P>", "one\ntwo"),
        ("Kiln <b>opens</b> <a href='x'>here</a> &amp; now", "Kiln opens here & now"),
        ("<div><script>var a = 1</script><nav>Home</nav><p>seen</p></div>", "seen"),
        ("<p>E = mc<sup>2</sup>, x<sub>1</sub></p>", "E = mc^2, x_1"),
        ("<table><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table>", "| a | 1\n| b | 2"),
        ("<p>a List<int> if a < b</p>", "a List<int> if a < b"),
        ("<p>see <img src='k.png' alt='the kiln'></p>", "see the kiln"),
        (
            "<!doctype html><html><head><title>t</title></head><body><h1>Kiln</h1>Fire it.</body></html>",
            "Kiln\n\nFire it.",
        ),
    ],
)
def test_each_element_becomes_what_it_shows(html: str, text: str) -> None:
    assert strip_markup(html) == text


@pytest.mark.parametrize(
    "text",
    [
        "if a<b and c>d: pass",
        "map<string, vector<int>> m; List<int> l;",
        'File "<stdin>", line 1, in <module>',
        "Write `<p>x</p>` for a paragraph.",
        ">>> to_html()\n<table><tr><td>1</td></tr></table>",
        "body = '<b>Hi</b><br><i>there</i>'",
        "class A<T> { List<T> f(); }",
        "The <b>x</b> marks it.",
        "    <b>Hi</b> {name}, <br>\n    <i>bye</i>",
        "p < 0.05 and </ is not a tag",
    ],
)
def test_code_and_texts_about_html_are_no_pages(text: str) -> None:
    assert not is_markup(text)
    assert strip_markup(text) == text


@given(st.text(st.sampled_from("<>/pbr ac&;\n")))
def test_any_text_can_be_read(text: str) -> None:
    strip_markup(text)


@pytest.mark.timeout(10)
def test_a_backtick_before_very_many_angle_brackets_costs_no_time() -> None:
    assert is_markup("x <b>a</b> <i>z</i> `" + "<" * 200_000)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("begin", "end"), [("<b>", "</i>"), ("<nav>", "</select>")])
def test_very_many_open_elements_and_stray_end_tags_cost_no_time(begin: str, end: str) -> None:
    assert strip_markup("<p>seen</p>" + begin * 40_000 + end * 40_000 + "</p>") == "seen"
