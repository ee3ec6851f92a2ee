"""Functions without their names."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import functions, is_python, without_name
from olmeda.instruct.registries import Item, formatter

BLANK = "____"


@formatter("python_name")
def python_name(document: Document, *, characters: int = 300) -> Iterator[Item]:
    """Functions of at most ``characters`` with the name blanked out: fields ``code``, ``name``.

    Every mention of the name in the body goes too. Names that the language gives (``__init__``) and
    names of one letter are left out: there is nothing to find.
    """
    if not is_python(document):
        return
    for function in functions(document.text):
        name = function.name
        if name.startswith("__") or len(name) < 2 or len(function.code) > characters:
            continue
        if function.is_sound:
            code = without_name(function.code, name, BLANK)
            yield Item(function.part, {"code": code, "name": name})
