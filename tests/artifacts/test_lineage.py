"""An artifact is finished or absent; the same plan is never made twice; changes are seen."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import olmeda
from olmeda.artifacts import lineage
from olmeda.artifacts.lineage import RECORD, Lineage, Making, check, recover
from olmeda.artifacts.trace import trace
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ArtifactError, ConfigError, ResourceError
from olmeda.base.files import digest_tree, write_json


class WriteConfig(Config):
    text: str = "hello"
    after: ArtifactPath | None = None
    fail: str = ""


@verb("test.write", makes="note", resumable=True)
def write(config: WriteConfig, making: Making) -> None:
    """Write a note."""
    with open(making.path / "tries.txt", "a") as tries:
        tries.write("x")
    (making.path / "note.txt").write_text(config.text)
    (making.journal / "clock.txt").write_text("12:00")
    write_json(making.path / "resume" / "step-1" / "state.json", {"steps": 1})
    making.counts["characters"] = len(config.text)
    if config.fail == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_record_tells_how_it_was_made(tmp_path: Path) -> None:
    first = write(WriteConfig(text="a"), tmp_path / "a")
    second = write(WriteConfig(text="b", after=first), tmp_path / "b")
    record = Lineage.open(second)
    assert (record.kind, record.verb, record.counts) == ("note", "test.write", {"characters": 1})
    assert [(i.key, i.path, i.digest) for i in record.inputs] == [
        ("after", "../a", Lineage.open(first).digest)
    ]
    assert set(record.files) == {"note.txt", "tries.txt"}, "the journal is no content"
    assert record.seconds >= 0
    assert record.memory_mb > 1


def test_finished_plan_is_not_made_again(tmp_path: Path) -> None:
    out = write(WriteConfig(), tmp_path / "a")
    made = (out / RECORD).stat().st_mtime_ns
    write(WriteConfig(), out)
    assert (out / RECORD).stat().st_mtime_ns == made


def test_moved_inputs_of_equal_content_give_the_same_key(tmp_path: Path) -> None:
    one = write(WriteConfig(), tmp_path / "one")
    two = write(WriteConfig(), tmp_path / "two")
    assert write.plan(WriteConfig(after=one)).key == write.plan(WriteConfig(after=two)).key


def test_other_settings_replace_only_when_told(tmp_path: Path) -> None:
    out = write(WriteConfig(), tmp_path / "a")
    with pytest.raises(ArtifactError, match="--replace"):
        write(WriteConfig(text="b"), out)
    write(WriteConfig(text="b"), out, replace=True)
    assert (out / "note.txt").read_text() == "b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="was not made by olmeda"):
        write(WriteConfig(), tmp_path / "a", replace=True)


def test_output_that_is_its_own_input_is_refused(tmp_path: Path) -> None:
    out = write(WriteConfig(), tmp_path / "a")
    with pytest.raises(ArtifactError, match="also the input"):
        write(WriteConfig(text="b", after=out), out, replace=True)


def test_temporary_file_of_a_killed_write_does_not_become_content(tmp_path: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(ResourceError):
        write(WriteConfig(fail="full"), out)
    (tmp_path / ".a.making" / ".tries.txt.4711.part").write_text("half")
    with pytest.raises(ResourceError):
        write(WriteConfig(fail="full"), out)
    assert not (tmp_path / ".a.making" / ".tries.txt.4711.part").exists()


def test_full_disk_leaves_nothing_under_the_final_name_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(ResourceError, match="no space left"):
        write(WriteConfig(fail="full"), out)
    assert not out.exists()
    with pytest.raises(ResourceError):
        write(WriteConfig(fail="full"), out)
    assert (tmp_path / ".a.making" / "tries.txt").read_text() == "xx", "the second try resumed"
    write(WriteConfig(), out, replace=True)
    assert (out / "tries.txt").read_text() == "x", "another plan starts afresh"
    assert not (out / "resume").exists()


def test_work_of_an_interrupted_run_is_kept_from_commands_of_other_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, making = tmp_path / "a", tmp_path / ".a.making"
    with pytest.raises(ResourceError):
        write(WriteConfig(fail="full"), out)
    for held in ("resume/step-1/state.json", "tries.txt", "journal/plan.json"):
        assert (making / held).is_file()
    before = digest_tree(making)
    with pytest.raises(ArtifactError, match=r"unfinished.*text: 'hello', fail: 'full'.*--replace"):
        write(WriteConfig(text="b"), out)
    assert digest_tree(making) == before, "nothing is removed"

    @verb("test.other", makes="note")
    def other(config: WriteConfig, making: Making) -> None:
        """Another verb."""

    with pytest.raises(ArtifactError, match=r"the command: test\.write"):
        other(WriteConfig(fail="full"), out)
    write(WriteConfig(text="b"), out, replace=True)
    assert "removed an unfinished run" in capsys.readouterr().err


def test_another_version_does_not_lose_an_interrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResourceError):
        write(WriteConfig(fail="full"), tmp_path / "a")
    monkeypatch.setattr(olmeda, "__version__", "99")
    with pytest.raises(ArtifactError, match=r"the version of olmeda: [0-9]"):
        write(WriteConfig(fail="full"), tmp_path / "a")
    assert (tmp_path / ".a.making" / "tries.txt").read_text() == "x"


def test_an_input_that_changed_is_named_and_one_that_moved_is_the_same(tmp_path: Path) -> None:
    first = write(WriteConfig(text="a"), tmp_path / "first")
    with pytest.raises(ResourceError):
        write(WriteConfig(after=first, fail="full"), tmp_path / "a")
    first.rename(tmp_path / "moved")
    with pytest.raises(ResourceError):
        write(WriteConfig(after=tmp_path / "moved", fail="full"), tmp_path / "a")
    write(WriteConfig(text="b"), tmp_path / "moved", replace=True)
    with pytest.raises(ArtifactError, match=r"differs in after\)"):
        write(WriteConfig(after=tmp_path / "moved", fail="full"), tmp_path / "a")


def test_a_command_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    @verb("test.refuse", makes="note", resumable=True)
    def refuse(config: WriteConfig, making: Making) -> None:
        """Refuse."""
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        refuse(WriteConfig(), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_the_record_is_made_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    out, making = tmp_path / "a", tmp_path / ".a.making"
    with monkeypatch.context() as patch:
        patch.setattr(lineage, "_lineage", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(WriteConfig(), out)
    assert (making / "resume" / "step-1" / "state.json").is_file()
    write(WriteConfig(), out)
    assert (out / "tries.txt").read_text() == "xx", "it went on"
    assert set(Lineage.open(out).files) == {"note.txt", "tries.txt"}
    with monkeypatch.context() as patch:
        patch.setattr(lineage, "_put_in_place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(WriteConfig(text="b"), out, replace=True)
    write(WriteConfig(text="b"), out, replace=True)
    assert (out / "tries.txt").read_text() == "x", "what was recorded is put in its place"
    assert sorted(p.name for p in out.iterdir()) == [
        "journal", "lineage.json", "note.txt", "tries.txt"
    ]  # fmt: skip


def test_crash_between_the_renames_is_mended(tmp_path: Path) -> None:
    out = write(WriteConfig(), tmp_path / "a")
    out.rename(tmp_path / ".a.making")
    recover(out)
    assert check(out).kind == "note"
    out.rename(tmp_path / ".a.old")
    recover(out)
    assert check(out).kind == "note"


def test_unfinished_changed_and_foreign_are_told_apart(tmp_path: Path) -> None:
    out = write(WriteConfig(), tmp_path / "a")
    with pytest.raises(ArtifactError, match="expected a corpus, found a note"):
        check(out, "corpus")
    (out / "note.txt").write_text("hullo")
    check(out)  # the size is the same
    with pytest.raises(ArtifactError, match="changed since it was made"):
        check(out, contents=True)
    (out / "more.txt").write_text("")
    with pytest.raises(ArtifactError, match="not part of the artifact"):
        check(out)
    (out / RECORD).unlink()
    with pytest.raises(ArtifactError, match="no finished artifact"):
        check(out)
    with pytest.raises(ArtifactError, match="no such artifact"):
        check(tmp_path / "none")


def test_trace_shows_the_tree_and_what_changed(tmp_path: Path) -> None:
    first = write(WriteConfig(text="a"), tmp_path / "a")
    second = write(WriteConfig(text="b", after=first), tmp_path / "b")
    lines = trace(second / "note.txt")
    assert "note by test.write" in lines[0]
    assert "after:" in lines[1]
    assert "CHANGED" not in "".join(lines)
    write(WriteConfig(text="other"), first, replace=True)
    assert "CHANGED" in trace(second)[1]


def test_second_maker_is_sent_away(tmp_path: Path) -> None:
    out = tmp_path / "a"

    @verb("test.twice", makes="note")
    def twice(config: WriteConfig, making: Making) -> None:
        """Make the same artifact from within its own making."""
        write(WriteConfig(), out)

    with pytest.raises(ResourceError, match="another process is making it"):
        twice(WriteConfig(), out)


def test_failure_of_what_cannot_resume_leaves_nothing_behind(tmp_path: Path) -> None:
    @verb("test.once", makes="note")
    def once(config: WriteConfig, making: Making) -> None:
        """Write half a note, and find the disk full."""
        (making.path / "note.txt").write_text("hal")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResourceError, match=r"no space left on the disk\. Free some"):
        once(WriteConfig(), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
