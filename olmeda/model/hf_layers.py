"""Which layers differ from the others: lists in a ``config.json``, rules here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from olmeda.base.errors import ArtifactError
from olmeda.model.config import ModelConfig
from olmeda.model.hf_rope import FAR, NEAR

EVERY = 4
"""Where OLMo 3 and SmolLM3 name no layers: every fourth differs."""


def layers_to_hf(config: ModelConfig, model_type: str) -> dict[str, Any]:
    """Keys that name the layers with a window, or those without rotary positions."""
    layers = range(config.layers)
    if model_type == "olmo3":
        kinds = [FAR if config.sees_all(layer) else NEAR for layer in layers]
        return {"sliding_window": config.window, "layer_types": kinds}
    if model_type == "smollm3":
        turns = [int(config.turns(layer)) for layer in layers]
        return {
            "no_rope_layers": turns,
            "no_rope_layer_interval": config.no_rope_every,
            "layer_types": [FAR] * config.layers,
            "use_sliding_window": False,
        }
    return {}


def windows_from_hf(values: Mapping[str, Any], where: str) -> dict[str, int]:
    """``window`` and ``full_every`` of an OLMo 3. Raises ArtifactError where no rule fits."""
    layers = int(values["num_hidden_layers"])
    kinds = values.get("layer_types")
    if kinds is None:
        kinds = [FAR if (layer + 1) % EVERY == 0 else NEAR for layer in range(layers)]
    full = [kind == FAR for kind in kinds]
    window = values.get("sliding_window", 4096)
    if all(full) or not window:
        return {}
    for every in range(1, layers + 1):
        if full == [(n + 1) % every == 0 or n == layers - 1 for n in range(layers)]:
            return {"window": int(window), "full_every": every}
    raise ArtifactError(
        f"{where}: layer_types: here every so-many-th layer and the last see all, and the others "
        "have the window"
    )


def unturned_from_hf(values: Mapping[str, Any], where: str) -> dict[str, int]:
    """``no_rope_every`` of a SmolLM3. Raises ArtifactError where no rule fits."""
    if values.get("use_sliding_window") and values.get("sliding_window"):
        raise ArtifactError(f"{where}: use_sliding_window true is not supported, only false")
    layers = int(values["num_hidden_layers"])
    turns: Sequence[int] | None = values.get("no_rope_layers")
    if turns is None:
        return {"no_rope_every": int(values.get("no_rope_layer_interval") or EVERY)}
    if all(turns[:layers]):
        return {}
    for every in range(1, layers + 1):
        if [bool(t) for t in turns[:layers]] == [(n + 1) % every != 0 for n in range(layers)]:
            return {"no_rope_every": every}
    raise ArtifactError(f"{where}: no_rope_layers: here every so-many-th layer has no positions")
