"""What the ``probe`` and ``monitor`` blocks of a recipe ask for, built for one run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import torch

from olmeda.artifacts.tokenset import TokenSet
from olmeda.model.flops import flops_per_token
from olmeda.model.probe import Probe, probe
from olmeda.model.transformer import Transformer
from olmeda.train.duration import Duration
from olmeda.train.gradient_norms import gradient_norms
from olmeda.train.loop import Hook
from olmeda.train.monitor_config import Downstream, MonitorConfig, ProbeConfig
from olmeda.train.monitors import Monitors
from olmeda.train.peak import matmul_peak
from olmeda.train.probes import held_out, held_out_probe, sample
from olmeda.train.routes import RouteProbe
from olmeda.train.spikes import SpikeMeter
from olmeda.train.trackers.registry import tracker
from olmeda.train.world import ALONE, World

EACH_STEP = Duration.steps(1)


def watch(
    model: Transformer,
    probing: ProbeConfig,
    monitor: MonitorConfig,
    *,
    heldout: TokenSet | None,
    tokenizer: Path,
    sequence: int,
    rows: int,
    world: World = ALONE,
    dtype: torch.dtype = torch.float32,
) -> Monitors:
    """The monitors of a run that trains on rows of ``sequence`` tokens, ``rows`` at a time.

    ``tokenizer``: the folder of the tokens' tokenizer. ``dtype``: what matrices are multiplied
    in. Raises ConfigError for a plug-in or a parameter that is not there.
    """
    trackers = [tracker.bind(spec) for spec in monitor.trackers]
    spikes = SpikeMeter(monitor.spike_window, monitor.spike_sigmas)
    every: list[tuple[Duration, Hook]] = [(EACH_STEP, spikes.score)]
    memory = dict(spikes.memory)
    asked = [downstream_probe(one, tokenizer) for one in probing.downstream]
    if heldout is not None or asked:
        hook, remembered = _probe(model, probing, heldout, asked, sequence, rows, world)
        every.append((probing.every.model_copy(update={"ends": True}), hook))
        memory |= remembered.memory if remembered is not None else {}
    inspector = functools.partial(gradient_norms, world=world)
    known = monitor.utilisation and world.is_first
    return Monitors(
        every=every,
        inspect=[(monitor.gradients, inspector)] if monitor.gradients.amount else [],
        memory=memory,
        trackers=trackers,
        flops_per_token=flops_per_token(model.config, sequence) if known else 0.0,
        peak_flops=matmul_peak(world.device, dtype) * world.size if known else 0.0,
    )


def downstream_probe(asked: Downstream, tokenizer: Path) -> Probe:
    """The plug-in that a recipe names, with its parameters; ready to look at a model."""
    given = {"name": asked.name, **asked.params, **asked.reads}
    found: Probe = probe.bind(given)(tokenizer)
    return found


def _probe(
    model: Transformer,
    probing: ProbeConfig,
    heldout: TokenSet | None,
    downstream: Sequence[Probe],
    sequence: int,
    rows: int,
    world: World,
) -> tuple[Hook, RouteProbe | None]:
    held = []
    if heldout is not None:
        held = held_out(heldout, sequence, probing.tokens, rows, world.device)
    config, routes = model.config, None
    layers = sum(config.experts_of(layer) is not None for layer in range(config.layers))
    if held and layers and config.experts is not None and probing.routes:
        windows = sample(held, probing.routes)
        routes = RouteProbe(model, windows, layers, config.experts.count)
    return held_out_probe(model, held, world, routes, downstream), routes
