"""Token files of dolma 1.2.1 open here with the ids that our encoder gives, and ours as its do."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest

from olmeda.artifacts.corpus import Corpus, Document
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.files import write_rows
from olmeda.tokens.adopt import AdoptConfig, adopt
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.export_dolma import ExportDolmaConfig, export_dolma
from olmeda.tokens.loader import TokenLoader
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.tokens.train import TrainConfig, train
from tokens.conftest import ODD, write_corpus

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TEXTS = [*sorted(topics.values())[:60], *ODD, "  led and followed by blanks \n\n", 'a "quoted", id']
DOCUMENTS = [Document(f'{n}, "{n}"', text, "topics") for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of ours, and a tokenizer in the form that dolma's older library reads."""
    home = tmp_path_factory.mktemp("tokens")
    write_corpus(home / "corpus", DOCUMENTS)
    train(TrainConfig(corpus=home / "corpus", vocab_size=600), home / "tokenizer")
    content = json.loads((home / "tokenizer" / "tokenizer.json").read_text())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    (home / "tokenizer.json").write_text(json.dumps(content))
    return home


@pytest.fixture(scope="module")
def theirs(dolma: Path, folder: Path) -> Path:
    """What ``dolma tokens`` makes of the same documents."""
    (folder / "documents").mkdir()
    for number, part in enumerate((DOCUMENTS[::2], DOCUMENTS[1::2])):
        write_rows(folder / "documents" / f"{number}.jsonl.gz", part)
    command = [
        *(dolma.parent / "dolma", "tokens", "--documents", folder / "documents" / "*.gz"),
        *("--destination", folder / "theirs", "--processes", "1", "--dtype", "uint16"),
        *("--tokenizer.name_or_path", folder / "tokenizer.json", "--max_size", "1000000"),
        *("--tokenizer.eos_token_id", "0", "--tokenizer.pad_token_id", "1"),
        "--tokenizer.encode_special_tokens",  # else a text can forge the end of a document
    ]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "theirs"


def test_files_of_dolma_hold_the_ids_that_our_encoder_gives(theirs: Path, folder: Path) -> None:
    config = AdoptConfig(folder=theirs, tokenizer=folder / "tokenizer")
    found = TokenSet.open(adopt(config, folder / "adopted"))
    tokenizer = Tokenizer.open(folder / "tokenizer")
    wanted = {
        d.id: [*tokenizer.encode(d.text.strip()), tokenizer.eos]
        for d in DOCUMENTS
        if d.text.strip()
    }
    rows = found.documents.select("id", "row", "count").iter_rows()
    assert {n: found.document_ids(r, c).tolist() for n, r, c in rows} == wanted
    sizes = dict(found.documents.select("id", "bytes").iter_rows())
    assert sizes == {d.id: len(d.text.strip().encode()) for d in DOCUMENTS if d.text.strip()}
    assert TokenLoader(found, sequence=64, seed=1).read(0, 2).ids_BT.shape == (2, 64)


def test_rows_of_dolma_name_file_and_line(theirs: Path, folder: Path) -> None:
    found = TokenSet.open(adopt(AdoptConfig(folder=theirs, tokenizer=folder / "tokenizer"),
                                folder / "adopted"))  # fmt: skip
    places = {
        n: (Path(f).name, at)
        for n, f, at in found.documents.select("id", "file", "line").iter_rows()
    }
    for number, document in enumerate(DOCUMENTS):
        if document.text.strip():
            assert places[document.id] == (f"{number % 2}.jsonl.gz", number // 2 + 1)


def test_our_files_are_named_typed_and_laid_out_as_those_of_dolma(
    theirs: Path, folder: Path
) -> None:
    tokenizer = Tokenizer.open(folder / "tokenizer")
    stripped = [Document(d.id, d.text.strip(), d.source) for d in DOCUMENTS if d.text.strip()]
    clean = write_corpus(folder / "stripped", stripped, shard_bytes=10**9)
    assert len(Corpus.open(clean).shards) == 1
    encode(EncodeConfig(corpus=clean, tokenizer=folder / "tokenizer"), folder / "tokens")
    ours = export_dolma(ExportDolmaConfig(tokens=folder / "tokens"), folder / "ours")
    names = [p.name for p in sorted(theirs.iterdir())]
    assert [p.name for p in sorted(ours.glob("part-*"))] == names
    found = {}
    for home in (ours, theirs):
        ids = np.memmap(home / names[1], "<u2", "r")
        with gzip.open(home / names[0], "rt", newline="") as table:
            rows = list(csv.reader(table))
        assert int(rows[-1][1]) == len(ids)
        found[home] = {row[2]: ids[int(row[0]) : int(row[1])].tolist() for row in rows}
        assert all(ids[int(row[1]) - 1] == tokenizer.eos for row in rows)
    assert found[ours] == found[theirs]
