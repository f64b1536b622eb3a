import pytest

from acclimate.data.sources.docstrings import Docstring, module_docstrings, public_module


def test_a_module_its_classes_methods_and_functions_are_documented_in_source_order() -> None:
    source = '''"""Tools."""
class Saw:
    """Cuts."""
    def cut(self):
        """Cut
           once."""
def measure():
    """Measure twice."""
'''
    assert module_docstrings(source, "shed.tools") == [
        Docstring("shed.tools", "module", "Tools."),
        Docstring("shed.tools.Saw", "class", "Cuts."),
        Docstring("shed.tools.Saw.cut", "function", "Cut\nonce."),
        Docstring("shed.tools.measure", "function", "Measure twice."),
    ]


def test_private_objects_and_objects_without_a_docstring_are_left_out() -> None:
    source = 'def _hidden():\n    """No."""\nclass Bare:\n    def __init__(self):\n        """No."""\n    x = 1\n'
    assert module_docstrings(source, "m") == []


def test_a_private_module_stands_for_the_public_package_around_it() -> None:
    found = module_docstrings('"""Internals."""\ndef zscore():\n    """Score."""', "scipy.stats._stats_py")
    assert [doc.name for doc in found] == ["scipy.stats.zscore"]


@pytest.mark.parametrize(
    ("module", "public"),
    [
        ("numpy.lib._npyio_impl", "numpy.lib"),
        ("sklearn.ensemble._forest.deep", "sklearn.ensemble"),
        ("numpy", "numpy"),
        ("_pydecimal", "_pydecimal"),
        ("__future__", "__future__"),
    ],
)
def test_a_module_is_public_up_to_its_first_private_part(module: str, public: str) -> None:
    assert public_module(module) == public


def test_set_module_names_the_public_place() -> None:
    source = '@set_module("pandas")\nclass DataFrame:\n    """Table."""\n    def head(self):\n        """First rows."""'
    names = [doc.name for doc in module_docstrings(source, "pandas.core.frame")]
    assert names == ["pandas.DataFrame", "pandas.DataFrame.head"]


def test_a_dispatcher_with_a_module_names_the_public_place_of_what_it_decorates() -> None:
    source = '''array_function_dispatch = functools.partial(overrides.dispatch, module="numpy.linalg")
@array_function_dispatch(_norm)
def norm():
    """Length."""
def other():
    """Other."""
'''
    names = [doc.name for doc in module_docstrings(source, "numpy.lib._x")]
    assert names == ["numpy.linalg.norm", "numpy.lib.other"]


def test_add_newdoc_documents_what_is_written_in_c() -> None:
    source = '''add_newdoc('numpy._core.multiarray', 'array', """
    array(object)

    Create an array.
    """.replace("${LIKE}", like))
add_newdoc('numpy._core.multiarray', 'ndarray', ('shape', """Dimensions."""))
add_newdoc('numpy', 'computed', text)
'''
    assert module_docstrings(source, "numpy._core._add_newdocs") == [
        Docstring("numpy.array", "function", "array(object)\n\nCreate an array."),
        Docstring("numpy.ndarray.shape", "function", "Dimensions."),
    ]


def test_add_newdoc_without_a_place_documents_its_own_package() -> None:
    source = 'add_newdoc("erf", """Error function.""")\nadd_newdoc("_erf", """Private.""")'
    found = module_docstrings(source, "scipy.special._add_newdocs")
    assert found == [Docstring("scipy.special.erf", "function", "Error function.")]


def test_text_that_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        module_docstrings("print 'Python 2'", "old")
