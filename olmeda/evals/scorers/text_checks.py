"""Checks of a written sentence that never look at a reference: parsable, exact, complete.

What each wants is written at its function. They can be passed by dull text and failed by good text,
but each is decided by rule and the same for a model and a person, so they are a checker's word,
never a human's.
"""

from __future__ import annotations

import ast
import re
import warnings

from olmeda.artifacts.examples import Instance
from olmeda.evals.registries import Mark, scorer

_OPEN = {")": "(", "]": "[", "}": "{"}
_NEW_SENTENCE = re.compile(r"[.!?][\"')\]]*\s+[A-Z]")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|cf|vs)\.\s")
_QUOTED = re.compile(r"`([^`]+)`|\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)")
_IDENTIFIER = re.compile(
    r"[^\W\d]\w*(?:\.[^\W\d]\w*)+(?:\(\))?"  # dotted
    r"|[^\W\d]\w*\(\)"  # called
    r"|\w*[^\W_]_\w+|_\w+"  # with an underscore
    r"|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*"  # with a capital inside
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_COMMON = """
the and for that this with from are was not its has have been will can may any all one into out
self none true false def return returns raise raises import class pass yield lambda else elif
except try finally while break continue assert
"""
_STOP = frozenset(_COMMON.split())


def parsable(text: str, language: str = "") -> str:
    """Why ``text`` is not one well-formed sentence; "" if it is.

    It has two words or more on one line, no second sentence, balanced brackets, and paired double
    quotes and backticks; as a docstring (``language`` python) it also leaves a function's syntax
    whole.
    """
    text = text.strip()
    if "\n" in text or len(re.findall(r"[^\W\d_]{2,}", text)) < 2:
        return "not two words on one line"
    if any(ord(c) < 32 or c == "\ufffd" for c in text):
        return "characters that are no text"
    if _NEW_SENTENCE.search(_ABBREVIATION.sub("", text)):
        return "more than one sentence"
    if not _is_balanced(text):
        return "brackets or quotes without their partner"
    if language == "python" and not _fits_as_docstring(text):
        return "breaks the function as its docstring"
    return ""


def _is_balanced(text: str) -> bool:
    held: list[str] = []
    for character in text:
        if character in "([{":
            held.append(character)
        elif character in _OPEN and (not held or held.pop() != _OPEN[character]):
            return False
    return not held and text.count('"') % 2 == 0 and text.count("`") % 2 == 0


def _fits_as_docstring(text: str) -> bool:
    code = f'def f():\n    """{text}"""\n    return 1\n'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return False
    function = body[0]
    whole = len(body) == 1 and isinstance(function, ast.FunctionDef) and len(function.body) == 2
    return whole and ast.get_docstring(function) is not None  # type: ignore[arg-type]


def exact(text: str, prompt: str) -> str:
    """What ``text`` names and ``prompt`` does not: an identifier, number or quoted literal; or "".

    Identifiers are what looks like code (dotted, called, with an underscore or an inner capital);
    plain words and acronyms are not held to anything.
    """
    named = ["".join(groups) for groups in _QUOTED.findall(text)]
    named += _IDENTIFIER.findall(text) + _NUMBER.findall(text)
    for name in named:
        if not _stands_in(name.removesuffix("()").strip(), prompt):
            return name
    return ""


def _stands_in(name: str, prompt: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prompt))


def complete(text: str, about: str) -> str:
    """Why ``text`` is not a whole statement about ``about``; "" if it is.

    It ends like a sentence and shares a content word with the text it is about: a word of three
    letters or more that is no stop word and no keyword, alike up to a plural or verb ending.
    Identifiers count by their parts.
    """
    if not re.search(r"[.!?][\"')\]]*$", text.strip()):
        return "does not end like a sentence"
    if not content_words(text) & content_words(about):
        return "names nothing of what it is about"
    return ""


def content_words(text: str) -> frozenset[str]:
    """The content words of a text or of code, in lower case, without common endings."""
    parts = (part for word in re.findall(r"\w+", text) for part in _NAME_PART.findall(word))
    words = {part.lower() for part in parts if _WORD.fullmatch(part)}
    return frozenset(_stem(word) for word in words - _STOP)


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@scorer("text_checks")
def mark_text_checks(answer: str, instance: Instance) -> list[Mark]:
    """Written sentences: ``parsable``, ``exact``, ``complete`` (0 or 1) and their mean ``quality``.

    ``metadata.about`` holds what the sentence is about (else the whole prompt), and
    ``metadata.language`` says whether it is to be a docstring.
    """
    about = str(instance.metadata.get("about", instance.input))
    if not answer.strip():
        names = ("parsable", "exact", "complete", "quality")
        return [Mark(name, 0.0, reason="empty") for name in names]
    reasons = {
        "parsable": parsable(answer, str(instance.metadata.get("language", ""))),
        "exact": "names what the prompt does not" if exact(answer, instance.input) else "",
        "complete": complete(answer, about),
    }
    marks = [Mark(name, float(not reason), reason=reason) for name, reason in reasons.items()]
    return [*marks, Mark("quality", sum(mark.value for mark in marks) / len(marks))]
