"""A reward model: a transformer whose last hidden state becomes one number.

On disk it is a sequence classifier of transformers with one label.

Shapes: ``B`` sequences, ``T`` tokens, ``D`` width.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.model.hf import fill, write_model
from olmeda.model.hf_config import from_hf, special_ids, to_hf
from olmeda.model.hf_names import Part, backbone_parts, views
from olmeda.model.linear import Linear
from olmeda.model.transformer import Transformer

HEAD = "SequenceClassification"


class RewardModel(nn.Module):
    """``score(h at the last token)``. The score begins at zero: every answer is worth the same.

    Takes ``body`` over and drops its language-modelling head.
    """

    def __init__(self, body: Transformer) -> None:
        super().__init__()
        body.head = None
        self.body = body
        self.score = Linear(body.config.width, 1)
        nn.init.zeros_(self.score.weight)

    def forward(self, ids_BT: Tensor, last_B: Tensor) -> Tensor:
        """The reward ``[B]`` of each row, read at position ``last_B`` (its last real token).

        What stands to the right of it is padding and changes nothing.
        """
        real_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device) <= last_B[:, None]
        h_BTD = self.body(ids_BT, real_BT=real_BT).h_BTD
        h_BD = h_BTD[torch.arange(len(last_B)), last_B]
        reward_B1: Tensor = self.score(h_BD)
        return reward_B1[:, 0]

    def parts(self, *, stacked: bool = False) -> list[Part]:
        """Every tensor on disk, as ``olmeda.model.hf_names.parts`` of a language model."""
        body = backbone_parts(self.body.config, stacked=stacked)
        found = [Part(part.name, f"body.{part.parameter}", part.at) for part in body]
        return [*found, Part("score.weight", "score.weight")]


def save_reward(model: RewardModel, folder: Path, tokenizer: Path) -> None:
    """Write a reward model as ``AutoModelForSequenceClassification`` of transformers reads it."""
    config = to_hf(model.body.config, special_ids(tokenizer), HEAD)
    config |= {"id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    write_model(folder, config, model.state_dict(keep_vars=True), model.parts(), tokenizer)


def load_reward(folder: Path) -> RewardModel:
    """Open a reward model, in float32 and evaluation mode. Raises ArtifactError."""
    checkpoint = Checkpoint.open(folder)
    config = from_hf(checkpoint.config, str(folder / "config.json"))
    with torch.device("meta"):
        model = RewardModel(Transformer(config))
    model = model.to_empty(device="cpu")
    model.body.fill_tables()
    fill(checkpoint, lambda stacked: views(model, model.parts(stacked=stacked)))
    return model.eval()
