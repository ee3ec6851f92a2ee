"""The ``probe`` and ``monitor`` blocks of a recipe: what is measured while a model trains."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from olmeda.base.config import IMMATERIAL, ArtifactPath, Config
from olmeda.base.registry import Spec
from olmeda.train.duration import Duration


class Downstream(Config, frozen=True):
    """A measure of the model beside held-out text, by a plug-in (``olmeda list probes``)."""

    name: str
    reads: dict[str, ArtifactPath] = {}
    """Artifacts that the plug-in reads, by the names of its parameters."""
    params: dict[str, Any] = {}
    """Its other parameters."""


class ProbeConfig(Config, frozen=True):
    """How often held-out text is measured (always at the start and the end), and how much of it."""

    every: Duration = Duration.steps(80)
    tokens: Annotated[int, Field(gt=0)] = 8192
    """Tokens of each source, in whole documents."""
    routes: Annotated[int, Field(ge=0)] = 2048
    """Held-out tokens of each source whose experts are remembered from probe to probe, for router
    saturation and co-activation; 0: neither is measured."""
    downstream: list[Downstream] = []
    """What else is measured, in the same rhythm."""


def _to_spec(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class MonitorConfig(Config, frozen=True):
    """What is watched at the steps themselves, and where it is shown besides the log."""

    gradients: Duration = Duration.steps(0)
    """How often the norm of each parameter's gradient is logged; 0: never."""
    spike_window: Annotated[int, Field(ge=2)] = 128
    """Steps whose mean and standard deviation a step's loss and gradient are held against."""
    spike_sigmas: Annotated[float, Field(gt=0)] = 6.0
    """Standard deviations above the mean from which on a step is a spike."""
    utilisation: Annotated[bool, IMMATERIAL] = True
    """Measure this machine's matrix products when the run starts, and log the share of it used."""
    trackers: Annotated[list[Annotated[Spec, BeforeValidator(_to_spec)]], IMMATERIAL] = []
    """Where the log is shown besides (``olmeda list trackers``): ``[tensorboard]``, or
    ``[{name: wandb, project: mine}]``."""
