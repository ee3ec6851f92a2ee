"""From a step of a run to the text it learned from, and from a document to the steps that saw it.

Both are computed from the order of the data, which is a pure function of the run's settings: no
step is replayed and no log of batches is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from olmeda.base.errors import ConfigError, InputError, nearest
from olmeda.tokens.account import Account, account, told
from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.origins import Origins
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.train.traced_run import TracedRun

EXCERPT = 80
"""Characters of each text that are shown."""


class Seen(msgspec.Struct, frozen=True):
    """A stretch of a document in a step: the targets ``begin .. end`` of the instance at ``place``
    are the tokens ``since .. upto`` of ``of`` of the document, which is ``text``."""

    place: int
    begin: int
    end: int
    id: str
    source: str
    file: str
    line: int
    origin: str
    """File and line that the text was first read from, where the corpus still tells."""
    since: int
    upto: int
    of: int
    text: str
    learned: bool
    """Not, where the instance was masked because it repeats itself."""


class StepTrace(msgspec.Struct, frozen=True):
    """What a step reads: instances ``first .. first + count - 1`` of the order, and their text."""

    run: str
    step: int
    until: int
    done: int
    seen: bool
    """Whether the run has taken this step, and has not gone back to before it."""
    first: int
    count: int
    sequence: int
    """Tokens of a row that the model sees."""
    epoch: float
    order_digest: str
    stretches: list[Seen]


class Sight(msgspec.Struct, frozen=True):
    """A step that reads a document: the tokens ``since .. upto`` of it, at ``place``."""

    step: int
    seen: bool
    epoch: float
    place: int
    begin: int
    end: int
    since: int
    upto: int


class DocumentTrace(msgspec.Struct, frozen=True):
    """A document, where its text stands, and when a run reads it."""

    run: str
    done: int
    until: int
    id: str
    source: str
    file: str
    line: int
    origin: str
    tokens: int
    text: str
    sights: list[Sight]


class WholeTrace(msgspec.Struct, frozen=True):
    """What a run reads in all, part by part."""

    run: str
    done: int
    until: int
    order_digest: str
    account: Account


def trace_whole(run: TracedRun) -> WholeTrace:
    """The parts of what a run reads from its first step to its last."""
    held = account(run.loader, run.batches.draws(run.until).first)
    return WholeTrace(str(run.path), run.done, run.until, run.loader.order_digest, held)


def trace_step(run: TracedRun, step: int, excerpt: int = EXCERPT) -> StepTrace:
    """What step ``step`` of a run reads; ``excerpt`` characters of each text, 0 for all.

    Raises ConfigError for a step that the run does not have.
    """
    if not 1 <= step <= run.until:
        raise ConfigError(f"{run.path}: its steps are 1 .. {run.until}; there is no step {step}")
    draw = run.batches.draws(step - 1)
    loader = run.loader
    spans = loader.spans(draw.first, draw.count)
    read = loader.read(draw.first, draw.count)
    learned = (read.labels_BT != IGNORED).any(1).tolist()
    tokenizer, origins = Tokenizer.open(run.tokens.tokenizer), Origins.of(run.tokens)
    table = run.tokens.documents.select("file", "line", "tokens")[spans["document"].to_list()]
    stretches = []
    for span, (file, line, tokens) in zip(spans.iter_rows(named=True), table.iter_rows()):
        at = span["place"] - draw.first
        ids = _tokens_of(run, span["document"])[span["from"] : span["upto"]]
        stretches.append(
            Seen(
                span["place"],
                span["begin"],
                span["end"],
                span["id"],
                span["source"],
                file,
                line,
                origins.of_line(file, line),
                span["from"],
                span["upto"],
                tokens,
                _excerpt(tokenizer, ids, excerpt),
                learned[at],
            )
        )
    return StepTrace(
        run=str(run.path),
        step=step,
        until=run.until,
        done=run.done,
        seen=run.has_seen(step),
        first=draw.first,
        count=draw.count,
        sequence=draw.sequence,
        epoch=draw.first / loader.instances,
        order_digest=loader.order_digest,
        stretches=stretches,
    )


def trace_document(run: TracedRun, name: str, excerpt: int = EXCERPT) -> list[DocumentTrace]:
    """The steps that read the documents called ``name`` (more than one, if sources share ids).

    Raises InputError where the tokens hold no such document.
    """
    documents = run.tokens.documents.with_row_index("number")
    found = documents.filter(pl.col("id") == name)
    if found.is_empty():
        near = nearest(name, documents["id"].head(100_000).to_list(), 3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise InputError(f"{run.tokens.path}: no document is called {name!r}{hint}")
    tokenizer, origins = Tokenizer.open(run.tokens.tokenizer), Origins.of(run.tokens)
    columns = ("number", "source", "file", "line", "tokens")
    return [
        DocumentTrace(
            run=str(run.path),
            done=run.done,
            until=run.until,
            id=name,
            source=source,
            file=file,
            line=line,
            origin=origins.of_line(file, line),
            tokens=tokens,
            text=_excerpt(tokenizer, _tokens_of(run, number), excerpt),
            sights=list(_sights(run, number)),
        )
        for number, source, file, line, tokens in found.select(columns).iter_rows()
    ]


def _sights(run: TracedRun, document: int) -> Iterator[Sight]:
    loader = run.loader
    before = run.batches.draws(run.until).first
    for place in loader.places_of(document, before).tolist():
        step = run.step_of(place)
        spans = loader.spans(place, 1).filter(pl.col("document") == document)
        for span in spans.iter_rows(named=True):
            yield Sight(
                step,
                run.has_seen(step),
                place / loader.instances,
                place,
                span["begin"],
                span["end"],
                span["from"],
                span["upto"],
            )


def _tokens_of(run: TracedRun, document: int) -> Sequence[int]:
    row, count = run.tokens.documents.select("row", "count").row(document)
    ids: list[int] = run.tokens.document_ids(row, count).tolist()
    return ids


def _excerpt(tokenizer: Tokenizer, ids: Sequence[int], most: int) -> str:
    """The text of some tokens, or its beginning and end with how much was left out."""
    text = tokenizer.decode(ids, skip_special=False)
    if not most or len(text) <= most:
        return text
    half = max((most - 5) // 2, 1)
    return f"{text[:half]} ... {text[-half:]}"


def told_whole(found: WholeTrace) -> str:
    """What ``olmeda train trace RUN`` prints."""
    return (
        f"{found.run}: {found.done} of {found.until} steps taken, {found.account.places:,} "
        f"instances of {found.account.sequence} tokens in all, order {found.order_digest[:12]}\n"
        + told(found.account)
    )


def told_step(found: StepTrace) -> str:
    """What ``olmeda train trace RUN --step N`` prints."""
    state = "seen" if found.seen else "not seen" + (" yet" if found.step > found.done else "")
    names = len({(s.source, s.id) for s in found.stretches})
    lines = [
        f"{found.run}: step {found.step} of {found.until}, {state} ({found.done} taken)",
        f"{found.count} instances at places {found.first:,} .. {found.first + found.count - 1:,}, "
        f"epoch {found.epoch:.3f}, {names} documents, rows of {found.sequence} tokens, order "
        f"{found.order_digest[:12]}",
    ]
    place = -1
    for seen in found.stretches:
        if seen.place != place:
            place = seen.place
            lines.append(f"place {place:,}" + ("" if seen.learned else "  masked: repeats itself"))
        lines.append(
            f"  {seen.begin:>5} .. {seen.end:<5} {seen.id}  ({seen.source or '-'})  "
            f"{_where(seen.file, seen.line, seen.origin)}  tokens {seen.since} .. {seen.upto} of "
            f"{seen.of}"
        )
        lines.append(f"      {seen.text!r}")
    return "\n".join(lines)


def told_document(found: Sequence[DocumentTrace]) -> str:
    """What ``olmeda train trace RUN --document ID`` prints."""
    lines = []
    for document in found:
        read = {s.step for s in document.sights}
        taken = {s.step for s in document.sights if s.seen}
        lines += [
            f"{document.id}  ({document.source or '-'})  "
            f"{_where(document.file, document.line, document.origin)}  {document.tokens} tokens",
            f"  {document.text!r}",
            f"  read by {len(read)} of the {document.until} steps of {document.run}, and by "
            f"{len(taken)} of the {document.done} taken",
        ]
        for sight in document.sights:
            note = "" if sight.seen else "  not yet" if sight.step > document.done else "  left out"
            lines.append(
                f"  step {sight.step:>7}  epoch {sight.epoch:.3f}  place {sight.place:,}, targets "
                f"{sight.begin} .. {sight.end}  tokens {sight.since} .. {sight.upto}{note}"
            )
    return "\n".join(lines)


def _where(file: str, line: int, origin: str) -> str:
    return f"{file}:{line}" + (f" (read from {origin})" if origin else "")
