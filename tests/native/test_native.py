"""The library of C kernels: built where there is a compiler, used where its bits are right, else done without."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modelprov.native as room
from modelprov.native import build, check, native, opened, why_not

COMPILER = pytest.mark.skipif(
    shutil.which("cc") is None or native() is None, reason=f"needs a C compiler and kernels: {why_not()}"
)
HERE = Path(room.__file__).parent


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing is known of the library yet, before or after the test."""
    for function in (room.native, room._found):
        monkeypatch.setattr(f"modelprov.native.{function.__name__}", function.__wrapped__)
    return monkeypatch


@COMPILER
def test_a_library_that_is_built_returns_the_bits_that_it_must_however_little_is_optimised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "FLAGS", tuple("-O1" if flag == "-O3" else flag for flag in build.FLAGS))
    first = {machine: dict(list(variants.items())[:1]) for machine, variants in build.VARIANTS.items()}
    monkeypatch.setattr(build, "VARIANTS", first)
    made = build.build(tmp_path / build.LIBRARY)
    assert "by" in made
    library = opened(tmp_path / build.LIBRARY)
    assert check.digest(library) == check.EXPECTED
    assert check.merging_digest(library) == check.MERGING


@COMPILER
def test_a_library_of_other_bits_is_not_used_and_numba_computes(unknown: pytest.MonkeyPatch) -> None:
    unknown.setattr(check, "MERGING", "0" * 64)
    assert room.for_merging.__wrapped__() is None
    unknown.setattr(check, "EXPECTED", "0" * 64)
    assert room.native() is None
    assert "other bits" in room.why_not()


@COMPILER
def test_a_library_that_was_built_from_other_sources_is_not_used(unknown: pytest.MonkeyPatch) -> None:
    unknown.setattr(room, "digest_of_sources", lambda: "other")
    assert room.native() is None
    assert "install modelprov again" in room.why_not()


@pytest.mark.parametrize(("content", "said"), [(None, "not built"), (b"no library", "cannot be loaded")])
def test_without_a_library_numba_computes(
    unknown: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "kernels.so").write_bytes(content)
    unknown.setattr(room, "PLACE", tmp_path / "kernels.so")
    assert room.native() is None
    assert said in room.why_not()


def test_the_environment_may_ask_for_numba(unknown: pytest.MonkeyPatch) -> None:
    unknown.setenv("MODELPROV_KERNEL", "numba")
    assert room.native() is None
    assert "MODELPROV_KERNEL" in room.why_not()


def test_without_a_compiler_the_build_says_so_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / build.LIBRARY
    target.write_bytes(b"of an earlier version")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(build.CannotBuildError, match=r"no C compiler|no variant"):
        build.build(target)
    assert not target.exists()


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "cc"
    wrong.write_text("#!/bin/sh\necho it does not compile >&2\nexit 1\n")
    wrong.chmod(wrong.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(wrong))
    with pytest.raises(build.CannotBuildError, match=r"it does not compile|no variant"):
        build.build(tmp_path / build.LIBRARY)
    assert list(tmp_path.iterdir()) == [wrong]


def test_the_builder_needs_nothing_but_python() -> None:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import build; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@COMPILER
def test_values_that_are_not_finite_stay_when_others_are_rounded_to_bf16() -> None:
    values = np.array([1.00390625, 1.01171875, np.inf, -np.inf, 3.4e38, -0.0], np.float32)
    special = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    out = np.empty(8, np.float32)
    library = native()
    assert library is not None
    library.round_bf16(np.concatenate([values, special]), out)
    assert out[:6].tolist() == [1.0, 1.015625, np.inf, -np.inf, np.inf, -0.0]
    assert out[6:].view(np.uint32).tolist() == [0x7F800001, 0xFFFFFFFF]
