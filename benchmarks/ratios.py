"""What the benchmarks say of speed, as ratios to a ceiling measured in the same run. Reads results, runs nothing.

A reader takes what a benchmark wrote with `--json` and returns its ratios; a row that is not there gives none. Targets
are those that the project set itself; what has none is shown for comparison.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]

KERNEL_TARGET, PASS_TARGET, COLD_TARGET, LINK_TARGET = 0.60, 0.80, 0.90, 0.60
NO_SLOWER = 0.95
"""No slower, as far as a machine that others use can say."""
MERGEKIT_TIMES = 10.0
"""How much less of a processor than mergekit a merge with large tensors is to take."""
HELP_SECONDS, BESIDE_SECONDS, FIRST_SECONDS, SMALL_TENSOR = 0.25, 0.7, 3.0, 30.0
STRANGERS_TIMES = 100.0
"""How much more of a processor two strangers with embeddings are to take than touching their bytes."""
TOGETHER = {"assembling and writing the report": ("assembling the report", "writing the report")}
MANY_SECONDS = {"aligning tensors": 1.0, "judging": 2.0, "assembling and writing the report": 1.0}


@dataclass(frozen=True)
class Ratio:
    """What was measured, as `value` of `unit`; `ceiling` says what it is measured against."""

    about: str
    name: str
    value: float
    ceiling: str
    target: float | None = None
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def wanted(self) -> str:
        """The target in words."""
        sign = "at least" if self.at_least else "at most"
        return "none" if self.target is None else f"{sign} {self.target:g}{self.unit}"


def of_kernel(result: Result) -> Iterator[Ratio]:
    """`kernel.py`: each kernel's share of reading the arrays; the target is for the kernel that is used."""
    places: dict[str, dict[str, float]] = {}
    for title, rows in result.items():
        if not isinstance(rows, Mapping):
            continue
        used = "C" if any(name.startswith("C") for name in rows) else "numba"
        for name, row in rows.items():
            if name == "reading":
                continue
            target = KERNEL_TARGET if name.startswith(used) else None
            ceiling = f"reading the same arrays: {rows['reading']['gb_per_s']} GB/s"
            yield Ratio("Processor kernel", f"{name}; {title}", row["share"], ceiling, target)
            where, _, threads = title.partition(" places in their pages, ")
            if target is not None:
                places.setdefault(f"{name}, {threads}", {})[where] = row["gb_per_s"]
    for name, found in places.items():
        if {"equal", "different"} <= set(found) and found["different"]:
            told = f"the same at different places: {found['different']} GB/s"
            share = found["equal"] / found["different"]
            yield Ratio("Processor kernel", f"equal places in their pages; {name}", share, told, NO_SLOWER)


def of_compare(result: Result) -> Iterator[Ratio]:
    """`compare.py`: passes over files, as shares of touching or reading them."""
    about = "Pass over files"
    for row, floor, target in (("warm", "touch only", PASS_TARGET), ("cold", "read only", COLD_TARGET)):
        rows = result.get(row, {})
        for name, found in rows.items():
            if name != floor:
                told = f"{floor}: {rows[floor]['gb_per_s']} GB/s"
                yield Ratio(about, f"{row}: {name}", found["share"], told, target if name == "pass" else None)
    small = result.get("small tensors")
    if small:
        ceiling = f"touch only: {small['touch only']['gb_per_s']} GB/s"
        yield Ratio(about, f"{small['tensors']:,} small tensors: pass", small["pass"]["share"], ceiling)
        each = small["us_per_tensor"]
        yield Ratio(about, "each small tensor of three", each, "none", SMALL_TENSOR, at_least=False, unit=" µs")
    yield from _memory(result)
    parts = result.get("in two parts")
    if parts:
        told = f"the whole at once: {parts['whole_cpu_s']:.1f} s of a processor"
        one, done = max(parts["parts_cpu_s"]), sum(parts["parts_cpu_s"]) + parts["add_cpu_s"]
        yield Ratio("In parts", "the longer of two parts", one / parts["whole_cpu_s"], told, None, at_least=False)
        yield Ratio("In parts", "both, and adding them", done / parts["whole_cpu_s"], told, None, at_least=False)
        same = "1: the findings of both ways are equal"
        yield Ratio("In parts", "as at once, in every finding", float(parts["same"]), same, 1.0)


def _memory(result: Result) -> Iterator[Ratio]:
    """Memory of whole commands that is their own, as a share of `--memory` beside what a run by sample has."""
    for name, row in result.items():
        if isinstance(row, Mapping) and "memory_mb" in row:
            allowed = row["by_sample_mb"] + row["memory_mb"]
            told = f"a run by sample and --memory: {allowed} MB"
            about = f"{name}: memory of its own, {row['threads']} threads"
            yield Ratio("Memory", about, row["peak_anonymous_mb"] / allowed, told, 1.0, at_least=False)


