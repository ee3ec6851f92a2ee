"""What docs/data.md shows works as it stands there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from olmeda import cli
from olmeda.artifacts.corpus import Corpus
from olmeda.data.batch import TextBatch
from olmeda.data.registries import tagger

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found.group(1)


def test_the_taggers_example_is_a_tagger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger, "_plugins", {name: tagger.get(name) for name in tagger.names()})
    (tmp_path / "shouting.py").write_text(block("python"))
    spec = importlib.util.spec_from_file_location("shouting", tmp_path / "shouting.py")
    assert spec
    assert spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    texts = TextBatch.of(["a! b!", "", "!", "é!"])
    assert tagger.bind("shouting")(texts)["marks"].tolist() == [2, 0, 1, 1]


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in ("todo", "again", "other"):
        text = f"{name if name == 'other' else ''} " + "write down every thing that is to do " * 3
        (notes / f"{name}.md").write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    cli._add_rooms()
    outputs = []
    for line in block("sh").replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        done = CliRunner().invoke(cli.app, words[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
        outputs.append(done.output)
    assert [d.id for d in Corpus.open(Path("runs/notes/text"))] == [
        "notes/again.md",
        "notes/other.md",
    ]
    assert "the other copy is notes/again.md" in outputs[-2]
    assert "characters@1" in outputs[-1]
