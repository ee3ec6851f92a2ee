"""billboard.rank: join scores of several makers, and rank generators and metrics on one board.

Writes ``board.json`` (see ``board.Board``) and scores: the ensemble's value of every item, system
means (item ``*``), and, under the task ``<task>/metrics``, what was found out about each metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import WHOLE, Score, Scores, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.files import read_json, write_json
from olmeda.billboard.alignment import column_faults
from olmeda.billboard.board import (
    ENSEMBLE,
    Board,
    EnsembleRow,
    MetricRow,
    constant_for,
    generator_rows,
    p_behind_first,
    standings,
)
from olmeda.billboard.compare import fewest_resamples
from olmeda.billboard.correlate import agreement, instance_draws, pearson
from olmeda.billboard.ensemble import Ensemble, fit, held_out, instance_folds
from olmeda.billboard.measure import RECORD, Measured
from olmeda.billboard.overrating import caveats, overrating
from olmeda.billboard.resample import Estimate, Resamples, estimate
from olmeda.billboard.table import Table, table_of

RATER = f"metric:{ENSEMBLE}"
HELD_OUT_NOTE = (
    "A single metric is fitted to nothing here. The ensemble's correlation in the ranking of "
    "metrics is held out: each system is scored by an ensemble fitted without it. Intervals redraw "
    "instances with all systems together and do not refit the ensemble."
)


class RankConfig(Config, frozen=True):
    """Which scores to join, and what counts as quality and as a person."""

    scores: list[ArtifactPath]
    task: str
    quality: str
    """The scorer whose human or checker values are the quality of a text."""
    human: str = "Human"
    """The system whose texts people wrote; every other system is a machine."""
    length: str = "length"
    """The metric that measures length, used as a covariate if it is there."""
    most_metrics: int = 3
    alpha: float | None = None
    """The Lasso's alpha; not set: the smallest that leaves at most ``most_metrics``."""
    folds: int = 5
    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class _Fitted:
    """The ensemble and its predictions [S, I] of machines, held out in two ways."""

    ensemble: Ensemble | None
    values_SI: np.ndarray | None
    by_system_MI: np.ndarray
    by_instance_MI: np.ndarray
    reason: str = ""


@verb("billboard.rank", makes="scores")
def rank(config: RankConfig, making: Making) -> None:
    """Rank systems and metrics on one board."""
    where = " + ".join(str(p) for p in config.scores)
    table = table_of(Scores.join(config.scores), config.task, config.quality, where)
    rng = np.random.default_rng(config.seed)
    board, values_SI = board_of(table, _signatures(config.scores), config, rng)
    write_json(making.path / "board.json", board)
    making.counts["values"] = write_scores(making.path, board_rows(board, table, values_SI))
    making.counts["systems"] = len(table.systems)
    making.counts["metrics"] = len(table.metrics)
    making.counts["items"] = len(table.items)
    making.counts["rated"] = board.rated


