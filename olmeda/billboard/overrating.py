"""Overrating of machine text, metric by metric, in the three variants that belong side by side."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from olmeda.billboard.effects import Effect, crossed, design, random_intercept, z_score

FEWEST_SYSTEMS = 3


class Overrating(msgspec.Struct, frozen=True):
    """How far one metric overrates machine text, in standard deviations of the metric.

    ``by_instance``: random intercept per instance, the published form. ``crossed``: one per system
    too, which is what a claim about systems in general needs. ``length_held``: the published form
    with text length as a covariate. None where ``reason`` says why.
    """

    metric: str
    by_instance: Effect | None
    crossed: Effect | None
    length_held: Effect | None
    reason: str = ""


def overrating(
    columns: Mapping[str, np.ndarray],
    quality_SI: np.ndarray,
    human_S: np.ndarray,
    length_SI: np.ndarray | None,
) -> list[Overrating]:
    """Fit every metric [S, I] on the rated rows. ``human_S``: which systems are people."""
    reason = _reason(quality_SI, human_S)
    if reason:
        return [Overrating(name, None, None, None, reason) for name in columns]
    rated_SI = np.isfinite(quality_SI)
    system_N, instance_N = np.nonzero(rated_SI)
    machine_N = ~human_S[system_N]
    varied = {n: v for n, v in columns.items() if np.ptp(v[rated_SI]) > 0}
    flat = "the metric is constant on the rated texts"
    if not varied:
        return [Overrating(name, None, None, None, flat) for name in columns]
    z_NK = np.column_stack([z_score(v[rated_SI]) for v in varied.values()])
    plain_NP = design(machine_N, [quality_SI[rated_SI]])
    published = random_intercept(plain_NP, z_NK, instance_N)
    both = crossed(plain_NP, z_NK, instance_N, system_N)
    held: list[Effect] = []
    if length_SI is not None:
        longer_NP = design(machine_N, [quality_SI[rated_SI], length_SI[rated_SI]])
        held = random_intercept(longer_NP, z_NK, instance_N)
    place = {name: k for k, name in enumerate(varied)}
    return [
        Overrating(
            n, published[place[n]], both[place[n]], _held(n, place, held, columns, length_SI)
        )
        if n in place
        else Overrating(n, None, None, None, flat)
        for n in columns
    ]


def _held(
    name: str,
    place: Mapping[str, int],
    held: list[Effect],
    columns: Mapping[str, np.ndarray],
    length_SI: np.ndarray | None,
) -> Effect | None:
    """The length-held effect; length itself has none."""
    if length_SI is None or np.array_equal(columns[name], length_SI):
        return None
    return held[place[name]]


def _reason(quality_SI: np.ndarray, human_S: np.ndarray) -> str:
    """Why nothing can be fitted, or an empty string."""
    rated_S = np.isfinite(quality_SI).any(axis=1)
    if not (human_S & rated_S).any():
        return "no rated text was written by a person"
    if not (~human_S & rated_S).any():
        return "no rated text was written by a machine"
    if rated_S.sum() < FEWEST_SYSTEMS:
        return f"fewer than {FEWEST_SYSTEMS} rated systems"
    return ""


def caveats(quality_SI: np.ndarray, human_S: np.ndarray) -> list[str]:
    """What a reader of the coefficients must know."""
    rated_SI = np.isfinite(quality_SI)
    if _reason(quality_SI, human_S):
        return []
    said = []
    if human_S.sum() == 1:
        said.append(
            "There is one human system. The published-form standard error treats the machine "
            "systems' rows as exchangeable and is too small for a claim about humans and machines "
            "in general; the crossed model's is the honest one."
        )
    people = quality_SI[human_S][rated_SI[human_S]]
    if np.ptp(people) == 0:
        said.append(
            f"The quality of human text is always {people[0]:g}, so the machine coefficient rests "
            "on the slope of quality among machines alone."
        )
    machine_N = ~human_S[np.nonzero(rated_SI)[0]]
    if design(machine_N, [quality_SI[rated_SI]]).shape[1] == 2:
        said.append(
            "Quality is constant, or the same as being a machine: it is left out of the model, and "
            "the coefficients are plain differences between machine and human text."
        )
    return said
