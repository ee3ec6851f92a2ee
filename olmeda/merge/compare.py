"""merge.compare: parallel training and merging against the other ways to add a skill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BeforeValidator, Field, field_validator

from olmeda.artifacts.lineage import RECORD, Lineage, Making, digest_input
from olmeda.artifacts.scores import COST, WHOLE, Score, Scores, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.base.files import write_bytes, write_json
from olmeda.merge.cells import item_values, system_names
from olmeda.merge.contest import Contest, Outcome, Way, as_text, judge
from olmeda.merge.tradeoff import data_weight

RESULT = "compare.json"
RATER = "checker:merge.compare"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class SkillConfig(Config, frozen=True):
    """How one skill was added: where to find each way's model.

    ``family``: the task family (or families) that measure the skill; ``sweep``: the prefix of the
    swept systems (``extraction`` for ``extraction-0.40``); ``alone``: trained on the skill alone
    from the base (several, where the sweep merged several skills).
    """

    family: Annotated[list[str], BeforeValidator(_listed)] = Field(min_length=1)
    sweep: str
    alone: Annotated[list[ArtifactPath], BeforeValidator(_listed)] = Field(min_length=1)
    continued: ArtifactPath | None = None
    retrained: ArtifactPath | None = None


class CompareConfig(Config, frozen=True):
    """Settings of merge.compare.

    ``scorers``: the scorer that stands for each family; ``general``: the families of the general
    score. The weight that maximises ``(1 - skill_share) * general + skill_share * skill`` on the
    ``choose_on`` split is reported on the ``report_on`` split.
    """

    scores: list[ArtifactPath] = Field(min_length=1)
    scorers: dict[str, str]
    general: list[str] = Field(min_length=1)
    skills: dict[str, SkillConfig] = Field(min_length=1)
    base: ArtifactPath
    general_checkpoint: ArtifactPath
    choose_on: str = "validation"
    report_on: str = "test"
    skill_share: float = Field(default=0.5, ge=0, le=1)
    seed: int = 0

    @field_validator("scorers")
    @classmethod
    def _higher_is_better(cls, scorers: dict[str, str]) -> dict[str, str]:
        for family, scorer in scorers.items():
            if scorer.endswith(COST):
                raise ValueError(
                    f"{family}: {scorer} is a cost, and the largest score wins here; "
                    "name a scorer that grows as answers get better"
                )
        return scorers


@verb("merge.compare", makes="scores")
def compare(config: CompareConfig, making: Making) -> None:
    """Compare ways to add a skill: scores against cost."""
    frame = Scores.join(config.scores)
    named = system_names(config.scores)
    outcomes = {
        name: judge(_contest(config, skill, frame, named)) for name, skill in config.skills.items()
    }
    shown = {"general_families": config.general, "skill_share": config.skill_share,
             "choose_on": config.choose_on, "report_on": config.report_on,
             "skills": outcomes}  # fmt: skip
    write_json(making.path / RESULT, shown)
    text = "\n\n".join(as_text(name, outcome) for name, outcome in outcomes.items())
    write_bytes(making.path / "compare.txt", f"{text}\n".encode())
    making.counts["rows"] = write_scores(making.path, _rows(outcomes))
    making.counts |= {f"weight_{name}": o.chosen.weight for name, o in outcomes.items()}


def _contest(
    config: CompareConfig, skill: SkillConfig, frame: pl.DataFrame, named: Mapping[str, str]
) -> Contest:
    ways = ways_to_add(skill, config.base, config.general_checkpoint, frame, named)
    systems = [way.system for way in ways]

    def values(split: str, families: list[str]) -> list[Any]:
        found = []
        for family in families:
            if family not in config.scorers:
                raise ConfigError(f"scorers: {unknown('family', family, config.scorers)}")
            found.append(item_values(frame, f"{split}/{family}", config.scorers[family], systems))
        return found

    return Contest(
        ways,
        choose_general=values(config.choose_on, config.general),
        choose_skill=values(config.choose_on, skill.family),
        report_general=values(config.report_on, config.general),
        report_skill=values(config.report_on, skill.family),
        skill_share=config.skill_share,
        data_weight=_data_weight(skill, config.general_checkpoint),
        seed=config.seed,
    )


def ways_to_add(
    skill: SkillConfig, base: Path, general: Path, frame: pl.DataFrame, named: Mapping[str, str]
) -> list[Way]:
    """Every model to compare and what it cost to add the skill, in tokens trained for it.

    Merging and continued finetuning cost the skill's tokens, retraining all of its own; the base
    and the general model cost none. Raises InputError if the scores hold no swept system.
    """
    each = [trained_tokens(path) for path in skill.alone]
    merged = sum(t for t in each if t is not None) if None not in each else None
    ways = [Way("base", _name(base, named), 0.0), Way("general", _name(general, named), 0.0)]
    ways += [Way("alone", _name(p, named), tokens) for p, tokens in zip(skill.alone, each)]
    if skill.continued:
        ways.append(
            Way("continued", _name(skill.continued, named), trained_tokens(skill.continued))
        )
    if skill.retrained:
        ways.append(
            Way("retrained", _name(skill.retrained, named), trained_tokens(skill.retrained))
        )
    systems = frame["system"].unique().sort().to_list()
    swept = {s: w for s in systems if (w := swept_weight(s, skill.sweep)) is not None}
    if not swept:
        raise InputError(
            f"the scores hold no system {skill.sweep}-<weight>; they hold {', '.join(systems)}"
        )
    return ways + [
        Way("merged", s, merged, w) for s, w in sorted(swept.items(), key=lambda i: i[1])
    ]


def swept_weight(system: str, prefix: str) -> float | None:
    """The weight in the name ``<prefix>-<weight>`` of a swept system, else None."""
    found = re.fullmatch(re.escape(prefix) + r"-(-?\d+\.\d+)", system)
    return float(found[1]) if found else None


def trained_tokens(checkpoint: Path) -> float | None:
    """The tokens that the training of this checkpoint saw, by its lineage; None if not recorded."""
    if not (checkpoint / RECORD).is_file():
        return None
    return Lineage.open(checkpoint).counts.get("tokens")


def _data_weight(skill: SkillConfig, general: Path) -> float | None:
    """The mean over the merged skills of their data-amount weights: they share one swept weight."""
    tokens, general_tokens = [trained_tokens(p) for p in skill.alone], trained_tokens(general)
    known = [t for t in tokens if t is not None]
    if not general_tokens or len(known) < len(tokens):
        return None
    return data_weight(sum(known) / len(known), general_tokens)


def _name(checkpoint: Path, named: Mapping[str, str]) -> str:
    return named.get(digest_input(checkpoint)[0], checkpoint.name)


def _rows(outcomes: Mapping[str, Outcome]) -> Iterator[Score]:
    for name, outcome in outcomes.items():
        for p in outcome.points:
            values = {"general": p.general.value, "skill": p.skill.value}
            if p.cost_tokens is not None:
                values["tokens_cost"] = p.cost_tokens
            for scorer, value in values.items():
                yield Score(p.system, f"merge/{name}", WHOLE, scorer, value, RATER)
