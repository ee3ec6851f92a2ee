"""The longer answer wins: the baseline that every metric has to beat."""

from __future__ import annotations

from typing import Literal

from olmeda.billboard.registries import metric


@metric("length")
def length(
    hypotheses: list[str],
    references: list[list[str]],
    *,
    unit: Literal["characters", "words"] = "characters",
) -> list[float]:
    """Length of the hypothesis in characters or in words parted by white space."""
    if unit == "characters":
        return [float(len(h)) for h in hypotheses]
    return [float(len(h.split())) for h in hypotheses]
