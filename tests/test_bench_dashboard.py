"""`make bench`: recorded results become ratios, what cannot run is named, the page shows all and fetches nothing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import dashboard, ratios
from benchmarks.ratios import Ratio
from benchmarks.ratios_page import page

ROOT = Path(dashboard.__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
GPU = {
    "environment": {"gpu": "NVIDIA H200"},
    "kernel, no recipes": {"memory GB/s, copying": 4084.0, "kernel GB/s": 1373.1, "share of memory": 0.336},
    "pass": {"best GB/s": 30.1, "share of the link": 0.551},
}
REMOTE = {
    "clients": [
        {"client": "http.client", "cpu": 2.0, "delay": 0.05},
        {"client": "urllib3 (what is used)", "cpu": 2.2, "delay": 0.05},
    ],
    "compare": [{"delay": 0.05, "cache": "empty", "wall": 4.0}, {"delay": 0.05, "cache": "warm", "wall": 3.0}],
}


def recorded(name: str) -> ratios.Result:
    found: ratios.Result = json.loads((RESULTS / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize(
    ("reader", "result", "about", "count"),
    [
        (ratios.of_kernel, recorded("kernel"), "reading the same arrays", 24),
        (ratios.of_compare, recorded("compare"), "touch only", 6),
        (ratios.of_fixed_costs, recorded("fixed_costs")["commit 5b31824"], "importing numpy", 3),
        (ratios.of_merge, recorded("merge"), "copying", 3),
        (ratios.of_remote, REMOTE, "http.client", 2),
        (ratios.of_gpu, GPU, "the link", 2),
    ],
)
def test_what_a_benchmark_recorded_becomes_ratios_with_their_ceilings(
    reader: Callable[[ratios.Result], Iterator[Ratio]], result: ratios.Result, about: str, count: int
) -> None:
    found = list(reader(result))
    assert len(found) >= count
    assert len({ratio.name for ratio in found}) == len(found)
    assert any(about in ratio.ceiling for ratio in found)


def test_the_clock_has_the_target_of_the_command_and_reporting_is_assembling_and_writing() -> None:
    row = {"cpu_s": 0.6, "numpy_imports": 5.0}
    many = {"assembling the report": row, "writing the report": row, "judging": row}
    result = {
        "yardstick_cpu_s": 0.1, "the command, dense": row | {"least_wall_s": 0.8}, "95,000 tensors, sampled": many,
        "the command, strangers with embeddings": row | {"least_wall_s": 3, "touching_cpu_s": 0.01, "touching": 60.0},
        "dense, 224 tensors": {"all, less the pass": row}, "first run": {"all, less the pass": row},
    }  # fmt: skip
    found = {ratio.name: (ratio.value, ratio.target) for ratio in ratios.of_fixed_costs(result)}
    assert found == {
        "the command, dense: from Enter to verdict, on the clock": (0.8, 0.7),
        "the command, strangers with embeddings": (60.0, 100.0),
        "95,000 tensors, sampled: judging": (0.6, 2.0),
        "95,000 tensors, sampled: assembling and writing the report": (1.2, 1.0),
        "dense, 224 tensors: all, less the pass": (0.6, None),
        "first run: all, less the pass": (0.6, 3.0),
    }


def test_memory_is_held_against_what_was_allowed_and_parts_against_the_whole() -> None:
    row = {"peak_anonymous_mb": 300, "by_sample_mb": 88, "memory_mb": 512, "threads": 16}
    parts = {"whole_cpu_s": 10.0, "parts_cpu_s": [6.0, 5.0], "add_cpu_s": 1.5, "same": False}
    found = {
        ratio.name: (ratio.value, ratio.met) for ratio in ratios.of_compare({"command": row, "in two parts": parts})
    }
    assert found == {
        "command: memory of its own, 16 threads": (0.5, True),
        "the longer of two parts": (0.6, None),
        "both, and adding them": (1.25, None),
        "as at once, in every finding": (0.0, False),
    }


def test_the_target_of_kernels_is_for_the_kernel_that_is_used() -> None:
    found = list(ratios.of_kernel(recorded("kernel")))
    with_target = [ratio for ratio in found if ratio.target == ratios.KERNEL_TARGET]
    assert with_target
    assert all(ratio.name.startswith("C, ") for ratio in with_target)


def test_on_a_gpu_the_pass_over_files_has_the_target() -> None:
    found = {ratio.name: ratio for ratio in ratios.of_gpu(GPU)}
    assert found["pass"].met is False
    assert found["kernel, no recipes"].met is None


def test_a_target_is_reached_from_the_right_side() -> None:
    assert Ratio("a", "share", 0.6, "reading", 0.6).met is True
    assert Ratio("a", "share", 0.59, "reading", 0.6).met is False
    assert Ratio("a", "seconds", 0.3, "numpy", 0.25, at_least=False, unit=" s").met is False
    assert Ratio("a", "share", 0.1, "reading").met is None


def test_the_page_shows_every_ratio_and_what_was_left_out_and_fetches_nothing() -> None:
    found = [
        Ratio("Kernel", "C <fast>", 0.55, "reading: 20 GB/s", 0.6),
        Ratio("Costs", "--help", 0.2, "numpy", 0.25, at_least=False, unit=" s"),
        Ratio("Costs", "nothing", 0.0, "numpy"),
    ]
    text = page({"Date": "2026-11-28"}, found, [("gpu", "no GPU & nothing")])
    assert "1 of 2 targets reached" in text
    assert "C &lt;fast&gt;" in text
    assert "missed: at least 0.6" in text
    assert "reached: at most 0.25 s" in text
    assert "no GPU &amp; nothing" in text
    assert not re.search(r"<script|https?:|src=|url\(", text)


def test_what_cannot_run_here_is_named_and_so_is_what_fails(tmp_path: Path) -> None:
    def none(_result: ratios.Result) -> Iterator[Ratio]:
        yield Ratio("a", "b", 1.0, "c")

    missing = dashboard.Benchmark("gpu", ("-c", "raise SystemExit(1)"), (), none, lambda: "no GPU here")
    assert dashboard.measured(missing, (), tmp_path) == ([], "no GPU here")
    failing = dashboard.Benchmark("x", ("-c", "raise SystemExit('no room')"), (), none)
    found, why = dashboard.measured(failing, (), tmp_path)
    assert found == []
    assert why == "failed with exit status 1: no room"
    silent = dashboard.Benchmark("x", ("-c", "pass"), (), none)
    assert dashboard.measured(silent, (), tmp_path)[1].startswith("failed")


def test_every_ratio_and_every_gap_is_written_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writes = "import sys, json; json.dump({'x': 0.5}, open(sys.argv[-1], 'w'))"

    def half(result: ratios.Result) -> Iterator[Ratio]:
        yield Ratio("Kernel", "half", result["x"], "reading", 0.6)

    both = (
        dashboard.Benchmark("kernel", ("-c", writes), ("--quick",), half),
        dashboard.Benchmark("gpu", (), (), half, lambda: "no GPU here"),
    )
    monkeypatch.setattr(dashboard, "BENCHMARKS", both)
    monkeypatch.setattr(sys, "argv", ["dashboard", "--quick", "--folder", str(tmp_path / "out")])
    assert dashboard.main() == 0
    record = json.loads((tmp_path / "out" / "ratios.json").read_text())
    assert [(row["name"], row["value"], row["target"], row["met"]) for row in record["ratios"]] == [
        ("half", 0.5, 0.6, False)
    ]
    assert record["skipped"] == {"gpu": "no GPU here"}
    assert {"Date", "Processor", "Mode"} <= set(record["about"])
    assert "not to be quoted" in (tmp_path / "out" / "ratios.html").read_text()
    assert "missed: Kernel: half" in capsys.readouterr().out


def test_every_benchmark_of_the_list_is_there() -> None:
    for benchmark in dashboard.BENCHMARKS:
        if benchmark.command[0].endswith(".py"):
            assert Path(benchmark.command[0]).exists()


def test_the_targets_in_the_docs_are_those_of_the_code() -> None:
    rows = [line for line in (ROOT / "docs" / "performance.md").read_text().splitlines() if line.startswith("| ")]
    found = "\n".join(rows)
    for target in (ratios.KERNEL_TARGET, ratios.NO_SLOWER, ratios.PASS_TARGET, ratios.COLD_TARGET, ratios.LINK_TARGET):
        assert f"at least {target:.2f}" in found
    for seconds in (ratios.HELP_SECONDS, ratios.BESIDE_SECONDS):
        assert f"at most {seconds:g} s" in found
    assert f"at most {ratios.SMALL_TENSOR:g} µs" in found
    assert ", ".join(f"{seconds:g} s" for seconds in ratios.MANY_SECONDS.values()) in found
