"""What lies behind a run: every artifact that the given ones came from, each once, inputs first."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from olmeda.artifacts.lineage import RECORD, Lineage
from olmeda.base.errors import ConfigError
from olmeda.web.page import Origin


@dataclass(frozen=True)
class Made:
    """An artifact behind the run: its place as a person types it, its record, its inputs.

    ``record`` is None where the artifact is gone; ``inputs`` maps configuration keys to artifacts.
    """

    path: Path
    record: Lineage | None
    digest: str
    inputs: tuple[tuple[str, Path], ...]

    @property
    def name(self) -> str:
        return self.path.name


def as_typed(path: Path) -> Path:
    """The path relative to the working directory if it lies below it, else the path itself."""
    relative = Path(os.path.relpath(path))
    return path if relative.parts[:1] == ("..",) else relative


def trace_command(path: Path) -> str:
    """The shell line that traces the artifact at ``path``."""
    return f"olmeda trace {shlex.quote(str(as_typed(path)))}"


def origin(path: Path) -> Origin:
    """The trace command and digest of a finished artifact."""
    return Origin(trace_command(path), Lineage.open(path).digest)


def ancestry(roots: Mapping[str, Path]) -> list[Made]:
    """Everything that ``roots`` came from and they themselves, inputs before what they made.

    Inputs that are no artifacts (a user's own files) are left to the tree of ``olmeda trace``.
    """
    found: dict[Path, Made] = {}
    for path in roots.values():
        _visit(Path(os.path.normpath(path)), "", found)
    return list(found.values())


def _visit(path: Path, digest: str, found: dict[Path, Made]) -> None:
    key = path.absolute()
    if key in found:
        return
    if not (path / RECORD).is_file():
        found[key] = Made(as_typed(path), None, digest, ())
        return
    record = Lineage.open(path)
    inputs = [
        (i.key, Path(os.path.normpath(path / i.path)), i.digest) for i in record.inputs if i.kind
    ]
    for _, below, expected in inputs:
        _visit(below, expected, found)
    named = tuple((k, as_typed(p)) for k, p, _ in inputs)
    found[key] = Made(as_typed(path), record, record.digest, named)


def tree(made: Sequence[Made]) -> list[str]:
    """The lineage as lines, from the artifacts that nothing else here was made from.

    What was expanded above is named again but not expanded again.
    """
    known = {m.path: m for m in made}
    used = {path for m in made for _, path in m.inputs}
    seen: set[Path] = set()
    last = [m for m in made if m.path not in used]
    return [line for m in last for line in _branch(m.name, m.path, known, "", "", seen)]


def _branch(
    key: str, path: Path, known: Mapping[Path, Made], lead: str, hook: str, seen: set[Path]
) -> Iterator[str]:
    node = known[path]
    about = "missing" if node.record is None else node.record.verb
    again = path in seen and bool(node.inputs)
    seen.add(path)
    label = node.name if key.split(".")[-1] == node.name else f"{key}: {node.name}"
    mark = "  (above)" if again else ""
    yield f"{lead}{hook}{label}  {about}  {node.digest[:12]}{mark}"
    if again:
        return
    below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[hook]
    for index, (inner, place) in enumerate(node.inputs):
        last = index == len(node.inputs) - 1
        yield from _branch(inner, place, known, below, "└─ " if last else "├─ ", seen)


def finished(made: Sequence[Made]) -> list[tuple[Path, Lineage]]:
    """The artifacts that are still there. Raises ConfigError if there is none at all."""
    held = [(m.path, m.record) for m in made if m.record is not None]
    if not held:
        raise ConfigError("the report was given no artifact; name one, for example text=FOLDER")
    return held


def about(records: Sequence[Lineage]) -> str:
    """The line at the top of a page: when its last step was begun, where, and by what code."""
    last = max(records, key=lambda r: r.started)
    machine = last.machine
    return (
        f"Last step begun {last.started} on {machine['system']} {machine['processor']} with "
        f"{machine['cores']} cores, Python {machine['python']}, olmeda {last.code['olmeda']}. "
        "Every table and figure names the command that traces it and the digest of its artifact."
    )
