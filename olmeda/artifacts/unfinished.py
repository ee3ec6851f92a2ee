"""What an interrupted run left in ``.<name>.making``: to be gone on with, never lost by mistake.

A command of other settings on the same output finds it there. Work that somebody may want to go on
with is then refused, with the settings that differ; logs alone are in nobody's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import olmeda
from olmeda.base.errors import ArtifactError, InputError
from olmeda.base.files import PART, files_below, read_json, remove_tree, write_json
from olmeda.base.log import say

PLAN = Path("journal", "plan.json")
RESUME = "resume"
"""The folder of states to go on from: no content, and gone when the artifact is finished."""
STATES = f"{RESUME}/*/state.json"
PARTS = ("journal/shards/*/*.json", "journal/done/*.json")
"""What work to go on with leaves besides states: finished shards, systems that have answered."""
SHOWN = 5


def described(verb: str, key: str, config: Mapping[str, Any], bears: Any) -> dict[str, Any]:
    """What ``plan.json`` says of the plan that a folder is filled by; ``bears``: what decides."""
    told = {"key": key, "verb": verb, "olmeda": olmeda.__version__}
    return {**told, "config": dict(config), "bears": bears}


def plan_in(making: Path) -> dict[str, Any]:
    """What ``plan.json`` says; nothing where there is none that can be read."""
    try:
        found = read_json(making / PLAN)
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}


def holds_work(making: Path) -> bool:
    """Whether an interrupted run left there what it could go on from.

    Parts that a run finished before its own settings or inputs ended it are none: nobody can go
    on with those settings. Saved states always are.
    """
    signs = [STATES] if plan_in(making).get("refused") else [STATES, *PARTS]
    return any(next(making.glob(sign), None) is not None for sign in signs)


def note_refusal(making: Path) -> None:
    """Note that the settings or inputs of this run cannot be used."""
    if making.is_dir():
        write_json(making / PLAN, {**plan_in(making), "refused": True})


def is_untouched(making: Path) -> bool:
    """Whether nothing was written there but the plan."""
    return not making.is_dir() or files_below(making) in ([], [PLAN])


def begin(making: Path, wanted: dict[str, Any], resumed: bool) -> None:
    """Prepare the folder to fill; what it holds stays if it is gone on with."""
    if resumed:
        for stale in sorted(making.rglob(f".*{PART}")):  # a killed write's temporary file
            stale.unlink()
    else:
        remove_tree(making)
    making.mkdir(exist_ok=True)
    write_json(making / PLAN, wanted)


def give_way(making: Path, wanted: dict[str, Any], replace: bool) -> None:
    """Let what another plan left go, if nobody can go on with it or ``replace`` says so.

    Raises ArtifactError otherwise, naming the settings that differ; nothing is removed then.
    """
    if not holds_work(making):
        return
    found = f"{making}: {{}} an unfinished run of other settings or inputs"
    differing = differences(plan_in(making), wanted)
    named = ", ".join(differing[:SHOWN]) + (", …" if len(differing) > SHOWN else "")
    if replace:
        say(f"{found.format('removed')} (it differed in {named})")
        return
    raise ArtifactError(
        f"{found.format('holds')}, with what it saved (it differs in {named}); choose another "
        "--out, go on with the settings it had, or say --replace to remove it"
    )


def differences(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ, with both values where these are short."""
    if not held:
        return ["everything: it says not what it was made by"]
    if held.get("verb", wanted["verb"]) != wanted["verb"]:
        return [f"the command: {held['verb']}"]
    named = []
    if held.get("olmeda") != wanted["olmeda"]:
        named.append(f"the version of olmeda: {held.get('olmeda', 'unknown')}")
    mine, its = (dict(_leaves(p.get("bears") or {})) for p in (wanted, held))
    for key in {**mine, **its}:
        if mine.get(key) != its.get(key):
            short = len(repr(its.get(key))) <= 30
            named.append(f"{key}: {its.get(key)!r}" if short else key)
    return named or ["the code of a plug-in, or what it reads"]


def _leaves(values: Mapping[str, Any], place: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in values.items():
        here = f"{place}.{key}".lstrip(".")
        found += _leaves(value, here) if isinstance(value, dict) and value else [(here, value)]
    return found
