"""rubric.agree: ratings become rows of Scores, with what raters agree on beside them.

Files: ``scores.parquet``; ``agreement.json``; ``ratings.jsonl`` (one line a system and rating, in
THumB's own columns, with rater and reasons); ``revisions.jsonl`` (all that was ever entered).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import Score, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError
from olmeda.base.files import digest_value, write_json, write_rows
from olmeda.rubric.agreement import Alpha, Mean, Pair, alpha, mean_interval, pairs
from olmeda.rubric.ratings import Ratings, Revision, place_of
from olmeda.rubric.rubric import Rubric
from olmeda.rubric.session import Author, Session, read_key

TOTAL = "total"


class AgreeConfig(Config, frozen=True):
    """A session and where its ratings lie."""

    session: ArtifactPath
    ratings: Path | None = None
    """The SQLite file; not set: the place where ``olmeda rubric open`` puts it."""
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Rating:
    """A complete rating: every dimension of one unit by one rater."""

    rater: str
    unit: str
    values: dict[str, float]
    reasons: dict[str, str]
    seconds: float


class DimensionAgreement(msgspec.Struct, frozen=True):
    """One dimension, or the total: alpha on two levels of measurement, and pairs of raters."""

    ordinal: Alpha
    interval: Alpha
    pairs: list[Pair]


class RaterWork(msgspec.Struct, frozen=True):
    """What one rater did: complete ratings, begun ones, and the median of seconds a rating."""

    complete: int
    begun: int
    median_seconds: float | None


class Agreement(msgspec.Struct, frozen=True):
    """All of ``agreement.json``. ``systems``: mean of each dimension over all ratings."""

    rubric: str
    version: int
    formula: str
    raters: dict[str, RaterWork]
    dimensions: dict[str, DimensionAgreement]
    systems: dict[str, dict[str, Mean]]


def _history(config: AgreeConfig) -> list[Revision]:
    session = Session.open(config.session)
    ratings = Ratings.existing(config.ratings or place_of(session), session.digest)
    return ratings.history()


def _fingerprints(config: AgreeConfig) -> dict[str, str]:
    """Ratings are keyed by what they say: SQLite's own bytes differ for the same content."""
    return {"ratings": digest_value(msgspec.to_builtins(_history(config)))}


@verb("rubric.agree", makes="scores", fingerprints=_fingerprints)
def agree(config: AgreeConfig, making: Making) -> None:
    """Turn ratings into scores and agreement."""
    session, history = Session.open(config.session), _history(config)
    ratings, begun = complete_ratings(history, session.rubric)
    if not ratings:
        raise InputError(
            f"{session.path}: no rating is complete yet ({len(history)} saves by "
            f"{len({r.rater for r in history})} raters); finish at least one text in every pass"
        )
    key = read_key(session.path)
    making.counts["values"] = write_scores(making.path, score_rows(ratings, key, session.rubric))
    write_rows(making.path / "ratings.jsonl", thumb_rows(ratings, key, session))
    write_rows(making.path / "revisions.jsonl", history)
    rng = np.random.default_rng(config.seed)
    found = agreement_of(ratings, begun, key, session.rubric, config.resamples, rng)
    write_json(making.path / "agreement.json", found)
    making.counts["ratings"] = len(ratings)
    making.counts["raters"] = len(found.raters)
    making.counts["begun"] = sum(begun.values())


