"""Files are whole or absent; damage is named with file and line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.base.errors import InputError
from olmeda.base.files import (
    atomic_write,
    digest_tree,
    digest_value,
    read_lines,
    read_rows,
    write_rows,
)


class Row(msgspec.Struct):
    n: int
    text: str = ""


ENDINGS = ["jsonl", "jsonl.gz", "jsonl.zst"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_come_back_and_bytes_repeat(tmp_path: Path, ending: str) -> None:
    rows = [Row(i, "ü" * i) for i in range(50)]
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    assert write_rows(first, rows) == write_rows(second, rows) == 50
    assert list(read_rows(first, Row)) == rows
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst"])
def test_cut_file_is_an_error_that_names_the_line(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    write_rows(file, [Row(i, f"{i * 7919 % 1000003}") for i in range(5000)])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.jsonl\..*:\d+: the compressed file is cut short"):
        list(read_rows(file, Row))


def test_two_zst_frames_are_one_file(tmp_path: Path) -> None:
    one, both = tmp_path / "one.jsonl.zst", tmp_path / "both.jsonl.zst"
    write_rows(one, [Row(1)])
    both.write_bytes(one.read_bytes() * 2)
    assert list(read_rows(both, Row)) == [Row(1), Row(1)]


@pytest.mark.parametrize(
    ("line", "says"),
    [(b"{", "truncated"), (b'{"n": "x"}', "Expected `int`"), (b"", "truncated"), (b"\xff", "")],
)
def test_bad_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\n' + line + b"\n")
    with pytest.raises(InputError, match=rf"a\.jsonl:2: .*{says}"):
        list(read_rows(file, Row))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_lines(tmp_path / "none.jsonl"))


def test_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError("power cut")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_tree_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = digest_tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = digest_tree(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, digest_tree(tmp_path)}) == 3


@given(st.dictionaries(st.text(), st.integers(min_value=-(2**60), max_value=2**60)))
def test_value_digest_ignores_the_order_of_keys(values: dict[str, int]) -> None:
    assert digest_value(values) == digest_value(dict(reversed(values.items())))


def test_refusal_that_a_library_only_quotes_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as refused:
        with atomic_write(tmp_path / "a.parquet"):
            raise RuntimeError("parquet: underlying IO error: No space left (os error 28)")
    assert (refused.value.errno, refused.value.filename) == (28, str(tmp_path / "a.parquet"))
    assert list(tmp_path.iterdir()) == []
