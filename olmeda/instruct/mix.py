"""instruct.mix: task instances -> conversations to finetune on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from olmeda.artifacts.examples import Conversation, Instance, Message
from olmeda.artifacts.lineage import Making, check
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.base.files import read_rows, write_rows
from olmeda.instruct.draw import shuffled


class MixConfig(Config, frozen=True):
    """``tasks``: family -> how many train instances, fewer where there are fewer.

    ``also``: further examples artifacts whose ``train.jsonl`` holds conversations, taken whole.
    """

    instances: ArtifactPath
    tasks: dict[str, int]
    also: list[ArtifactPath] = []
    seed: int = 0


@verb("instruct.mix", makes="examples")
def mix(config: MixConfig, making: Making) -> None:
    """Draw conversations to finetune on from task instances.

    Writes ``train.jsonl`` of Conversation. Raises ConfigError for an unknown family, InputError
    where nothing is drawn.
    """
    check(config.instances, "examples")
    instances = list(read_rows(config.instances / "train.jsonl", Instance))
    rows = drawn(instances, config.tasks)
    for folder in config.also:
        check(folder, "examples")
        rows += _conversations(folder)
    if not rows:
        raise InputError(f"{config.instances}: the mix is empty; ask for more in `tasks`")
    rows = shuffled(rows, config.seed, [f"{row.dataset}\x1f{row.id}" for row in rows])
    making.counts["conversations"] = write_rows(making.path / "train.jsonl", rows)
    making.counts |= dict(sorted(Counter(row.dataset for row in rows).items()))


def drawn(instances: list[Instance], tasks: dict[str, int]) -> list[Conversation]:
    """The first ``n`` instances of each family as conversations (instances come shuffled).

    Raises ConfigError for a family that no instance has.
    """
    families = list(dict.fromkeys(i.task for i in instances))
    rows: list[Conversation] = []
    for family, most in tasks.items():
        if family not in families:
            raise ConfigError(f"tasks: {unknown('family', family, families)}")
        rows += [conversation(i) for i in instances if i.task == family][:most]
    return rows


def conversation(instance: Instance) -> Conversation:
    """One instance as a turn of the user and a turn of the assistant."""
    messages = [Message("user", instance.input), Message("assistant", instance.output)]
    return Conversation(str(instance.metadata["template"]), instance.id, messages)


def _conversations(folder: Path) -> list[Conversation]:
    return list(read_rows(folder / "train.jsonl", Conversation))