def _signatures(paths: Sequence[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        if (path / RECORD).is_file():
            measured: Measured = read_json(path / RECORD, Measured)
            found |= measured.signatures
    return found


def board_of(
    table: Table, signatures: dict[str, str], config: RankConfig, rng: np.random.Generator
) -> tuple[Board, np.ndarray | None]:
    """The whole board, and the ensemble's values [S, I] (None if nothing could be fitted)."""
    human_S = np.array([s == config.human for s in table.systems])
    machines = table.only(~human_S)
    instances = Resamples.draw("instances", len(table.items), config.resamples, rng)
    draws = Resamples.draw("systems", max(len(machines.systems), 1), config.resamples, rng)
    fitted = _fit(machines, table.values_SIK, config, rng)
    columns = {m: table.values_SIK[:, :, k] for k, m in enumerate(table.metrics)}
    length_SI = columns.get(config.length)
    if fitted.values_SI is not None:
        columns[ENSEMBLE] = fitted.values_SI
    none = np.full_like(table.quality_SI, np.nan)
    by_ensemble = none if fitted.values_SI is None else fitted.values_SI
    metrics = _metric_rows(table, machines, columns, fitted, signatures, instances, draws)
    board = Board(
        task=table.task, quality=table.quality, quality_kind=table.quality_kind,
        quality_raters=table.quality_raters, human=config.human, items=len(table.items),
        rated=int(np.isfinite(table.quality_SI).sum()),
        generators=generator_rows(
            table.systems, config.human, standings(by_ensemble, instances, fitted.reason),
            standings(table.quality_SI, instances), fitted.values_SI, length_SI,
        ),
        metrics=metrics,
        ensemble=_ensemble_row(fitted, machines, metrics, instances, ~human_S),
        overrating=overrating(columns, table.quality_SI, human_S, length_SI),
        caveats=caveats(table.quality_SI, human_S),
        notes=_notes(table, human_S, length_SI, config),
    )  # fmt: skip
    return board, fitted.values_SI


def _fit(
    machines: Table, values_SIK: np.ndarray, config: RankConfig, rng: np.random.Generator
) -> _Fitted:
    """Fit on the rated machine texts and apply to every text, human ones too."""
    rated_MI = np.isfinite(machines.quality_SI)
    blank = np.full(rated_MI.shape, np.nan)
    x_NK, y_N = machines.values_SIK[rated_MI], machines.quality_SI[rated_MI]
    system_N, item_N = np.nonzero(rated_MI)
    if len(y_N) < 3:
        return _Fitted(None, None, blank, blank, f"only {len(y_N)} machine texts are rated")
    most, alpha = config.most_metrics, config.alpha
    try:
        ensemble = fit(x_NK, y_N, machines.metrics, most=most, alpha=alpha)
    except ValueError as problem:
        return _Fitted(None, None, blank, blank, str(problem))
    by_system_MI, by_instance_MI = blank.copy(), blank.copy()
    by_system_MI[rated_MI] = held_out(x_NK, y_N, system_N, most=most, alpha=alpha)
    fold_N = instance_folds(len(machines.items), config.folds, rng)[item_N]
    by_instance_MI[rated_MI] = held_out(x_NK, y_N, fold_N, most=most, alpha=alpha)
    flat_NK = values_SIK.reshape(-1, len(machines.metrics))
    values_SI = ensemble.apply(flat_NK).reshape(values_SIK.shape[:2])
    return _Fitted(ensemble, values_SI, by_system_MI, by_instance_MI)


def _metric_rows(
    table: Table,
    machines: Table,
    columns: dict[str, np.ndarray],
    fitted: _Fitted,
    signatures: dict[str, str],
    instances: Resamples,
    draws: Resamples,
) -> list[MetricRow]:
    """Every metric and the ensemble against quality on machine text, the best first."""
    compared = {m: machines.values_SIK[:, :, k] for k, m in enumerate(machines.metrics)}
    weights, raters = {}, dict(zip(table.metrics, table.raters))
    if fitted.ensemble is not None:
        compared[ENSEMBLE] = fitted.by_system_MI
        weights = dict(zip(fitted.ensemble.metrics, fitted.ensemble.weights))
    found = {m: agreement(v, machines.quality_SI, instances, draws) for m, v in compared.items()}
    rated = [m for m in found if found[m].instance.value is not None]
    order = sorted(rated, key=lambda m: (-(found[m].instance.value or 0.0), m))
    behind = p_behind_first([compared[m] for m in order], machines.quality_SI, instances)
    places = {m: (i + 1, p) for i, (m, p) in enumerate(zip(order, behind))}
    return [
        MetricRow(
            metric=m, rater=raters.get(m, RATER), signature=signatures.get(m, ""),
            agreement=found[m], with_human=pearson(columns[m], table.quality_SI),
            weight=weights.get(m, 0.0), rank=places.get(m, (None, None))[0],
            p_behind=places.get(m, (None, None))[1],
            constant_for=constant_for(columns[m], table.systems),
        )
        for m in [*order, *(m for m in found if m not in places)]
    ]  # fmt: skip


def _ensemble_row(
    fitted: _Fitted,
    machines: Table,
    metrics: Sequence[MetricRow],
    instances: Resamples,
    machine_S: np.ndarray,
) -> EnsembleRow:
    singles = [m.metric for m in metrics if m.metric != ENSEMBLE and m.rank is not None]
    best = singles[0] if singles else ""
    if fitted.ensemble is None or fitted.values_SI is None:
        none = Estimate(None, reason=fitted.reason)
        return EnsembleRow(None, {}, {}, none, none, none, best, fitted.reason)

    def against_quality(values_MI: np.ndarray) -> Estimate:
        drawn_B = instance_draws(values_MI, machines.quality_SI, instances)
        n = int(np.isfinite(values_MI * machines.quality_SI).sum())
        value = pearson(values_MI, machines.quality_SI)
        return estimate(value, drawn_B, "instances", n, "no fold could be fitted")

    fit_of = fitted.ensemble
    return EnsembleRow(
        fit_of.alpha, {m: w for m, w in zip(fit_of.metrics, fit_of.weights) if w != 0},
        fit_of.raw(), against_quality(fitted.values_SI[machine_S]),
        against_quality(fitted.by_system_MI), against_quality(fitted.by_instance_MI), best,
    )  # fmt: skip


def _notes(
    table: Table, human_S: np.ndarray, length_SI: np.ndarray | None, config: RankConfig
) -> list[str]:
    """What a reader of the board must know before quoting a figure."""
    columns = {m: table.values_SIK[:, :, k] for k, m in enumerate(table.metrics)}
    notes = [*table.notes, *column_faults(columns, table.systems), HELD_OUT_NOTE]
    if table.quality_kind == "checker":
        notes.append(f"Quality ({table.quality}) was given by a program, not by people.")
    if not human_S.any():
        notes.append(f"No system is called {config.human!r}: overrating cannot be estimated.")
    if length_SI is None:
        notes.append(f"No metric is called {config.length!r}: length is not held equal.")
    if config.resamples < (least := fewest_resamples(len(table.systems))):
        notes.append(f"{config.resamples} resamples tell no pair apart; {least} are needed.")
    return notes


def board_rows(board: Board, table: Table, values_SI: np.ndarray | None) -> Iterator[Score]:
    """The board as rows of Scores."""
    if values_SI is not None:
        for system, values_I in zip(table.systems, values_SI):
            yield Score(system, table.task, WHOLE, ENSEMBLE, float(values_I.mean()), RATER)
            for item, value in zip(table.items, values_I):
                yield Score(system, table.task, item, ENSEMBLE, float(value), RATER)
    figures: list[tuple[str, str, float | None]] = []
    for row in board.metrics:
        figures.append((row.metric, "instance_pearson", row.agreement.instance.value))
        figures.append((row.metric, "system_pearson", row.agreement.system.value))
        figures.append((row.metric, "pairwise_accuracy", row.agreement.pairwise.value))
    for effect in board.overrating:
        if effect.by_instance is not None:
            figures.append((effect.metric, "overrating", effect.by_instance.value))
    for metric, scorer, figure in figures:
        if figure is not None:
            yield Score(metric, f"{table.task}/metrics", WHOLE, scorer, figure, "metric:board")
