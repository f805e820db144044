"""Jobs into a folder, and what of each lies there afterwards: whole, or not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.library_folder import path_in, read_library
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.forensics.sums.sums_file import read_sums
from modelprov.jobs import library
from modelprov.jobs.compare import compare
from modelprov.jobs.compare_part import compare_part
from modelprov.jobs.fingerprint import fingerprint
from modelprov.jobs.merge import merge
from modelprov.jobs.recorded import parse_report


@dataclass(frozen=True)
class Job:
    """A job into a folder; `made` says what of it lies there, None where nothing does, and raises for half of one."""

    run: Callable[[Path, Path], object]
    made: Callable[[Path], object]


def _merge(models: Path, out: Path) -> None:
    merge({models / "nex": 0.6, models / "qwen": 0.4}, out / "made", threads=1)


def _merged(out: Path) -> object:
    return weights_digest(open_checkpoint(str(out / "made"))) if (out / "made").exists() else None


def _compare(models: Path, out: Path) -> None:
    report = compare(models / "rio", models / "nex", models / "qwen", device="cpu", threads=1)
    report.save(out / "report.json")


def _compared(out: Path) -> object:
    if not (out / "report.json").exists():
        return None
    report = parse_report((out / "report.json").read_bytes(), "report.json")
    return report.verdict.class_, report.verdict.share, report.overall


def _fingerprint(models: Path, out: Path) -> None:
    fingerprint(models / "rio", out / "rio.mpf")


def _fingerprinted(out: Path) -> object:
    return inspect_checkpoint(open_checkpoint(str(out / "rio.mpf"))).digest if (out / "rio.mpf").exists() else None


def _library(models: Path, out: Path) -> None:
    library.add(models / "rio", out / "known")
    library.add(models / "nex", out / "known")


def _listed(out: Path) -> object:
    if not (out / "known" / "library.json").exists():
        return None
    entries = read_library(out / "known").entries
    for entry in entries:
        open_checkpoint(str(path_in(out / "known", entry)))
    return tuple(entry.sha256 for entry in entries)


def _part(models: Path, out: Path) -> None:
    compare_part(models / "rio", models / "nex", models / "qwen", part="1/2", output=out / "p.mpsums", device="cpu",
                 threads=1)  # fmt: skip


def _summed(out: Path) -> object:
    if not (out / "p.mpsums").exists():
        return None
    return [each.moments.sums.tobytes() for each in read_sums(out / "p.mpsums").passes]


JOBS = {
    "merge": Job(_merge, _merged),
    "compare": Job(_compare, _compared),
    "fingerprint": Job(_fingerprint, _fingerprinted),
    "library": Job(_library, _listed),
    "part": Job(_part, _summed),
}
