"""What is read becomes a document; what cannot be is named with file, line and remedy."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from olmeda.artifacts.corpus import Corpus, Document
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import write_rows
from olmeda.data.read import QUARANTINE, ReadConfig, SourceConfig, read


def config(path: Path, on_bad: str = "stop", **params: object) -> ReadConfig:
    source = {"name": "own", "kind": "files", "path": str(path), **params}
    return ReadConfig(sources=[SourceConfig(**source)], on_bad=on_bad)  # type: ignore[arg-type]


def documents(config: ReadConfig, out: Path) -> list[Document]:
    return list(Corpus.open(read(config, out)))


def quarantined(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / QUARANTINE).read_text().splitlines()]


def test_each_ending_is_read_in_the_order_of_paths(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.md").write_text("# Bé\n")
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfalpha")
    (folder / "page.HTML").write_text("<title>T</title><p>one<p>two")
    (folder / "sub" / "code.js").write_text("let x;")
    (folder / "rows.jsonl").write_text('{"id": "r1", "text": "row", "source": "web"}\n')
    write_rows(folder / "rows.jsonl.zst", [{"id": "r2", "text": "packed"}, {"text": "no id"}])
    pq.write_table(pa.table({"id": ["p"], "text": ["cell"], "n": [3]}), folder / "t.parquet")
    (folder / ".hidden.txt").write_text("no")
    (folder / "image.png").write_bytes(b"\x89PNG")
    found = documents(config(folder), tmp_path / "corpus")
    assert [(d.id, d.text) for d in found] == [
        ("own/a.txt", "alpha"),
        ("own/b.md", "# Bé\n"),
        ("own/page.HTML", "one\n\ntwo"),
        ("r1", "row"),
        ("r2", "packed"),
        ("rows.jsonl.zst:2", "no id"),
        ("own/sub/code.js", "let x;"),
        ("p", "cell"),
    ]
    assert {d.source for d in found} == {"own"}
    assert found[2].metadata["title"] == "T"
    assert found[3].metadata["source"] == "web"
    assert found[6].metadata["language"] == "javascript"
    assert found[7].metadata == {"n": 3}


BAD_LINES = {
    b'{"id": "x", "text": "a"': "broken JSON",
    b'["id"]': "not a document",
    b"": "blank line",
    b'{"id": "x"}': "no 'text': a document needs its text",
    b'{"id": "x", "text": null}': "no 'text'",
    b'{"id": "x", "text": 5}': r"'text' is a number \(5\), not a string",
    b'{"id": 7, "text": "a"}': r"'id' is a number \(7\); write it as a string",
    b'{"id": "", "text": "a"}': "'id' is empty",
    b'{"id": "x", "text": "a\xff"}': "invalid UTF-8",
    b'{"id": "x", "text": "a\\ud800b"}': "broken JSON",
    b'{"id": "x", "text": "a", "metadata": 3}': r"not a document: .*metadata",
    b'{"id": "good", "text": "again"}': "the id 'good' was given before, at own, a.jsonl:1",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line.decode("utf-8", "replace"))
def test_bad_line_stops_with_its_place_and_the_way_out(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id": "good", "text": "fine"}\n' + line + b'\n{"id": "z", "text": "end"}\n')
    says = rf"a\.jsonl:2: .*{BAD_LINES[line]}.*on_bad: quarantine"
    with pytest.raises(InputError, match=says):
        read(config(file), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line.decode("utf-8", "replace"))
def test_bad_line_is_set_aside_when_asked(tmp_path: Path, line: bytes) -> None:
    file, out = tmp_path / "a.jsonl", tmp_path / "corpus"
    file.write_bytes(b'{"id": "good", "text": "fine"}\n' + line + b'\n{"id": "z", "text": "end"}\n')
    assert [d.id for d in documents(config(file, "quarantine"), out)] == ["good", "z"]
    (kept,) = quarantined(out)
    assert (kept["file"], kept["line"], kept["source"]) == ("a.jsonl", 2, "own")
    assert kept["reason"]
    assert Lineage.open(out).counts["quarantined"] == 1


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_cut_file_is_named_and_its_whole_lines_can_be_kept(tmp_path: Path, ending: str) -> None:
    file, out = tmp_path / f"a.jsonl.{ending}", tmp_path / "corpus"
    rows = [{"id": f"{i}", "text": f"{i * 7919 % 1000003}" * 5} for i in range(5000)]
    write_rows(file, rows)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"a\.jsonl\.{ending}:\d+: .*cut short.*quarantine"):
        read(config(file), out)
    kept = documents(config(file, "quarantine"), out)
    assert [d.id for d in kept] == [f"{i}" for i in range(len(kept))]
    assert [d.text for d in kept] == [row["text"] for row in rows[: len(kept)]]
    assert "cut short" in str(quarantined(out)[0]["reason"])


def test_bad_bytes_of_a_text_file_are_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo \xff\n")
    with pytest.raises(InputError, match=r"a\.txt:2: invalid UTF-8 at byte 5 of the line"):
        read(config(tmp_path / "a.txt"), tmp_path / "corpus")
    (tmp_path / "a.txt").write_text("wide", "utf-16")
    with pytest.raises(InputError, match="begins like UTF-16: convert it"):
        read(config(tmp_path / "a.txt"), tmp_path / "corpus")


def test_missing_and_empty_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such file or folder; say another path"):
        read(config(tmp_path / "nowhere"), tmp_path / "corpus")
    (tmp_path / "own").mkdir()
    with pytest.raises(InputError, match="holds no file to read"):
        read(config(tmp_path / "own"), tmp_path / "corpus")
    (tmp_path / "own" / "a.jsonl").touch()
    with pytest.raises(
        InputError, match=r"source own, in .*own: gave no document at all; it is empty"
    ):
        read(config(tmp_path / "own"), tmp_path / "corpus")
    (tmp_path / "own" / "a.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"gave no document.* bad, the first at a\.jsonl:1"):
        read(config(tmp_path / "own", "quarantine"), tmp_path / "corpus")
    (tmp_path / "a.bin").touch()
    with pytest.raises(InputError, match=r"a\.bin: no known ending"):
        read(config(tmp_path / "a.bin"), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_parquet_without_the_column_or_the_end_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"txet": ["x", None]}), file)
    with pytest.raises(InputError, match="no column called 'text'; did you mean 'txet'"):
        read(config(file), tmp_path / "corpus")
    with pytest.raises(InputError, match=r"a\.parquet:2: no 'txet'"):
        read(config(file, text="txet"), tmp_path / "corpus")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read(config(file), tmp_path / "corpus")


def test_changed_file_is_read_again_and_unchanged_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    held, out = config(tmp_path / "a.txt"), tmp_path / "corpus"
    read(held, out)
    before = (out / "lineage.json").stat().st_mtime_ns
    read(held, out)
    assert (out / "lineage.json").stat().st_mtime_ns == before
    (tmp_path / "a.txt").write_text("two")
    read(held, out, replace=True)
    assert [d.text for d in Corpus.open(out)] == ["two"]


def test_wrong_configuration_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no source called 'file'; did you mean 'files'"):
        SourceConfig(name="own", kind="file").build()
    with pytest.raises(ConfigError, match="source 'files' has no parameter 'pth'; it takes path"):
        SourceConfig(name="own", kind="files", pth="x").build()  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="source 'files' needs path"):
        SourceConfig(name="own", kind="files").build()
    with pytest.raises(ConfigError, match="'a' declares a share, so 'b' must too"):
        ReadConfig.load(None, ["sources=[{name: a, kind: files, share: 1}, {name: b, kind: x}]"])


def test_same_input_gives_the_same_bytes_whatever_the_shards(tmp_path: Path) -> None:
    rows = [{"id": f"{i}", "text": f"text {i}"} for i in range(100)]
    (tmp_path / "a.jsonl.gz").write_bytes(
        gzip.compress(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    )
    one, two = tmp_path / "one", tmp_path / "two"
    small = config(tmp_path / "a.jsonl.gz").model_copy(update={"shard_bytes": 200})
    first, second = Corpus.open(read(small, one)), Corpus.open(read(small, two))
    assert first.digest == second.digest
    assert len(first.shards) > 3
    whole = Corpus.open(read(config(tmp_path / "a.jsonl.gz"), tmp_path / "whole"))
    assert list(whole) == list(first)
