"""The first copy in input order stays, whatever the shards; spans are exact code points."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.conftest import MakeCorpus
from olmeda.artifacts.corpus import Attributes, Corpus
from olmeda.base.errors import ConfigError
from olmeda.data.batch import TextBatch
from olmeda.data.columns import SpanColumn
from olmeda.data.dedupe import DedupeConfig, dedupe
from olmeda.data.dedupe.paragraphs import SeenHashes, duplicate_paragraphs

PARAGRAPHS = st.lists(
    st.sampled_from(["", " ", "a b", "a b", "é 日本", "\ud800 x", "c", "\r"]), max_size=12
).map("\n".join)


def columns(corpus: Corpus, out: Path, **settings: object) -> dict[str, list[object]]:
    config = DedupeConfig.model_validate({"corpus": corpus.path, **settings})
    held = Attributes.open(dedupe(config, out), corpus)
    tables = [held.read(shard) for shard in corpus.shards]
    return {
        name.partition(".")[2]: [v for t in tables for v in t.column(name).to_pylist()]
        for name in held.columns
    }


def by_line(texts: list[str], min_words: int) -> list[list[tuple[int, int]]]:
    """Duplicate lines in plain Python."""
    seen: set[str] = set()
    found = []
    for text in texts:
        spans, offset = [], 0
        for line in text.split("\n"):
            end = min(offset + len(line) + 1, len(text))
            if len(line.split()) >= min_words:
                if line in seen:
                    spans.append((offset, end))
                seen.add(line)
            offset = end
        found.append(spans)
    return found


def by_blank_line(texts: list[str], min_words: int) -> list[list[tuple[int, int]]]:
    """Duplicate runs of lines that are not empty, with up to two newlines after them."""
    seen: set[str] = set()
    found = []
    for text in texts:
        spans, lines, at, offset = [], text.split("\n"), 0, 0
        while at < len(lines):
            if not lines[at]:
                at, offset = at + 1, offset + 1
                continue
            last = at
            while last + 1 < len(lines) and lines[last + 1]:
                last += 1
            whole = "\n".join(lines[at : last + 1])
            end = min(offset + len(whole) + 2, len(text))
            if len(whole.split()) >= min_words:
                if whole in seen:
                    spans.append((offset, end))
                seen.add(whole)
            offset += len(whole) + 1
            at = last + 1
        found.append(spans)
    return found


def spans_of(column: SpanColumn, doc: int) -> list[tuple[int, int]]:
    rows = range(column.of[doc], column.of[doc + 1])
    return [(int(column.start[i]), int(column.end[i])) for i in rows]


@settings(max_examples=200, deadline=None)
@given(st.lists(PARAGRAPHS, min_size=1, max_size=5), st.integers(1, 3), st.booleans())
def test_duplicate_paragraphs_equal_plain_python(
    texts: list[str], min_words: int, blank: bool
) -> None:
    expected = (by_blank_line if blank else by_line)(texts, min_words)
    whole = duplicate_paragraphs(TextBatch.of(texts), SeenHashes(8), blank, min_words)
    assert [spans_of(whole, doc) for doc in range(len(texts))] == expected
    seen = SeenHashes(8)
    one_by_one = [
        spans_of(duplicate_paragraphs(TextBatch.of([text]), seen, blank, min_words), 0)
        for text in texts
    ]
    assert one_by_one == expected


def test_first_document_stays_in_any_sharding(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    texts = {"a": "same", "b": "other", "c": "same", "d": "", "e": ""}
    for number, shard_bytes in enumerate((1 << 20, 1)):
        corpus = make_corpus(texts, shard_bytes=shard_bytes, more={"f": "other"})
        found = columns(corpus, tmp_path / f"c{number}", documents={})
        assert found["duplicate_document"] == [0, 0, 1, 0, 1, 1]
        assert found["kept"] == [None, None, "a", None, "d", "b"]
    found = columns(corpus, tmp_path / "skip", documents={"skip_empty": True})
    assert found["duplicate_document"] == [0, 0, 1, 0, 0, 1]


def test_paragraph_spans_reach_the_table(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus({"a": "x y\nz\n", "b": "é\nx y\nx y"})
    found = columns(corpus, tmp_path / "c", paragraphs={"min_words": 2})
    assert found["duplicate_paragraph"] == [
        [],
        [{"start": 2, "end": 6, "score": 1.0}, {"start": 6, "end": 9, "score": 1.0}],
    ]


def test_looking_for_nothing_is_an_error(make_corpus: MakeCorpus) -> None:
    with pytest.raises(ConfigError, match="nothing to look for"):
        DedupeConfig.load(None, [f"corpus={make_corpus({'a': 'x'}).path}"])
