"""One static page that compares training runs: curves, final figures, experts, lineage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from olmeda.artifacts.estimate import STUDENT_T
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.files import write_bytes
from olmeda.web.arms import Arm
from olmeda.web.page import Section, render
from olmeda.web.provenance import about, ancestry, finished
from olmeda.web.report import PAGE, SUMMARY
from olmeda.web.sections.cost import cost_section
from olmeda.web.sections.experts import experts_section
from olmeda.web.sections.lineage import lineage_section
from olmeda.web.sections.runs import curves_section, ends_section, gradients_section
from olmeda.web.sections.training import Run
from olmeda.web.summary import summary

MOST_SEEDS = len(STUDENT_T) + 1


def _to_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, Path)) else value


class RunsConfig(Config, frozen=True):
    """Which runs to compare: ``{dense: runs/dense, moe: [runs/moe-1, runs/moe-2]}``."""

    title: str = "Training runs"
    runs: dict[str, Annotated[list[ArtifactPath], BeforeValidator(_to_list)]] = Field(min_length=1)
    """Checkpoints by the name of their arm; several under one name are its seeds, in one order in
    every arm. Others are held against the first arm."""

    @field_validator("runs")
    @classmethod
    def _seeds_fit(cls, runs: dict[str, list[Path]]) -> dict[str, list[Path]]:
        for name, paths in runs.items():
            if not 1 <= len(paths) <= MOST_SEEDS:
                raise ValueError(f"{name}: from 1 to {MOST_SEEDS} runs can be one arm")
        return runs


@verb("web.runs", makes="report")
def runs(config: RunsConfig, making: Making) -> None:
    """Draw one self-contained page that compares training runs."""
    arms = [Arm(n, tuple(Run.open(path) for path in paths)) for n, paths in config.runs.items()]
    made = ancestry(config.inputs())
    steps = finished(made)
    sections = [*_sections(arms), cost_section(steps), lineage_section(made)]
    page = render(config.title, about([record for _, record in steps]), sections)
    write_bytes(making.path / PAGE, page.encode())
    write_bytes(making.path / SUMMARY, summary(config.title, sections, []).encode())
    making.counts |= {"arms": len(arms), "runs": sum(len(arm.runs) for arm in arms)}


def _sections(arms: Sequence[Arm]) -> list[Section]:
    found = [ends_section(arms), curves_section(arms), experts_section(arms)]
    return [section for section in (*found, gradients_section(arms)) if section is not None]
