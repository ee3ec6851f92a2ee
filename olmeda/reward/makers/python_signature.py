"""The true signature of a documented Python function against a corrupted one."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from random import Random

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import functions, is_python
from olmeda.reward.pairs import PROMPT_CHARACTERS, Pair, Passage, interleaved, limited
from olmeda.reward.signatures import corrupted, corruptions

NAMES = (
    "a", "n", "obj", "key", "name", "path", "data", "item", "size", "flag", "mode", "index",
    "value", "start", "count", "limit", "source", "default", "timeout", "callback", "encoding",
)  # fmt: skip
"""Names that a wrong parameter takes, short and long."""
BOUND = ("self", "cls")


def python_signature(document: Document, draws: Random) -> Iterator[Passage]:
    """Signatures whose documentation names at least one of their parameters.

    Taken from the document's own metadata (``signature``, with its text as documentation), or
    from the functions of a Python file.
    """
    for part, name, arguments, text in _documented(document):
        named = [a.arg for a in _all(arguments) if re.search(rf"\b{re.escape(a.arg)}\b", text)]
        if named:
            yield part, _alternatives(name, arguments, named, text, draws)


def _documented(document: Document) -> Iterator[tuple[str, str, ast.arguments, str]]:
    """``(part, name, parameters, documentation)`` of each function that has some of each."""
    signature = document.metadata.get("signature")
    if signature:
        name = str(document.metadata.get("qualname", "function"))
        arguments = _parsed(str(signature))
        if arguments is not None:
            yield name, name, _unbound(arguments), document.text
    elif is_python(document):
        for function in functions(document.text):
            if function.docstring:
                yield (function.part, function.qualname, _unbound(function.node.args),
                       function.docstring)  # fmt: skip


def _parsed(signature: str) -> ast.arguments | None:
    """The parameters of ``name(a, b=1)``; None where it is no Python (``<object ...>``)."""
    _, bracket, rest = signature.partition("(")
    try:
        tree = ast.parse(f"def function{bracket}{rest}: ...")
    except (SyntaxError, ValueError):
        return None
    function = tree.body[0]
    return function.args if isinstance(function, ast.FunctionDef) else None


def _unbound(arguments: ast.arguments) -> ast.arguments:
    """A copy without annotations and without ``self`` or ``cls``."""
    plain = copy.deepcopy(arguments)
    positional = plain.posonlyargs or plain.args
    if positional and positional[0].arg in BOUND:
        del positional[0]
    for argument in _all(plain):
        argument.annotation = None
    return plain


def _all(arguments: ast.arguments) -> list[ast.arg]:
    rest = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *rest]


def _alternatives(
    name: str, arguments: ast.arguments, named: list[str], text: str, draws: Random
) -> Iterator[Pair]:
    short = name.rpartition(".")[2]
    chosen = f"def {short}({ast.unparse(arguments)})"
    ask = f"Write the signature of the Python function {name}."
    prompt = limited(f"{ask} {_without_signature(text)}", PROMPT_CHARACTERS)
    known = [a.arg for a in _all(arguments)]
    spare = [n for n in NAMES if n not in known and not re.search(rf"\b{n}\b", text)]
    changes = list(corruptions(arguments, named, spare))
    for change in interleaved(changes, [c.kind for c in changes], draws):
        rejected = f"def {short}({corrupted(arguments, change)})"
        yield Pair(prompt, chosen, rejected, {"mutation": change.kind})


def _without_signature(text: str) -> str:
    """The documentation without a first line that is itself a signature, as built-ins have."""
    first, _, rest = text.strip().partition("\n")
    return rest if re.match(r"[\w.]+\(.*\)", first) and rest.strip() else text
