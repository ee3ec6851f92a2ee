"""Functions and the names of their parameters."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import functions, is_python, parameter_names
from olmeda.instruct.registries import Item, formatter


@formatter("python_parameters")
def python_parameters(
    document: Document, *, least: int = 2, characters: int = 280
) -> Iterator[Item]:
    """Short functions with at least ``least`` parameters: fields ``code`` and ``names``.

    Names stand in the order of the signature, ``self`` included, stars left out; they come from the
    syntax tree, so a checker can be sure of them. Functions over ``characters`` are left out.
    """
    if not is_python(document):
        return
    for function in functions(document.text):
        names = parameter_names(function.node)
        if len(names) >= least and len(function.code) <= characters and function.is_sound:
            yield Item(function.part, {"code": function.code, "names": names})
