"""What can go wrong, as one tree.

OlmedaError             exit code 1
├── ConfigError         exit code 2   a key or value that cannot be used
├── InputError          exit code 3   a file, line or document that cannot be used
├── ArtifactError       exit code 4   an artifact that is unfinished, foreign or changed
└── ResourceError       exit code 5   disk, memory or another process stands in the way
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers of a full disk."""


class OlmedaError(Exception):
    """An error for the user: what was wrong, where, and what to do."""

    exit_code = 1


class ConfigError(OlmedaError):
    """A setting that cannot be used."""

    exit_code = 2


class InputError(OlmedaError):
    """A file, line or document that cannot be used; names the place as ``file:line``."""

    exit_code = 3


class ArtifactError(OlmedaError):
    """An artifact that is missing, unfinished, of another kind, or changed since it was made."""

    exit_code = 4


class ResourceError(OlmedaError):
    """The machine cannot do it now: no space, no memory, or another process holds the output."""

    exit_code = 5


def refusal(problem: OSError) -> str:
    """What the operating system refused, and what to do, in one sentence."""
    if problem.errno in FULL:
        return (
            f"{problem.filename or 'output'}: no space left on the disk; free some and run it again"
        )
    where = f"{problem.filename}: " if problem.filename else ""
    remedy = {
        errno.EACCES: "change its permissions, or name another place",
        errno.EPERM: "change its permissions, or name another place",
        errno.EROFS: "it cannot be written there; name another place",
        errno.ENOENT: "is the path right?",
        errno.EEXIST: "a file is in the way; name another place",
        errno.EISDIR: "a file is wanted here",
        errno.ENOTDIR: "a part of the path is a file; name another place",
        errno.ENAMETOOLONG: "choose a shorter name",
    }.get(problem.errno or 0, "")
    return f"{where}{problem.strerror or problem}" + (f"; {remedy}" if remedy else "")


def missing_package(name: str) -> str:
    """The sentence for a package that an extra of this one would have brought."""
    return f"this needs the package {name.partition('.')[0]!r}; pip install 'olmeda[all]' brings it"


def nearest(word: str, known: Iterable[str], most: int = 5) -> list[str]:
    """Known names ordered by likeness to ``word``, the nearest first, at most ``most``."""
    names = list(dict.fromkeys(known))
    likeness = {n: difflib.SequenceMatcher(None, word, n).ratio() for n in names}
    return sorted(names, key=lambda n: (-likeness[n], n))[:most]


def unknown(kind: str, word: str, known: Iterable[str]) -> str:
    """The sentence for an unknown name: ``no tagger called 'x'; did you mean 'y'? …``."""
    names = list(known)
    if not names:
        return f"no {kind} called {word!r}; there are none"
    near = nearest(word, names, 8)
    sure = difflib.SequenceMatcher(None, word, near[0]).ratio() > 0.6
    hint = f"; did you mean {near[0]!r}?" if sure else "."
    more = ", …" if len(names) > len(near) else ""
    return f"no {kind} called {word!r}{hint} Known: {', '.join(near)}{more}"
