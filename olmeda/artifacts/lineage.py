"""Lineage: the record that makes a folder an artifact, written last, and the tree behind it.

An artifact is a folder that holds ``lineage.json``. Everything beside it but ``journal/`` (what
clocks and processes saw: times, logs) is its content, and the digest of the content is its
identity: two runs of the same recipe give the same digests.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import olmeda
from olmeda.artifacts.crew import Alone, Crew
from olmeda.artifacts.unfinished import (
    RESUME,
    begin,
    described,
    give_way,
    is_untouched,
    note_refusal,
    plan_in,
)
from olmeda.base.config import Config
from olmeda.base.errors import FULL, ArtifactError, ConfigError, InputError, ResourceError
from olmeda.base.files import (
    digest_file,
    digest_tree,
    digest_value,
    files_below,
    fsync_folder,
    read_json,
    remove_tree,
    write_json,
)
from olmeda.base.lock import sole_maker

RECORD = "lineage.json"
JOURNAL = "journal"
_ALONE = Alone()


class FileRecord(msgspec.Struct, frozen=True):
    """One content file: its size in bytes and its xxh3-128 digest."""

    bytes: int
    digest: str


class InputRecord(msgspec.Struct, frozen=True):
    """One input: the configuration key that named it, its place, and what it held."""

    key: str
    path: str
    digest: str
    kind: str = ""


class Lineage(msgspec.Struct, frozen=True):
    """How an artifact came about. ``path`` of inputs is relative to the artifact's folder."""

    kind: str
    verb: str
    config: dict[str, Any]
    config_digest: str
    key: str
    inputs: list[InputRecord]
    code: dict[str, str]
    seed: int | None
    counts: dict[str, int | float]
    started: str
    seconds: float
    cpu_seconds: float
    memory_mb: float
    machine: dict[str, Any]
    files: dict[str, FileRecord]
    digest: str
    format: int = 1

    @classmethod
    def open(cls, path: Path) -> Lineage:
        """Read the record of the artifact at ``path``. Raises ArtifactError if it is unfinished."""
        if not path.exists():
            raise no_artifact(path)
        if not (path / RECORD).is_file():
            raise ArtifactError(
                f"{path}: no finished artifact ({RECORD} is missing, and it is written last); "
                "run the command that makes it again"
            )
        try:
            record = read_json(path / RECORD, cls)
        except InputError as problem:
            raise ArtifactError(f"{problem}; make the artifact again") from None
        assert isinstance(record, Lineage)
        return record


def check(path: Path, kind: str = "", contents: bool = False) -> Lineage:
    """Open an artifact's record and hold its files against it: sizes, or digests of ``contents``.

    Raises ArtifactError for another kind and for files that changed, vanished or appeared.
    """
    if kind == "corpus" and (path / "documents").is_dir() and not (path / RECORD).exists():
        source = f"{{name: {path.resolve().name}, kind: dolma, path: {path}}}"
        raise ArtifactError(
            f"{path}: no corpus, but it has documents/ as a tree of Dolma does; read it first: "
            f"olmeda data read 'sources=[{source}]' --out …"
        )
    record = Lineage.open(path)
    if kind and record.kind != kind:
        other = f"found {_some(record.kind)} (by {record.verb})"
        raise ArtifactError(f"{path}: expected {_some(kind)}, {other}")
    found = {p.as_posix() for p in content_files(path)}
    for name, held in record.files.items():
        if name not in found:
            raise ArtifactError(f"{path / name}: missing; the artifact had it when it was made")
        size = (path / name).stat().st_size
        if size != held.bytes or (contents and digest_file(path / name) != held.digest):
            raise ArtifactError(
                f"{path / name}: changed since it was made; remove {path} and make it again"
            )
    if extra := sorted(found - set(record.files)):
        raise ArtifactError(f"{path / extra[0]}: not part of the artifact; move it elsewhere")
    return record


def _some(kind: str) -> str:
    return kind if kind in ("attributes", "examples", "scores") else f"a {kind}"


def no_artifact(path: Path) -> ArtifactError:
    """The error for a path where nothing is."""
    told = f"{path}: no such artifact, file or folder; is the path right, was the step before run?"
    if len(path.parts) == 2 and not path.is_absolute() and not path.parent.exists():
        told += " A name on a hub is not fetched: name a folder of this machine"
    return ArtifactError(told)