def complete_ratings(
    history: Sequence[Revision], rubric: Rubric
) -> tuple[list[Rating], dict[str, int]]:
    """Ratings with a value for every dimension, and how many each rater began but did not end.

    The latest revision of each stage counts; seconds are those of all revisions.
    """
    latest: dict[tuple[str, str], dict[str, Revision]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for revision in history:
        place = (revision.rater, revision.unit)
        latest.setdefault(place, {})[revision.stage] = revision
        seconds[place] = seconds.get(place, 0.0) + revision.seconds
    found: list[Rating] = []
    begun: dict[str, int] = {}
    for place in sorted(latest):
        rater, unit = place
        begun.setdefault(rater, 0)
        values = {k: v for r in latest[place].values() for k, v in r.dims.items()}
        reasons = {k: v for r in latest[place].values() for k, v in r.reasons.items()}
        if all(key in values for key in rubric.keys):
            found.append(Rating(rater, unit, values, reasons, seconds[place]))
        else:
            begun[rater] += 1
    return found, begun


def with_total(values: Mapping[str, float], rubric: Rubric) -> dict[str, float]:
    """The values in the rubric's order, and their total."""
    return {**{key: values[key] for key in rubric.keys}, TOTAL: rubric.total(values)}


def _authors(key: Sequence[Author]) -> dict[str, list[Author]]:
    found: dict[str, list[Author]] = {}
    for author in key:
        found.setdefault(author.unit, []).append(author)
    return found


def score_rows(ratings: Sequence[Rating], key: Sequence[Author], rubric: Rubric) -> Iterator[Score]:
    """A row for each system, dimension and rating; scorers are ``<rubric>.<dimension>``."""
    authors = _authors(key)
    for rating in ratings:
        for name, value in with_total(rating.values, rubric).items():
            for author in authors[rating.unit]:
                yield Score(author.system, author.task, author.item, f"{rubric.name}.{name}",
                            value, f"human:{rating.rater}")  # fmt: skip


def thumb_rows(
    ratings: Sequence[Rating], key: Sequence[Author], session: Session
) -> Iterator[dict[str, Any]]:
    """Ratings in the columns that THumB was published in, with rater, reasons and seconds."""
    authors = _authors(key)
    for rating in ratings:
        for author in authors[rating.unit]:
            yield {
                "SYS": author.system, "seg_id": author.item,
                "hyp": session.units[rating.unit].text,
                **{k: rating.values[k] for k in session.rubric.keys},
                "human_score": session.rubric.total(rating.values),
                "rater": rating.rater, "reasons": rating.reasons,
                "seconds": round(rating.seconds, 1),
            }  # fmt: skip


def agreement_of(
    ratings: Sequence[Rating],
    begun: Mapping[str, int],
    key: Sequence[Author],
    rubric: Rubric,
    resamples: int,
    rng: np.random.Generator,
) -> Agreement:
    """Agreement of every dimension and the total, the raters' work, and the systems' means."""
    raters, units = sorted(begun), sorted({r.unit for r in ratings})
    names = [*rubric.keys, TOTAL]
    values_DRU = np.full((len(names), len(raters), len(units)), np.nan)
    for rating in ratings:
        place = raters.index(rating.rater), units.index(rating.unit)
        values_DRU[:, place[0], place[1]] = list(with_total(rating.values, rubric).values())
    dimensions = {
        name: DimensionAgreement(
            alpha(values_RU, "ordinal", resamples, rng),
            alpha(values_RU, "interval", resamples, rng),
            pairs(raters, values_RU),
        )
        for name, values_RU in zip(names, values_DRU)
    }
    work = {name: _work(ratings, name, count) for name, count in sorted(begun.items())}
    return Agreement(rubric.name, rubric.version, rubric.formula, work, dimensions,
                     system_means(score_rows(ratings, key, rubric)))  # fmt: skip


def _work(ratings: Sequence[Rating], rater: str, begun: int) -> RaterWork:
    spent = [r.seconds for r in ratings if r.rater == rater]
    return RaterWork(len(spent), begun, round(float(np.median(spent)), 1) if spent else None)


def system_means(rows: Iterator[Score]) -> dict[str, dict[str, Mean]]:
    """The mean of each dimension of each system over all its ratings (THumB's result table)."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        dimension = row.scorer.rpartition(".")[2]
        values.setdefault(row.system, {}).setdefault(dimension, []).append(row.value)
    return {
        system: {name: mean_interval(np.array(v)) for name, v in held.items()}
        for system, held in sorted(values.items())
    }
