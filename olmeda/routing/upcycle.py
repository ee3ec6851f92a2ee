"""``routing.upcycle``: a mixture of experts from a dense checkpoint."""

from __future__ import annotations

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.model import hf
from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.flops import active_parameters, parameters
from olmeda.model.upcycle import Upcycling
from olmeda.model.upcycle import upcycle as upcycled


class UpcycleConfig(Config, frozen=True):
    """Which dense checkpoint becomes a mixture of which experts."""

    checkpoint: ArtifactPath
    experts: ExpertsConfig
    how: Upcycling = Upcycling()
    seed: int = 0
    """Of the new routers and of noise."""


@verb("routing.upcycle", makes="checkpoint")
def upcycle(config: UpcycleConfig, making: Making) -> None:
    """Make a mixture of experts of a dense checkpoint.

    Raises ConfigError for a checkpoint with experts and where the form cannot be kept.
    """
    dense = hf.load(config.checkpoint)
    model = upcycled(dense, config.experts, config.how, seed=config.seed)
    hf.save(model, making.path, tokenizer=config.checkpoint)
    making.counts |= {
        "parameters": parameters(model.config),
        "active_parameters": active_parameters(model.config),
        "dense_parameters": parameters(dense.config),
    }
