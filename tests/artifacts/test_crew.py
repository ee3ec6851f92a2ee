from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from olmeda.artifacts.crew import Crew
from olmeda.artifacts.lineage import Lineage, Making
from olmeda.artifacts.verb import Verb
from olmeda.base.config import Config
from olmeda.base.errors import ArtifactError, ConfigError, OlmedaError, ResourceError


class Named(Config, frozen=True):
    name: str


class Pair:
    """Two threads that stand for two processes."""

    def __init__(self) -> None:
        self.barrier, self.said = threading.Barrier(2, timeout=10), b""

    def member(self, is_first: bool) -> Crew:
        return Member(self, is_first)


class Member:
    def __init__(self, pair: Pair, is_first: bool) -> None:
        self._pair, self.is_first = pair, is_first

    def told(self, message: bytes) -> bytes:
        if self.is_first:
            self._pair.said = message
        self._pair.barrier.wait()
        said = self._pair.said
        self._pair.barrier.wait()
        return said


FIRST = threading.local()


def together(pair: Pair, name: str = "note.make") -> Verb[Named]:
    @contextlib.contextmanager
    def crew(config: Named) -> Iterator[Crew]:
        yield pair.member(FIRST.here)

    def make(config: Named, making: Making) -> None:
        """Make a note."""
        making.crew.told(b"")
        (making.path / f"{making.crew.is_first}.txt").write_text(config.name)
        making.crew.told(b"")

    return Verb(make, name, "note", False, None, None, crew)


def run_both(verb: Verb[Named], config: Named, out: Path) -> list[OlmedaError]:
    problems: list[OlmedaError] = []

    def one(is_first: bool) -> None:
        FIRST.here = is_first
        try:
            verb(config, out)
        except OlmedaError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(is_first,)) for is_first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def test_both_fill_one_folder_and_the_first_records_it_once(tmp_path: Path) -> None:
    verb = together(Pair())
    assert run_both(verb, Named(name="a"), tmp_path / "note") == []
    assert sorted(Lineage.open(tmp_path / "note").files) == ["False.txt", "True.txt"]
    started = Lineage.open(tmp_path / "note").started
    assert run_both(together(Pair()), Named(name="a"), tmp_path / "note") == []
    assert Lineage.open(tmp_path / "note").started == started


def test_what_the_first_refuses_the_other_does_not_begin(tmp_path: Path) -> None:
    run_both(together(Pair()), Named(name="a"), tmp_path / "note")
    problems = run_both(together(Pair()), Named(name="b"), tmp_path / "note")
    assert {type(p) for p in problems} == {ArtifactError, ResourceError}
    assert (tmp_path / "note" / "True.txt").read_text() == "a"


def test_a_verb_of_one_process_refuses_to_be_started_as_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(config: Named, making: Making) -> None:
        """Make a note."""

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"started 2 processes.*without torchrun"):
        Verb(make, "note.make", "note", False, None, None)(Named(name="a"), tmp_path / "note")
