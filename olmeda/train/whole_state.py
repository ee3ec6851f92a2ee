"""Which saved state a run goes on from: the newest whose files hold what they held when saved."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from olmeda.base.errors import ArtifactError
from olmeda.base.files import digest_file, remove_tree
from olmeda.base.log import say
from olmeda.train.state import INDEX, SavedState, saved_states
from olmeda.train.world import ALONE, World


def whole_state(folder: Path, world: World = ALONE) -> SavedState | None:
    """The newest state in ``folder`` that is undamaged, the same on every process; all call it.

    The first process looks which there are; each reads its share of a state's files. Damaged ones
    that are newer are put aside and told of. Raises ArtifactError where all are damaged.
    """
    states = saved_states(folder) if world.is_first else []
    homes = sorted((f.parent for f in folder.glob(f"step-*/{INDEX}")), reverse=True)
    damaged = dict.fromkeys(homes, "its state.json cannot be read") if world.is_first else {}
    for readable in states:
        damaged.pop(folder / readable.folder)
    while (state := agreed(states[-1] if states else None, world)) is not None:
        fault = _fault(folder / state.folder, state, world)
        (found,) = world.most(bool(fault))
        if not found:
            break
        if world.is_first:
            damaged[folder / states.pop().folder] = fault or "a file of it has changed"
    problem = _put_aside(damaged, state) if world.is_first else ""
    if told := world.told(problem.encode()):
        raise ArtifactError(told.decode())
    return state


def agreed(state: SavedState | None, world: World) -> SavedState | None:
    """The state that the first process found, on every process."""
    told = world.told(msgspec.json.encode(state))
    return msgspec.json.decode(told, type=SavedState | None)


def _fault(home: Path, state: SavedState, world: World) -> str:
    """What is wrong with this process's share of the files; nothing where all is well."""
    for name in sorted(state.files)[world.rank :: world.size]:
        if not (home / name).is_file():
            return f"{name} is missing"
        if digest_file(home / name) != state.files[name]:
            return f"{name} has changed since it was saved"
    return ""


def _put_aside(damaged: dict[Path, str], state: SavedState | None) -> str:
    """Name damaged states so that none is taken again; the sentence if there is no other."""
    if state is not None:
        damaged = {home: why for home, why in damaged.items() if home.name > state.folder}
    if not damaged:
        return ""
    newest = max(damaged)
    if state is None:
        return (
            f"{newest}: a damaged state ({damaged[newest]}), and there is no whole one before it; "
            f"bring its files back, or remove {newest} to begin the run again"
        )
    for home, why in sorted(damaged.items()):
        aside = home.with_name(f"damaged-{home.name}")
        remove_tree(aside)
        os.rename(home, aside)
        say(f"{home}: a damaged state ({why}), now {aside.name}; going back to step {state.steps}")
    return ""
