"""Builds the library of C kernels with whatever C compiler there is, or says why it cannot. Needs Python alone.

`hatch_build.py` calls it for every installation; after a change of the sources: `python modelprov/native/build.py`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = "kernels.so"
UNITS = (
    "moments.c",
    "searching.c",
    "profiles.c",
    "merging.c",
    "sizes.c",
    "parting.c",
    "choosing.c",
    "chances.c",
    "totals.c",
)
"""What is compiled once for every variant."""
HEADERS = (
    "formats.h",
    "vectors.h",
    "arithmetics.h",
    "bf16.h",
    "work.h",
    "plain.h",
    "words.h",
    "changes.h",
    "counts.h",
    "keys.h",
    "stored.h",
)
SOURCES = (*HEADERS, *UNITS, "windows.c", "dispatch.c", "build.py")
FLAGS = (
    "-std=c11", "-O3", "-fPIC", "-fvisibility=default", "-Wno-psabi", "-ffp-contract=off", "-fno-math-errno",
    "-fno-trapping-math",
)  # fmt: skip
"""No fast-math: which operations are fused, and in which order sums are added, is what the sources say."""
AVX2 = ("-mavx2", "-mfma")
AVX512 = (*AVX2, "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mprefer-vector-width=256")
VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {"avx2": AVX2, "avx512": AVX512},
    "aarch64": {"neon": ()},
}
"""Of each kind of machine the variants and their flags; elsewhere numba computes."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
SECONDS = 300


class CannotBuildError(Exception):
    """Why there is no library; nothing is lost but speed."""


def digest_of_sources(folder: Path = HERE) -> str:
    """What a library names that was built from these sources, with these flags."""
    return hashlib.sha256(b"\0".join((folder / name).read_bytes() for name in SOURCES)).hexdigest()[:16]


def compiler() -> list[str]:
    """The command that compiles C: `CC`, or the first of cc, gcc and clang that is there."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        return named
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if found is None:
        raise CannotBuildError("no C compiler was found (cc, gcc, clang, or CC in the environment)")
    return [found]


def build(target: Path) -> str:
    """Write the library to `target`, and say what is in it. Raises `CannotBuildError`, and leaves no file then."""
    machine = platform.machine().lower()
    variants = VARIANTS.get(MACHINES.get(machine, machine), {})
    if sys.platform == "win32" or sys.maxsize < 1 << 32 or not variants:
        target.unlink(missing_ok=True)
        raise CannotBuildError(f"no variant for {platform.system()} on {machine}")
    target.unlink(missing_ok=True)
    command = compiler()
    with tempfile.TemporaryDirectory() as scratch:
        objects: dict[str, list[str]] = {}
        failed = ""
        for name, flags in variants.items():
            made_of = {unit: str(Path(scratch) / f"{name}-{unit}.o") for unit in UNITS}
            try:
                for unit, out in made_of.items():
                    _run([*command, *FLAGS, *flags, f"-DVARIANT={name}", "-c", str(HERE / unit), "-o", out])
                objects[name] = list(made_of.values())
            except CannotBuildError as error:  # an old compiler may not know the newest instructions
                failed = str(error)
        if not objects:
            raise CannotBuildError(failed)
        known = [f"-DHAS_{name}" for name in objects]
        made = Path(scratch) / LIBRARY
        names = f'-DSOURCES="{digest_of_sources()}"'
        plain = [str(HERE / name) for name in ("dispatch.c", "windows.c")]
        linked = ["-shared", *plain, *chain(*objects.values()), "-o", str(made), "-lm"]
        _run([*command, *FLAGS, *known, names, *linked])
        beside = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(made, beside)
        beside.replace(target)  # whoever has the old one open keeps it
    return f"{', '.join(objects)} by {' '.join(command)}"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuildError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CannotBuildError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    print(f"built {LIBRARY}: {build(HERE / LIBRARY)}")
