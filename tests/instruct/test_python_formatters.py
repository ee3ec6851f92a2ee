"""Formatters of Python: what they read is true by the syntax tree, and nothing is run."""

from __future__ import annotations

import ast
import json.decoder
from pathlib import Path

import pytest

from olmeda.artifacts.corpus import Document
from olmeda.instruct.formatters.python_kind import kind_of, python_kind
from olmeda.instruct.formatters.python_name import python_name
from olmeda.instruct.formatters.python_parameters import python_parameters
from olmeda.instruct.formatters.python_summary import head, python_summary, split_docstring
from olmeda.instruct.python_code import functions, is_python, parameter_names

SOURCE = '''
import nothing_that_exists

class Box:
    @property
    def side(self, scale=1):
        """Return the side of the box. More below.

        A side is measured in metres and never negative.
        """
        return self._side * scale

    async def fill(self, a, /, b, *rest, c=1, **more):
        raise ValueError("full")

def outer(x, y):
    def inner():
        return x
    inner()
'''


def document(text: str = SOURCE) -> Document:
    return Document("m.py", text, "code")


def function(code: str) -> ast.FunctionDef:
    node = ast.parse(code).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def test_functions_are_found_with_their_place_and_without_docstring() -> None:
    found = {f.qualname: f for f in functions(SOURCE)}
    assert list(found) == ["Box.side", "Box.fill", "outer", "outer.inner"]
    assert found["Box.side"].code == "def side(self, scale=1):\n    return self._side * scale"
    assert found["Box.fill"].code.startswith("async def fill(")
    assert all(f.is_sound for f in found.values())


def test_parameters_stand_in_the_order_of_the_signature() -> None:
    names = {i.part.split(":")[0]: i.fields["names"] for i in python_parameters(document())}
    assert names["Box.fill"] == ["self", "a", "b", "rest", "c", "more"]
    assert names["Box.side"] == ["self", "scale"]
    assert "outer.inner" not in names


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def f():\n    return 1", "returns"),
        ("def f():\n    return", "neither"),
        ("def f():\n    if x:\n        raise E\n    return 1", "raises"),
        ("def f():\n    yield 1", None),
        ("def f():\n    def g():\n        raise E\n    g()", "neither"),
        ("def f():\n    h = lambda: (yield)\n    h()", "neither"),
        ("def f():\n    class A:\n        def g(self):\n            return 1\n    A()", "neither"),
        ("def f():\n    async_thing = [i for i in x]\n    return None", "returns"),
    ],
)
def test_kind_is_what_the_function_itself_does(code: str, kind: str | None) -> None:
    assert kind_of(function(code)) == kind


def test_kind_is_given_for_every_short_function() -> None:
    kinds = {i.part.split(":")[0]: i.fields["kind"] for i in python_kind(document())}
    assert kinds == {
        "Box.side": "returns",
        "Box.fill": "raises",
        "outer": "neither",
        "outer.inner": "returns",
    }


def test_the_name_is_nowhere_in_the_question() -> None:
    walk = "def walk(node):\n    for child in node:\n        walk(child)\n"
    text = f"{walk}\ndef __len__(self):\n    return 1\n"
    (item,) = python_name(document(text))
    assert item.fields["name"] == "walk"
    assert "walk" not in item.fields["code"]
    assert item.fields["code"].count("____") == 2


def test_summary_and_reference_are_two_texts_of_one_docstring() -> None:
    (item,) = python_summary(document())
    assert item.fields["summary"] == "Return the side of the box."
    assert item.about["reference"] == "More below. A side is measured in metres and never negative."
    assert "measured" not in item.fields["code"]
    assert split_docstring("One.") == ("One.", "")
    assert split_docstring("Return one\n\nMore") == ("Return one.", "More")


def test_code_is_cut_after_a_whole_line_and_never_inside_the_signature() -> None:
    code = "def f(a):\n    b = a\n    return b"
    assert head(code, 100) == code
    assert head(code, 20) == "def f(a):\n    b = a"
    assert head("def f(\n    a,\n):\n    return a", 12) == ""


@pytest.mark.parametrize(
    "text", ["def f(:\n", "print 'python 2'", "\x00", "(" * 500, "def f():\n    return '\n"]
)
def test_text_that_does_not_parse_has_no_functions(text: str) -> None:
    assert functions(text) == ()


def test_python_is_known_by_language_or_by_name() -> None:
    assert is_python(Document("a/b.py", ""))
    assert is_python(Document("x", "", metadata={"path": "y.pyi"}))
    assert is_python(Document("x", "", metadata={"language": "Python"}))
    assert not is_python(Document("a.py", "", metadata={"language": "text"}))
    assert not is_python(Document("notes.md", ""))


def test_real_source_gives_true_answers() -> None:
    text = Path(json.decoder.__file__).read_text()
    for item in python_parameters(document(text)):
        node = ast.parse(item.fields["code"]).body[0]
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        assert parameter_names(node) == item.fields["names"]
