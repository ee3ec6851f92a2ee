"""``tune.reward_model``: a checkpoint becomes a model that gives answers a number.

Shapes: ``P`` pairs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from olmeda.artifacts.examples import Trio
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.model.reward import RewardModel, save_reward
from olmeda.train.fit import finish, fit
from olmeda.train.machine import prepare
from olmeda.train.step import Losses
from olmeda.tune.base import open_base
from olmeda.tune.encode import encode_trios, read_examples
from olmeda.tune.pairs import Pairs, pair_batches
from olmeda.tune.preference import bradley_terry_loss
from olmeda.tune.settings import TuneLoop
from olmeda.tune.sft import require_rows


class RewardModelConfig(Config, frozen=True):
    """Which checkpoint to turn into a reward model, and the preferences to learn."""

    base: ArtifactPath
    data: Annotated[list[ArtifactPath], Field(min_length=1)]
    """Examples artifacts with a ``train.jsonl`` of trios, or such files."""
    loop: TuneLoop
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 0
    """Of the order of the pairs."""


def preference_loss(model: RewardModel, pairs: Pairs) -> Losses:
    """Bradley-Terry over a micro-batch, with the accuracy and the mean margin of its rewards.

    Equal rewards count as wrong.
    """
    reward_B = model(pairs.rows.ids_BT, pairs.last_B)
    chosen_P, rejected_P = reward_B.chunk(2)
    margins_P = chosen_P - rejected_P
    measures = {"accuracy": (margins_P > 0).sum(), "margin": margins_P.sum()}
    return Losses(bradley_terry_loss(chosen_P, rejected_P).sum(), measures=measures)


@verb("tune.reward_model", makes="checkpoint", resumable=True)
def reward_model(config: RewardModelConfig, making: Making) -> None:
    """Train a reward model on preference trios.

    The score is read at the last token of prompt and answer rendered as a chat. With experts, no
    balance penalty is added: the score's gradient alone moves the routers.
    """
    prepare(config.threads, config.seed)
    base = open_base(config.base, config.loop.sequence)
    trios = read_examples(config.data, Trio)
    pairs, dropped = encode_trios(base.tokenizer, trios, config.loop.sequence)
    require_rows(pairs, dropped, config.loop.sequence)
    model = RewardModel(base.model)
    batches = pair_batches(pairs, config.loop, config.seed, base.tokenizer.pad)
    end = fit(model, batches, preference_loss, config.loop, making)
    save_reward(model, making.path, config.base)
    finish(making, end, model.body.config)
    making.counts |= {
        "pairs": len(pairs),
        "pairs_too_long": dropped.too_long,
        "pairs_untrainable": dropped.untrainable,
    }
