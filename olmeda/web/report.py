"""The report: one static page about a run, and its summary as plain text.

``report.html`` shows clock times out of the records of its inputs, so its own digest differs
between two runs whose other artifacts are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.files import write_bytes
from olmeda.web.page import Section, render
from olmeda.web.provenance import about, ancestry, as_typed, finished
from olmeda.web.sections.board import board_section
from olmeda.web.sections.corpus import corpus_section
from olmeda.web.sections.cost import cost_section
from olmeda.web.sections.funnel import funnel_section
from olmeda.web.sections.lineage import lineage_section
from olmeda.web.sections.merging import merging_section
from olmeda.web.sections.reward import reward_section
from olmeda.web.sections.routing import routing_section
from olmeda.web.sections.session import open_command, ratings_so_far, session_section
from olmeda.web.sections.training import training_section
from olmeda.web.sections.tuning import tuning_section
from olmeda.web.summary import summary

PAGE, SUMMARY = "report.html", "summary.txt"


class ReportConfig(Config, frozen=True):
    """What the page shows; a part that is not given is left out of the page.

    corpus, text, heldout_text: the corpus as read, as mixed, and held out.
    models: pretrained checkpoints by name; tuned: finetuned ones.
    perplexity, routing, merging, reward, board: scores with the file their verb puts beside them.
    """

    title: str = "A run of olmeda"
    corpus: ArtifactPath | None = None
    text: ArtifactPath | None = None
    heldout_text: ArtifactPath | None = None
    tokens: ArtifactPath | None = None
    heldout_tokens: ArtifactPath | None = None
    models: dict[str, ArtifactPath] = {}
    perplexity: ArtifactPath | None = None
    routing: ArtifactPath | None = None
    tuned: dict[str, ArtifactPath] = {}
    merging: ArtifactPath | None = None
    reward: ArtifactPath | None = None
    board: ArtifactPath | None = None
    session: ArtifactPath | None = None


@verb("web.report", makes="report")
def report(config: ReportConfig, making: Making) -> None:
    """Draw one self-contained page about a run."""
    made = ancestry(config.inputs())
    steps = finished(made)
    sections = [*_sections(config), cost_section(steps), lineage_section(made)]
    page = render(config.title, about([record for _, record in steps]), sections)
    write_bytes(making.path / PAGE, page.encode())
    closing = [f"report: {as_typed(_home(making)) / PAGE}"]
    if config.session:
        closing.append(f"rate:   {open_command(config.session)}")
        closing.append(f"        {ratings_so_far(config.session)}")
    write_bytes(making.path / SUMMARY, summary(config.title, sections, closing).encode())
    making.counts["sections"] = len(sections)
    making.counts["steps"] = len(steps)
    making.counts["bytes"] = len(page.encode())


def _sections(config: ReportConfig) -> Iterator[Section]:
    if config.text:
        yield funnel_section(config.text)
    corpora = {"read": config.corpus, "training": config.text, "held out": config.heldout_text}
    tokensets = {"training": config.tokens, "held out": config.heldout_tokens}
    if any(corpora.values()) or any(tokensets.values()):
        yield corpus_section(_given(corpora), _given(tokensets))
    if config.models:
        yield training_section(config.models, config.perplexity, config.heldout_tokens)
    if config.routing:
        yield routing_section(config.routing)
    if config.tuned:
        yield tuning_section(config.tuned)
    if config.merging:
        yield merging_section(config.merging)
    if config.reward:
        yield reward_section(config.reward)
    if config.board:
        yield board_section(config.board)
    if config.session:
        yield session_section(config.session)


def _given(paths: dict[str, Path | None]) -> dict[str, Path]:
    return {name: path for name, path in paths.items() if path is not None}


def _home(making: Making) -> Path:
    """Where the artifact will lie: its hidden folder is named ``.<name>.making`` until the end."""
    return making.path.with_name(making.path.name.removeprefix(".").removesuffix(".making"))