def content_files(folder: Path) -> list[Path]:
    """The relative paths of an artifact's content: all but record, journal and saved states."""
    beside = (JOURNAL, RESUME)
    return [p for p in files_below(folder) if p.as_posix() != RECORD and p.parts[0] not in beside]


def enclosing(path: Path) -> Path | None:
    """The artifact at or above ``path``, if there is one."""
    for folder in (path, *path.parents):
        if (folder / RECORD).is_file():
            return folder
    return None


def digest_input(path: Path) -> tuple[str, str]:
    """``(digest, kind)`` of an input: an artifact's recorded digest, else that of the bytes."""
    if (path / RECORD).is_file():
        record = check(path)
        return record.digest, record.kind
    if not path.exists():
        raise no_artifact(path)
    return digest_tree(path), ""


@functools.cache
def code_version() -> dict[str, str]:
    """The package version and the digest of its source files."""
    home = Path(olmeda.__file__).parent
    sources = {
        p.as_posix(): digest_file(home / p)
        for p in files_below(home)
        if p.suffix != ".pyc" and "__pycache__" not in p.parts
    }
    return {"olmeda": olmeda.__version__, "source": digest_value(sources)}


class Plan(msgspec.Struct, frozen=True):
    """What a verb would do: its configuration with inputs digested, and the key of the result."""

    verb: str
    kind: str
    config: dict[str, Any]
    config_digest: str
    key: str
    inputs: dict[str, tuple[Path, str, str]]
    bears: dict[str, Any] = {}
    """What decides the key: settings that bear on the result, inputs and fingerprints by digest."""

    @classmethod
    def of(cls, verb: str, kind: str, config: Config, extra: dict[str, str] | None = None) -> Plan:
        """Digest every input of ``config`` and derive the key. ``extra``: further fingerprints."""
        inputs = {k: (p, *digest_input(p)) for k, p in config.inputs().items()}
        bears = config.bearing({k: digest for k, (_, digest, _) in inputs.items()})
        config_digest = digest_value(bears)
        key = digest_value([verb, kind, olmeda.__version__, config_digest, extra or {}])
        bears |= extra or {}
        return cls(verb, kind, config.settings(), config_digest, key, inputs, bears)


def is_finished(out: Path, plan: Plan) -> bool:
    """Whether ``out`` already holds exactly what ``plan`` would make, unchanged."""
    recover(out)
    if not (out / RECORD).is_file():
        return False
    try:
        return check(out).key == plan.key
    except ArtifactError:
        return False


class Making:
    """An artifact in the making: write content below ``path``, count into ``counts``.

    ``out`` is where it will lie, ``plan`` what it is made from, ``crew`` who makes it;
    ``replaces``: what lies there of other settings may go.
    """

    def __init__(
        self,
        path: Path,
        resumed: bool,
        out: Path | None = None,
        plan: Plan | None = None,
        crew: Crew = _ALONE,
        replaces: bool = False,
    ) -> None:
        self.path, self.resumed, self.out = path, resumed, out or path
        self.plan, self.crew, self.replaces = plan, crew, replaces
        self.counts: dict[str, int | float] = {}

    @classmethod
    def helping(cls, out: Path, plan: Plan, crew: Crew) -> Making:
        """What another process than the first fills; only the first knows what it goes on from."""
        return cls(_siblings(out)[0], False, out, plan, crew)

    @property
    def journal(self) -> Path:
        """The folder for what is not content: times, logs."""
        folder = self.path / JOURNAL
        folder.mkdir(exist_ok=True)
        return folder


def recover(out: Path) -> None:
    """Finish the two renames of ``record`` if a crash fell between them."""
    making, old = _siblings(out)
    if (making / RECORD).is_file() or old.exists():
        with sole_maker(out):
            _recover(out, making, old)


def _recover(out: Path, making: Path, old: Path) -> None:
    if (making / RECORD).is_file():  # whole, and what lies there was to be replaced
        _put_in_place(making, out, old)
    elif not out.exists() and old.exists():
        os.rename(old, out)
    if out.exists():
        remove_tree(old)


def _siblings(out: Path) -> tuple[Path, Path]:
    return out.with_name(f".{out.name}.making"), out.with_name(f".{out.name}.old")