def of_fixed_costs(result: Result) -> Iterator[Ratio]:
    """`fixed_costs.py`: the command on the clock, and processor seconds beside the pass."""
    about, told = "Fixed costs", f"importing numpy: {result['yardstick_cpu_s']} s"

    def seconds(name: str, row: Mapping[str, float], target: float | None) -> Ratio:
        ceiling = f"{told}; {row['numpy_imports']:g} times that"
        return Ratio(about, name, row["cpu_s"], ceiling, target, at_least=False, unit=" s")

    for name, target in (("--help", HELP_SECONDS), ("import of compare", None)):
        if name in result:
            yield seconds(name, result[name], target)
    for title, rows in result.items():
        if not isinstance(rows, Mapping):
            continue
        if "touching" in rows:
            against = f"touching every byte of both: {rows['touching_cpu_s']} s of a processor"
            yield Ratio(about, title, rows["touching"], against, STRANGERS_TIMES, at_least=False, unit=" times")
        elif "least_wall_s" in rows:
            against = "none: the least of some runs, a pass over 60 MB of each model in it"
            name = f"{title}: from Enter to verdict, on the clock"
            yield Ratio(about, name, rows["least_wall_s"], against, BESIDE_SECONDS, at_least=False, unit=" s")
        elif "cpu_s" not in rows:
            for name, target in _limits(title).items():
                found = [rows[stage] for stage in TOGETHER.get(name, (name,)) if stage in rows]
                if found:
                    whole = {key: round(sum(row[key] for row in found), 3) for key in ("cpu_s", "numpy_imports")}
                    yield seconds(f"{title}: {name}", whole, target)


def _limits(title: str) -> Mapping[str, float | None]:
    """The targets in seconds of the stages of a comparison; of a dense one the clock has the target."""
    if title.endswith("sampled"):
        return MANY_SECONDS
    return {"all, less the pass": FIRST_SECONDS if title == "first run" else None}


def of_merge(result: Result) -> Iterator[Ratio]:
    """`merge.py`: wall time against copying, and against mergekit where it was run."""
    size = f"2 x {result['gigabytes']:g} GB"
    copied = result["medians"]["copy"]["wall"]
    share = result["ratio to copy"]["modelprov"]["wall"]
    yield Ratio("Merge", f"linear merge of {size}", share, f"copying: {copied:.1f} s", 1.0, at_least=False)
    if "ratio to mergekit" in result:
        told = f"mergekit: {result['medians']['mergekit']['wall']:.1f} s"
        yield Ratio("Merge", f"the same against mergekit, {size}", result["ratio to mergekit"]["wall"], told)
    for method, found in result.get("large tensors", {}).items():
        spent = statistics.median(pair["modelprov"]["cpu"] for pair in found["pairs"])
        name = f"{method} of a tensor of 1.1 GB by mergekit"
        told = f"modelprov: {spent:.1f} s of a processor"
        yield Ratio("Merge", name, found["mergekit / modelprov"]["cpu"]["median"], told, MERGEKIT_TIMES)


def of_remote(result: Result) -> Iterator[Ratio]:
    """`remote.py`: the client that is used against the plainest, and a warm cache against an empty one."""
    by_delay: dict[float, dict[str, float]] = {}
    for row in result.get("clients", ()):
        by_delay.setdefault(row["delay"], {})[row["client"]] = row["cpu"]
    for delay, found in by_delay.items():
        plain = found.get("http.client")
        for name, seconds in found.items():
            if plain and name != "http.client":
                told = f"http.client: {plain:.2f} s of a processor"
                yield Ratio("Over a network", f"{name}, {1000 * delay:g} ms", seconds / plain, told, None, False)
    walls: dict[float, dict[str, float]] = {}
    for row in result.get("compare", ()):
        walls.setdefault(row["delay"], {})[row["cache"]] = row["wall"]
    for delay, found in walls.items():
        if {"warm", "empty"} <= set(found):
            told = f"with an empty cache: {found['empty']:.1f} s"
            name = f"compare with a warm cache, {1000 * delay:g} ms"
            yield Ratio("Over a network", name, found["warm"] / found["empty"], told, 1.0, at_least=False)


def of_gpu(result: Result) -> Iterator[Ratio]:
    """`gpu.py`: every figure that it calls a share, by its own words."""

    def walk(rows: Result, path: tuple[str, ...]) -> Iterator[Ratio]:
        for name, value in rows.items():
            if isinstance(value, Mapping):
                yield from walk(value, (*path, name))
            elif " share of " in f" {name}" and isinstance(value, int | float):
                what, _, ceiling = name.rpartition("share of ")
                target = LINK_TARGET if ceiling == "the link" and path[-1:] == ("pass",) else None
                told = ": ".join(part for part in (*path, what.rstrip(", ")) if part)
                yield Ratio("GPU", told, round(float(value), 3), ceiling, target)

    yield from walk(result, ())
