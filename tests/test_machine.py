"""What is said of the machine that a process runs on."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np  # noqa: F401 - brings BLAS
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from modelprov.machine import one_blas_thread, versions


def test_versions_are_those_that_python_knows_and_what_is_not_installed_has_none() -> None:
    names = ("numpy", "pydantic", "typer", "no-such-package")
    assert versions(names) == {name: version(name) for name in names[:-1]}


def test_a_version_is_not_taken_from_the_description_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "sample-1.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sample\nVersion: 1.5rc1\nSummary: x\n\nVersion: 9\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert versions(["sample"]) == {"sample": "1.5rc1"}


def _blas_threads() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_a_program_that_calls_gets_no_threads_of_blas_and_has_its_own_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with threadpool_limits(2, user_api="blas"):
        before = _blas_threads()
        with one_blas_thread():
            assert set(_blas_threads()) == {1}
        assert _blas_threads() == before
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")  # whoever says how many gets them
        with one_blas_thread():
            assert _blas_threads() == before
