"""A verb: one function that makes one artifact; the same object serves shell, recipe and Python.

A verb that several processes do together (``crew``) is recorded by the first of them; the others
fill the same folder and leave when the artifact is there.
"""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

from olmeda.artifacts.crew import Crew, working_alone
from olmeda.artifacts.lineage import Making, Plan, is_finished, record
from olmeda.base.config import Config
from olmeda.base.errors import ResourceError

C = TypeVar("C", bound=Config)


class Verb(Generic[C]):
    """``verb(config, out)`` makes the artifact ``out`` with its lineage and returns its path.

    If ``out`` already holds the result of the same settings and inputs, nothing is done.
    """

    def __init__(
        self,
        function: Callable[[C, Making], None],
        name: str,
        makes: str,
        resumable: bool,
        fingerprints: Callable[[C], dict[str, str]] | None,
        stands: Callable[[C, Path], bool] | None,
        crew: Callable[[C], AbstractContextManager[Crew]] = working_alone,
    ) -> None:
        self.function, self.name, self.makes = function, name, makes
        self.resumable, self.fingerprints, self.stands = resumable, fingerprints, stands
        self.crew = crew
        self.__doc__ = function.__doc__
        self.config: type[C] = typing.get_type_hints(function)["config"]

    def plan(self, config: C) -> Plan:
        """The key and digested inputs of this configuration, without doing anything."""
        extra = self.fingerprints(config) if self.fingerprints else None
        return Plan.of(self.name, self.makes, config, extra)

    def is_done(self, config: C, out: Path) -> bool:
        """Whether ``out`` holds the result, and what was put elsewhere is still there."""
        return is_finished(out, self.plan(config)) and self._stands(config, out)

    def _stands(self, config: C, out: Path) -> bool:
        return self.stands is None or self.stands(config, out)

    @property
    def is_shared(self) -> bool:
        """Whether several processes can do it together; otherwise one does it."""
        return self.crew is not working_alone

    def __call__(
        self, config: C, out: Path, *, replace: bool = False, crew: Crew | None = None
    ) -> Path:
        """Make ``out``. Raises ArtifactError where ``out`` holds something else (see replace).

        ``crew``: who does it, where the caller has brought them together; absent: those that were
        started.
        """
        with contextlib.nullcontext(crew) if crew else self.crew(config) as crew:
            if crew.is_first:
                self._record(config, out, replace, crew)
            else:
                self._help(config, out, crew)
        return out

    def _record(self, config: C, out: Path, replace: bool, crew: Crew) -> None:
        said = _REFUSED
        try:
            plan = self.plan(config)
            finished = is_finished(out, plan)
            if finished and self._stands(config, out):
                said = crew.told(_DONE)
                return
            again = replace or finished  # the same result takes the place of itself
            with record(out, plan, resumable=self.resumable, replace=again, crew=crew) as making:
                said = crew.told(_BEGUN)
                self.function(config, making)
            crew.told(_DONE)
        finally:
            if said == _REFUSED:
                crew.told(_REFUSED)

    def _help(self, config: C, out: Path, crew: Crew) -> None:
        said = crew.told(b"")
        if said == _REFUSED:
            raise ResourceError(f"{out}: the first process could not begin; see what it says")
        if said == _BEGUN:
            self.function(config, Making.helping(out, self.plan(config), crew))
            crew.told(b"")


_BEGUN, _DONE, _REFUSED = b"begun", b"done", b"refused"


def verb(
    name: str,
    makes: str,
    *,
    resumable: bool = False,
    fingerprints: Callable[[Any], dict[str, str]] | None = None,
    stands: Callable[[Any, Path], bool] | None = None,
    crew: Callable[[Any], AbstractContextManager[Crew]] = working_alone,
) -> Callable[[Callable[[C, Making], None]], Verb[C]]:
    """Turn ``function(config, making)`` into the verb ``name`` (``room.verb``).

    ``makes``: the kind of artifact. ``resumable``: keep what an interrupted run of the same plan
    wrote. ``fingerprints``: digests of inputs that are no paths in the configuration. ``stands``:
    whether what the finished artifact put elsewhere is still there; if not, it is made again.
    ``crew``: joins the processes that do it together; absent: one process.
    """

    def decorate(function: Callable[[C, Making], None]) -> Verb[C]:
        return Verb(function, name, makes, resumable, fingerprints, stands, crew)

    return decorate
