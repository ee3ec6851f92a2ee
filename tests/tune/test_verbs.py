"""The three verbs of the room on a tiny base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.examples import Conversation, Message, Trio
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ArtifactError, ConfigError, InputError
from olmeda.base.files import write_rows
from olmeda.model import hf
from olmeda.model.reward import load_reward
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.tune.encode import encode_trios, last_places, padded, read_examples
from olmeda.tune.order import ShuffledRows
from olmeda.tune.prefer import PreferConfig, prefer
from olmeda.tune.reward_model import RewardModelConfig, reward_model
from olmeda.tune.sft import SftConfig, sft

LOOP = {"epochs": 4, "batch_tokens": 96, "micro_tokens": 64, "sequence": 48, "lr": 0.01,
        "save_every": 3}  # fmt: skip
VERBS = {"sft": (sft, SftConfig), "reward": (reward_model, RewardModelConfig),
         "prefer": (prefer, PreferConfig)}  # fmt: skip


def made(kind: str, base: Path, data: Path, out: Path, **changes: Any) -> Path:
    verb, config = VERBS[kind]
    loop = {**LOOP, **changes.pop("loop", {})}
    values = {"base": base, "data": [data], "loop": loop, **changes}
    return verb(config.model_validate(values), out)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sft", "reward", "prefer"])
def test_a_killed_run_goes_on_and_ends_bit_equal(
    kind: str, base: Path, conversations: Path, trios: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    data = conversations if kind == "sft" else trios
    straight = made(kind, base, data, tmp_path / "straight")
    plain = ShuffledRows.at

    def at(self: ShuffledRows, step: int) -> Any:
        if step == 5:
            raise KeyboardInterrupt
        return plain(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(ShuffledRows, "at", at)
        with pytest.raises(KeyboardInterrupt):
            made(kind, base, data, tmp_path / "killed")
    killed = made(kind, base, data, tmp_path / "killed")
    assert Lineage.open(killed).digest == Lineage.open(straight).digest
    assert read_progress(killed)[-1]["step"] == Lineage.open(killed).counts["steps"]


def test_finetuning_lowers_the_loss_and_counts_what_it_did(
    base: Path, conversations: Path, tmp_path: Path
) -> None:
    out = made("sft", base, conversations, tmp_path / "out", loop={"epochs": 8})
    rows = [r for r in read_progress(out) if "loss" in r]
    assert rows[-1]["loss"] < rows[0]["loss"]
    counts = Lineage.open(out).counts
    assert counts["rows"] == 12
    assert (counts["rows_too_long"], counts["rows_untrainable"]) == (1, 1)
    assert 0 < counts["trainable_tokens"] < counts["tokens"] / 8
    assert hf.load(out).config == hf.load(base).config


def test_reward_model_learns_to_prefer_and_starts_undecided(
    base: Path, trios: Path, tmp_path: Path
) -> None:
    out = made("reward", base, trios, tmp_path / "out", loop={"epochs": 20})
    rows = [r for r in read_progress(out) if "loss" in r]
    assert rows[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert rows[-1]["loss"] < 0.69
    tokenizer = Tokenizer.open(out)
    pairs, _ = encode_trios(tokenizer, read_examples([trios], Trio), 48)
    model = load_reward(out)
    with torch.no_grad():
        chosen, rejected = (
            model(padded(side, tokenizer.pad).ids_BT, last_places(side))
            for side in ([c for c, _ in pairs], [r for _, r in pairs])
        )
    assert float((chosen - rejected).mean()) > 0


@pytest.mark.parametrize("loss", ["sigmoid", "dpo_norm", "ipo", "simpo"])
def test_preference_tuning_widens_the_margin(
    loss: str, base: Path, trios: Path, tmp_path: Path
) -> None:
    out = made("prefer", base, trios, tmp_path / "out", loss={"kind": loss}, loop={"epochs": 8})
    rows = [r for r in read_progress(out) if "loss" in r]
    assert rows[0]["margin"] == pytest.approx(0, abs=1e-4)
    assert rows[-1]["margin"] > rows[0]["margin"]
    if loss in ("sigmoid", "dpo_norm"):
        assert rows[0]["loss"] == pytest.approx(0.693147, abs=1e-4)


def test_rows_longer_than_the_context_are_refused_before_training(
    base: Path, conversations: Path, tmp_path: Path
) -> None:
    changed = {"sequence": 64}
    with pytest.raises(ConfigError, match=r"say loop\.sequence=48"):
        made("sft", base, conversations, tmp_path / "out", loop=changed)


def test_data_without_anything_to_learn_is_refused(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write_rows(file, [Conversation("d", "1", [Message("user", "and?")])])
    with pytest.raises(InputError, match=r"0 longer .* 1 without anything to learn"):
        made("sft", base, file, tmp_path / "out")


def test_a_reference_with_another_tokenizer_is_refused(
    base: Path, trios: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in base.iterdir():
        if file.is_file() and file.name != "lineage.json":
            (other / file.name).write_bytes(file.read_bytes())
    text = (other / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text + "\n")
    with pytest.raises(ArtifactError, match="another tokenizer"):
        made("prefer", base, trios, tmp_path / "out", reference=other)
