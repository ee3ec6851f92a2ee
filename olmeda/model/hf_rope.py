"""Rotary positions as a ``config.json`` of transformers tells them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from olmeda.base.errors import ArtifactError, unknown
from olmeda.model.config import ModelConfig, RopeScaling, Yarn

FAR, NEAR = "full_attention", "sliding_attention"
WORDS: dict[str, dict[str, str]] = {
    "linear": {"factor": "factor"},
    "llama3": {
        "factor": "factor",
        "low": "low_freq_factor",
        "high": "high_freq_factor",
        "original": "original_max_position_embeddings",
    },
    "yarn": {
        "factor": "factor",
        "original": "original_max_position_embeddings",
        "fast": "beta_fast",
        "slow": "beta_slow",
        "attention": "attention_factor",
    },
}
"""Kind of scaling -> our field -> the key of transformers."""
OPTIONAL = ("fast", "slow", "attention")
DEFAULT = "default"


def rope_to_hf(config: ModelConfig) -> dict[str, Any]:
    """The value of ``rope_parameters``; by kind of layer where there are windows."""
    plain = {"rope_type": DEFAULT, "rope_theta": config.rope_theta}
    far = plain if config.rope_scaling is None else plain | _scaling_to_hf(config.rope_scaling)
    return {FAR: far, NEAR: plain} if config.window else far


def _scaling_to_hf(scaling: RopeScaling) -> dict[str, Any]:
    values = {theirs: getattr(scaling, ours) for ours, theirs in WORDS[scaling.kind].items()}
    if isinstance(scaling, Yarn) and not scaling.attention:
        del values["attention_factor"]  # theirs follows from the factor too
    return {"rope_type": scaling.kind, **values}


def rope_from_hf(
    values: Mapping[str, Any], theta: float, where: str
) -> tuple[float, dict[str, Any] | None]:
    """``(rope_theta, rope_scaling)`` of ours. ``theta``: what the family takes if nothing is said.

    Reads the places of transformers 5 (``rope_parameters``, flat or by kind of layer) and those
    before it (``rope_theta`` and ``rope_scaling`` at the top). Raises ArtifactError for what we
    cannot compute.
    """
    held = values.get("rope_parameters") or {}
    if FAR in held:
        near = dict(held.get(NEAR) or {})
        far = dict(held[FAR])
        if near and _type(near) != DEFAULT:
            raise ArtifactError(f"{where}: {NEAR} has rope type {_type(near)!r}, only {DEFAULT!r}")
        if near and near.get("rope_theta", theta) != far.get("rope_theta", theta):
            raise ArtifactError(f"{where}: {FAR} and {NEAR} differ in rope_theta; ours is one")
    else:
        top = {"rope_theta": values["rope_theta"]} if values.get("rope_theta") else {}
        far = {**top, **(values.get("rope_scaling") or {}), **held}
    return float(far.get("rope_theta") or theta), _scaling_from_hf(far, where)


def _type(held: Mapping[str, Any]) -> str:
    return str(held.get("rope_type") or held.get("type") or DEFAULT)


def _scaling_from_hf(held: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    kind = _type(held)
    if kind == DEFAULT:
        return None
    if kind not in WORDS:
        raise ArtifactError(f"{where}: {unknown('rope type', kind, [DEFAULT, *WORDS])}")
    words = WORDS[kind]
    known = {"rope_type", "type", "rope_theta", *words.values()}
    if kind == "yarn" and held.get("truncate", True):
        known.add("truncate")
    strange = [k for k, v in held.items() if k not in known and v is not None]
    # 1 is what transformers would do without the key
    strange = [k for k in strange if (k, held[k]) != ("partial_rotary_factor", 1)]
    if strange:
        raise ArtifactError(f"{where}: {strange[0]} of rope type {kind!r} is not supported")
    found: dict[str, Any] = {"kind": kind}
    for ours, theirs in words.items():
        if held.get(theirs) is not None:
            found[ours] = held[theirs]
        elif ours not in OPTIONAL:
            raise ArtifactError(f"{where}: rope type {kind!r} lacks {theirs!r}")
    return found
