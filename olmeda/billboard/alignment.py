"""Hold outputs and metric columns to what a board needs: one cell for each system and item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from olmeda.artifacts.examples import Output
from olmeda.base.errors import InputError


def align(outputs: Iterable[Output], where: str) -> dict[str, dict[str, list[Output]]]:
    """Outputs by task and system, each list in the item order of the task's first system.

    Raises InputError for an item that a system answered twice, or that only some answered, and
    for an item whose prompt or reference differs between systems.
    """
    cells: dict[str, dict[str, dict[str, Output]]] = {}
    for output in outputs:
        held = cells.setdefault(output.task, {}).setdefault(output.system, {})
        if output.item in held:
            raise InputError(
                f"{where}: {output.system!r} answers item {output.item!r} of {output.task} twice; "
                "keep one of the two rows"
            )
        held[output.item] = output
    return {task: _aligned(task, systems, where) for task, systems in cells.items()}


def _aligned(
    task: str, systems: Mapping[str, Mapping[str, Output]], where: str
) -> dict[str, list[Output]]:
    first = next(iter(systems))
    order = list(systems[first])
    for name, held in systems.items():
        for item in _only_in_one(order, held):
            lacking = name if item not in held else first
            raise InputError(
                f"{where}: {lacking!r} has no answer to item {item!r} of {task}, but others have "
                f"({len(held)} items of {name!r}, {len(order)} of {first!r}); "
                "every system must answer the same items"
            )
        for item in order:
            if held[item].reference != systems[first][item].reference:
                raise InputError(
                    f"{where}: item {item!r} of {task} has another reference for {name!r} "
                    f"than for {first!r}; score all systems against one reference"
                )
    return {name: [held[item] for item in order] for name, held in systems.items()}


def _only_in_one(order: Sequence[str], held: Mapping[str, Output]) -> list[str]:
    known = dict.fromkeys(order)
    return [i for i in order if i not in held] + [i for i in held if i not in known]


def check_values(name: str, values: Sequence[float], count: int, where: str) -> np.ndarray:
    """A metric's answer as float64 of length ``count``. Raises InputError for NaN or a gap."""
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (count,):
        raise InputError(
            f"{where}: metric {name!r} gave {found.shape} values for {count} texts; "
            "it must give one for each"
        )
    if bad := np.flatnonzero(~np.isfinite(found)).tolist():
        raise InputError(
            f"{where}: metric {name!r} gave {found[bad[0]]} for text {bad[0]}; "
            "a metric must give a finite number, also for an empty text"
        )
    return found


def column_faults(columns: Mapping[str, np.ndarray], systems: Sequence[str]) -> list[str]:
    """Sentences about columns that carry nothing new: constant, or the copy of another.

    ``columns``: metric name -> float64 [systems, items].
    """
    faults = []
    names = list(columns)
    for index, name in enumerate(names):
        values = columns[name]
        flat = [s for s, row in zip(systems, values) if np.ptp(row) == 0]
        if np.ptp(values) == 0:
            faults.append(f"{name} is the same for every text: it can rank nothing")
        elif flat:
            faults.append(f"{name} is constant for {', '.join(flat)}")
        twins = [other for other in names[:index] if np.array_equal(columns[other], values)]
        if twins and np.ptp(values) > 0:
            faults.append(f"{name} repeats {twins[0]} value for value")
    return faults


def text_faults(systems: Mapping[str, Sequence[Output]]) -> list[str]:
    """Sentences about texts that make a metric say less than it seems to."""
    faults = []
    for name, outputs in systems.items():
        shapes = Counter(_shape(o) for o in outputs)
        if shapes["echo"]:
            faults.append(
                f"{name}: {shapes['echo']} of {len(outputs)} texts are their own reference"
            )
        if shapes["empty"]:
            faults.append(f"{name}: {shapes['empty']} of {len(outputs)} texts are empty")
    without = sum(not o.reference.strip() for o in next(iter(systems.values())))
    if without:
        faults.append(
            f"{without} items have an empty reference: no reference metric can judge them"
        )
    return faults


def _shape(output: Output) -> str:
    if not output.text.strip():
        return "empty"
    return "echo" if output.text == output.reference else "text"