@contextlib.contextmanager
def record(
    out: Path, plan: Plan, *, resumable: bool, replace: bool, crew: Crew = _ALONE
) -> Iterator[Making]:
    """Make the artifact ``out``: give a folder to fill, then record it and rename it into place.

    Until the end everything lies in ``.<name>.making``; with ``resumable`` what an interrupted
    run of the same plan left there is kept; otherwise a failure leaves nothing behind. Raises
    ArtifactError if ``out`` holds something else, or an interrupted run of another plan left work,
    and ``replace`` is off; ResourceError if another process makes it now, or the disk is full.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    making, old = _siblings(out)
    with sole_maker(out):
        _recover(out, making, old)
        _may_write(out, plan, replace)
        wanted = described(plan.verb, plan.key, plan.config, plan.bears)
        resumed = resumable and plan_in(making).get("key") == plan.key
        if not resumed:
            give_way(making, wanted, replace)
        try:
            begin(making, wanted, resumed)
            work = Making(making, resumed, out, plan, crew, replace)
            started, clock, cpu = time.time(), time.monotonic(), time.process_time()
            _reset_peak_memory()
            yield work
            clocks = {
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                "seconds": round(time.monotonic() - clock, 3),
                "cpu_seconds": round(time.process_time() - cpu, 3),
                "memory_mb": round(_peak_memory_mb(), 1),
            }
            write_json(making / RECORD, _lineage(out, plan, work, clocks))
        except BaseException as problem:
            if not resumable or is_untouched(making):
                remove_tree(making)
            elif isinstance(problem, (ConfigError, InputError)):
                note_refusal(making)
            if isinstance(problem, OSError) and problem.errno in FULL:
                kept = f"; what was made so far lies in {making}" if resumable else ""
                raise ResourceError(
                    f"{out}: no space left on the disk{kept}. "
                    "Free some space and run the same command again"
                ) from problem
            raise
        _put_in_place(making, out, old)


def _put_in_place(making: Path, out: Path, old: Path) -> None:
    """Give what is recorded its name; only now nobody needs the states it could be gone on from."""
    remove_tree(making / RESUME)
    if out.exists():
        os.rename(out, old)
    os.rename(making, out)
    fsync_folder(out.parent)
    remove_tree(old)


def _lineage(out: Path, plan: Plan, work: Making, clocks: dict[str, Any]) -> Lineage:
    """The record of what lies in ``work.path``, soon to be ``out``."""
    files = {
        p.as_posix(): FileRecord((work.path / p).stat().st_size, digest_file(work.path / p))
        for p in content_files(work.path)
    }
    return Lineage(
        kind=plan.kind,
        verb=plan.verb,
        config=plan.config,
        config_digest=plan.config_digest,
        key=plan.key,
        inputs=[
            InputRecord(k, os.path.relpath(enclosing(p) or p, out), digest, kind)
            for k, (p, digest, kind) in plan.inputs.items()
        ],
        code=code_version(),
        seed=plan.config.get("seed"),
        counts=work.counts,
        machine=_machine(),
        files=files,
        digest=digest_value({name: f.digest for name, f in files.items()}),
        **clocks,
    )


def _may_write(out: Path, plan: Plan, replace: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / RECORD).is_file():
        raise ArtifactError(f"{out}: exists and was not made by olmeda; choose another output")
    inside = [p for p, _, _ in plan.inputs.values() if p.resolve().is_relative_to(out.resolve())]
    if inside:
        raise ArtifactError(f"{out}: is also the input {inside[0]}; choose another output")
    if not replace:
        held = check(out)
        raise ArtifactError(
            f"{out}: holds {_some(held.kind)} made by {held.verb} from other settings or inputs; "
            "choose another output, or say --replace"
        )


def _reset_peak_memory() -> None:
    with contextlib.suppress(OSError):  # Linux only; elsewhere the peak is the process's
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text()
        kilobytes = next(s for s in status.splitlines() if s.startswith("VmHWM:")).split()[1]
        return int(kilobytes) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _machine() -> dict[str, Any]:
    from olmeda.base.workers import cores

    return {"python": platform.python_version(), "system": platform.system(),
            "processor": platform.machine(), "cores": cores()}  # fmt: skip
