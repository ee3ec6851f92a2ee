"""What is planned: a model, its training, and the devices it is to run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from olmeda.base.config import Config, read_yaml
from olmeda.base.errors import ConfigError, unknown
from olmeda.model.config import ModelConfig

DEVICES = Path(__file__).parent / "devices.yaml"
Precision = Literal["bf16", "fp32"]


class Device(Config, frozen=True):
    """What one device can do; in ``devices.yaml``, or given whole as ``device: {...}``."""

    products: dict[str, float]
    """FLOP/s of matrix products by precision (bf16, fp32)."""
    memory: Annotated[float, Field(gt=0)]
    """Bytes of memory."""
    bandwidth: Annotated[float, Field(gt=0)]
    """Bytes a second to and from its memory."""
    near: Annotated[float, Field(gt=0)] = 1e10
    """Bytes a second to the other devices of a node, one direction."""
    far: Annotated[float, Field(gt=0)] = 1e9
    """Bytes a second to devices of other nodes."""
    node: Annotated[int, Field(ge=1)] = 1
    """Devices of a node."""
    price: Annotated[float, Field(ge=0)] = 0.0
    """Dollars for an hour; an assumption where it comes from the table."""
    efficiency: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Share of ``products`` that real shapes reach; measured on a CPU, an assumption elsewhere."""
    experts: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of ``products`` that the products of experts reach."""
    attention: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Share of ``products`` that attention reaches."""
    kernels: bool = False
    """Whether it is a CPU, where fp32 runs by kernels of our own that keep less."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        known = read_yaml(DEVICES)
        if value not in known:
            raise ConfigError(unknown("device", value, known))
        return known[value]


class PlanConfig(Config, frozen=True):
    """One training run, before it is paid for."""

    preset: str | None = None
    """A preset's name; ``model`` puts other values over it, or stands alone."""
    model: ModelConfig
    gpus: Annotated[int, Field(ge=1)] = 1
    device: Device = Device.model_validate("h100")
    kind: Literal["fsdp", "ddp"] = "fsdp"
    """``fsdp``: weights, gradients and optimiser are sharded over all devices."""
    shards: Annotated[int, Field(ge=0)] = 0
    """Devices over which fsdp shares one copy of the model; the others hold further copies, whose
    gradients are summed once a step. 0: all devices share one copy."""
    experts: Annotated[int, Field(ge=1)] = 1
    """Devices that share out the experts of a layer (expert parallelism)."""
    sequence: Annotated[int, Field(gt=0)] | None = None
    """Tokens of a row; the model's context where absent."""
    micro_rows: Annotated[int, Field(gt=0)] | None = None
    """Rows that go through one device at once; the largest power of two that fits where absent."""
    batch_tokens: Annotated[int, Field(gt=0)] = 4_194_304
    """Tokens of one optimiser step, over all devices."""
    tokens: Annotated[float, Field(gt=0)] | None = None
    """Tokens of the run; 20 for each active parameter (Hoffmann et al. 2022) where absent."""
    precision: Precision = "bf16"
    """Of products and kept activations; master weights and optimiser are fp32."""
    optim: Literal["adamw", "muon"] = "adamw"
    recompute: bool = False
    """Keep each layer's input only, and compute the layer again going backward."""
    price: Annotated[float, Field(ge=0)] | None = None
    """Dollars for an hour of one device; the device's where absent."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset"):
            over = values.get("model") or {}
            if isinstance(over, dict):
                return {**values, "model": {"preset": values["preset"], **over}}
        return values

    @model_validator(mode="after")
    def _can_share_out(self) -> Self:
        experts = self.model.experts
        if self.gpus % self.experts:
            raise ValueError(f"gpus {self.gpus} is no multiple of experts {self.experts}")
        if self.experts > 1 and (experts is None or experts.count % self.experts):
            held = "no" if experts is None else experts.count
            raise ValueError(f"{held} experts cannot be shared out over {self.experts} devices")
        if self.gpus % self.sharing or self.sharing % self.experts:
            raise ValueError(
                f"gpus {self.gpus} must be a multiple of shards {self.sharing}, and shards of "
                f"experts {self.experts}"
            )
        if self.batch_tokens < self.gpus * self.micro_tokens:
            raise ValueError(
                f"batch_tokens {self.batch_tokens} is less than one micro-batch of "
                f"{self.micro_tokens} tokens on each of {self.gpus} devices"
            )
        return self

    @property
    def row(self) -> int:
        """Tokens of a row."""
        return self.sequence or self.model.sequence

    @property
    def rows(self) -> int:
        """Rows that go through one device at once."""
        return self.micro_rows or 1

    @property
    def sharing(self) -> int:
        """Devices that share one copy of the model."""
        if self.kind == "ddp":
            return self.experts
        return self.shards or self.gpus

    @property
    def micro_tokens(self) -> int:
        """Tokens that go through one device at once."""
        return self.row * self.rows

    @property
    def micro_batches(self) -> float:
        """Forward and backward passes of one device in one step."""
        return self.batch_tokens / (self.gpus * self.micro_tokens)

    @property
    def bytes_each(self) -> int:
        """Bytes of a number in products, gathered weights and kept activations."""
        return {"bf16": 2, "fp32": 4}[self.precision]
