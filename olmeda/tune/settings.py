"""The ``loop`` block of tuning: that of training, with gentler defaults."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from olmeda.train.duration import Duration
from olmeda.train.optim import AdamW, Optim
from olmeda.train.schedule import Linear, Schedule
from olmeda.train.settings import LoopConfig


class TuneLoop(LoopConfig, frozen=True):
    """Linear decay to 0, a short warm-up, no weight decay, as in the Tulu recipes."""

    lr: Annotated[float, Field(gt=0)] = 3e-4
    warmup: Duration = Duration.epochs(0.03)
    schedule: Schedule = Linear()
    optim: Optim = AdamW(weight_decay=0.0)
