"""A report is written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from modelprov.errors import UnreadableFileError
from modelprov.reports.writing import write_atomically


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_the_text_arrives_as_utf8_with_line_feeds(tmp_path: Path) -> None:
    write_atomically(tmp_path / "report.md", "α\nβ\n")
    assert (tmp_path / "report.md").read_bytes() == "α\nβ\n".encode()
    assert names(tmp_path) == ["report.md"]


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text("old")
    (tmp_path / "link.md").symlink_to("real.md")
    write_atomically(tmp_path / "link.md", "new")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text() == "new"


@pytest.mark.parametrize("old", ["old", None])
def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str | None
) -> None:
    path = tmp_path / "report.md"
    if old:
        path.write_text(old)

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnreadableFileError, match="No space left") as caught:
        write_atomically(path, "new")
    assert "Free some space" in caught.value.advice
    assert names(tmp_path) == (["report.md"] if old else [])
    assert not old or path.read_text() == old


def test_an_interrupt_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "report.md", "new")
    assert names(tmp_path) == []


def test_a_missing_folder_is_named_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="nowhere") as caught:
        write_atomically(tmp_path / "nowhere" / "report.md", "new")
    assert "Create the folder" in caught.value.advice


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        write_atomically(tmp_path, "new")
    assert "name of a file" in caught.value.advice


def test_a_name_that_is_too_long_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError):
        write_atomically(tmp_path / ("x" * 300), "new")
    assert names(tmp_path) == []


def test_a_refused_folder_is_named_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, *_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)  # root may write anywhere, so refusal is simulated
    with pytest.raises(UnreadableFileError, match="Permission denied") as caught:
        write_atomically(tmp_path / "report.md", "new")
    assert "may write to" in caught.value.advice


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UnreadableFileError):
        write_atomically(tmp_path / "report.md", "new")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_device_is_written_to_and_not_replaced() -> None:
    with pytest.raises(UnreadableFileError, match="No space left"):
        write_atomically("/dev/full", "new")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_atomically("-", "α\n")
    assert capsys.readouterr().out == "α\n"


def test_standard_output_that_fails_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        encoding = "ascii"

        def write(self, text: str) -> None:
            assert text.isascii()

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(UnreadableFileError, match="standard output"):
        write_atomically("-", "α")
