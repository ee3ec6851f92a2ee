"""From a line of a corpus to where its text was first read."""

from __future__ import annotations

from pathlib import Path

from olmeda.artifacts.tokenset import TokenSet
from olmeda.data.read import ReadConfig, read
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.origins import Origins


def test_every_document_leads_back_to_its_file_and_line(tokenizer: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("a", "b"):
        rows = [f'{{"id": "{name}{n}", "text": "text {name} {n}"}}\n' for n in range(5)]
        (folder / f"{name}.jsonl").write_text("".join([*rows[:2], "no document\n", *rows[2:]]))
    source = {"name": "raw", "kind": "files", "path": str(folder)}
    corpus = read(
        ReadConfig.model_validate({"sources": [source], "on_bad": "quarantine"}),
        tmp_path / "corpus",
    )
    opened = TokenSet.open(encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), tmp_path / "t"))
    origins = Origins.of(opened)
    assert len(opened.documents) == 10
    for name, file, line in opened.documents.select("id", "file", "line").iter_rows():
        place, _, at = origins.of_line(file, line).rpartition(":")
        assert name in (folder / place).read_text().splitlines()[int(at) - 1]
    assert origins.of_line("documents/raw-00000.jsonl.zst", 11) == ""


def test_where_the_corpus_tells_nothing_nothing_is_told(tokenset: Path) -> None:
    origins = Origins.of(TokenSet.open(tokenset))
    assert origins.file is None
    assert origins.of_line("documents/topics-00000.jsonl.zst", 1) == ""
