"""``train.run``: pretrain a model on a token set."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator

from olmeda.artifacts.lineage import Making, check
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.verb import verb
from olmeda.base.config import IMMATERIAL, ArtifactPath, Config
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.base.log import say
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import special_ids, to_hf
from olmeda.model.transformer import Transformer
from olmeda.tokens.account import account, told
from olmeda.tokens.data_config import DataConfig
from olmeda.tokens.instances import Sizes
from olmeda.train.batches import InstanceBatches, place_of, stages_of
from olmeda.train.checkpoints import CheckpointsConfig
from olmeda.train.compute import ComputeConfig
from olmeda.train.first_weights import Drawn, FirstWeights
from olmeda.train.fit import finish, fit
from olmeda.train.machine import prepare
from olmeda.train.monitor_config import MonitorConfig, ProbeConfig
from olmeda.train.order_record import write_order
from olmeda.train.parallel import ParallelConfig, placed_state, whole
from olmeda.train.rows import language_loss
from olmeda.train.settings import PretrainLoop
from olmeda.train.start import stored_config, stored_weights, take_optimizer, write_optimizer
from olmeda.train.watching import watch
from olmeda.train.world import ALONE, World, joined, world_of


class RunConfig(Config, frozen=True):
    """What to train, on what, for how long."""

    tokens: ArtifactPath
    heldout: ArtifactPath | None = None
    """Tokens that are measured and never trained on."""
    model: ModelConfig | None = None
    """What to train; absent: the model of ``start``."""
    start: ArtifactPath | None = None
    """A checkpoint of such a model to begin from; absent: weights drawn from the seed."""
    start_optimizer: bool = False
    """Begin with what the optimiser of ``start`` knew, where it was kept."""
    keep_optimizer: bool = False
    """Write what the optimiser knows into the checkpoint, for a further stage to begin with."""
    data: DataConfig = DataConfig()
    loop: PretrainLoop
    probe: ProbeConfig = ProbeConfig()
    monitor: MonitorConfig = MonitorConfig()
    parallel: Annotated[ParallelConfig, IMMATERIAL] = ParallelConfig()
    checkpoints: Annotated[CheckpointsConfig, IMMATERIAL] = CheckpointsConfig()
    compute: ComputeConfig = ComputeConfig()
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 0
    """Of the first weights and of the order of the data."""

    @model_validator(mode="after")
    def _has_a_model(self) -> Self:
        if self.model is None and self.start is None:
            raise ValueError("model: say what to train, or begin with a checkpoint: start=PATH")
        return self

    def shape(self) -> ModelConfig:
        """The model to train: as described, or that of ``start``."""
        if self.model is not None:
            return self.model
        assert self.start is not None
        return stored_config(self.start)


def _processes(config: RunConfig) -> AbstractContextManager[World]:
    seconds, once = config.parallel.timeout_seconds, config.parallel.gather == "step"
    return joined(seconds, config.compute.where(), gathers_once=once)


@verb("train.run", makes="checkpoint", resumable=True, crew=_processes)
def run(config: RunConfig, making: Making) -> None:
    """Pretrain a model on a token set.

    Raises ConfigError where model and tokens do not fit, Diverged where the loss is no number.
    """
    loop, world, shape = config.loop, world_of(making), config.shape()
    tokens = TokenSet.open(config.tokens)
    require_fit(tokens, shape, loop.sequence)
    prepare(config.threads, config.seed)
    batches = batches_of(_verified(config, tokens, world), tokens, world)
    if config.data.mix is not None and world.is_first:
        say(told(account(batches.loader, batches.draws(loop.until.in_steps(batches.after)).first)))
    model, optimizers = _begin(config, shape, tokens, world)
    measured = None
    if config.heldout is not None:
        measured = TokenSet.open(config.heldout)
        measured.require_tokenizer(tokens.index.tokenizer_digest, str(config.tokens))
    monitors = watch(
        model,
        config.probe,
        config.monitor,
        heldout=measured,
        tokenizer=tokens.tokenizer,
        sequence=loop.sequence,
        rows=max(loop.micro_tokens // loop.sequence, 1),
        world=world,
        dtype=torch.bfloat16 if config.compute.is_bf16() else torch.float32,
    )

    def write(folder: Path) -> None:
        writes, state = world.is_first, placed_state(model)
        if config.keep_optimizer:
            write_optimizer(folder, model, optimizers, writes=writes)
        hf.save(model, folder, tokens.tokenizer, state=state, whole=whole, writes=writes)
        if writes:
            write_order(folder, tokens, batches.order_digest)

    loss_fn = config.compute.computing(language_loss(shape))
    kept = config.checkpoints, write
    end = fit(model, batches, loss_fn, loop, making, monitors, world, *kept, optimizers)
    write(making.path)
    if world.is_first:
        finish(making, end, shape)


def _begin(
    config: RunConfig, shape: ModelConfig, tokens: TokenSet, world: World
) -> tuple[Transformer, list[torch.optim.Optimizer]]:
    """Model and optimisers before the first step: fresh, or those of another run."""
    weights: FirstWeights = Drawn(shape, config.seed)
    if config.start is not None:
        weights = stored_weights(config.start, shape, tokens)
    elif config.start_optimizer:
        raise ConfigError("start_optimizer: there is no checkpoint to take it from; say start=PATH")
    model = config.parallel.begin(weights, world, config.compute.apply)
    optimizers = config.loop.optim.build(model, config.loop.lr)
    if config.start is not None and config.start_optimizer:
        take_optimizer(config.start, model, optimizers)
    return model, optimizers


def batches_of(config: RunConfig, tokens: TokenSet, world: World = ALONE) -> InstanceBatches:
    """The batches of a run: its data, order and sizes, without model or optimiser.

    Raises ConfigError where the settings cannot be kept.
    """
    loop = config.loop
    changes = loop.batch_schedule, loop.sequence_schedule

    def begin(sizes: Sizes, step: int) -> int:
        return place_of(stages_of(sizes, loop.batch_tokens, *changes, world), step)

    loader = config.data.build(tokens, loop.sequence, config.seed, begin)
    stages = stages_of(loader, loop.batch_tokens, *changes, world)
    batches = InstanceBatches(loader, stages, loop.micro_tokens, world)
    until = loop.until.in_steps(batches.after)
    if loader.places is not None and batches.draws(until).first > loader.places:
        raise ConfigError(
            f"data.mix: with its caps on repetition the mixture has {loader.places} instances of "
            f"{loader.sequence} tokens, fewer than the {batches.draws(until).first} of {until} "
            "steps; raise data.mix.repeat, or train for less"
        )
    return batches


def _verified(config: RunConfig, tokens: TokenSet, world: World) -> RunConfig:
    """Hold the ids against their digests, if that was asked for; what is left to do then.

    The first process reads them, the others are told.
    """
    problem = ""
    if world.is_first and config.data.verify:
        try:
            check(tokens.path, "tokenset", contents=True)
        except ArtifactError as found:
            problem = str(found)
    if said := world.told(problem.encode()):
        raise ArtifactError(said.decode())
    data = config.data.model_copy(update={"verify": False})
    return config.model_copy(update={"data": data})


def require_fit(tokens: TokenSet, model: ModelConfig, sequence: int) -> None:
    """Raise ConfigError unless model and tokens fit and the checkpoint can be written later.

    Fit: the model has a row for every id and room for every sequence.
    """
    to_hf(model, special_ids(tokens.tokenizer))
    if tokens.index.vocab_size > model.vocab_size:
        raise ConfigError(
            f"model.vocab_size {model.vocab_size} is less than the {tokens.index.vocab_size} ids "
            f"of the tokenizer of {tokens.path}; say model.vocab_size={tokens.index.vocab_size}"
        )
    if sequence > model.sequence:
        raise ConfigError(
            f"loop.sequence {sequence} is longer than the model's context of {model.sequence}; "
            f"say model.sequence={sequence}, or shorten loop.sequence"
        )
