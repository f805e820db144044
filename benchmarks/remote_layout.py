"""Three checkpoints of the true 397B layout, compared over HTTP: seconds, traffic, memory, how near the share comes.

Run: `python -m benchmarks.remote_layout [--delays 0 50] [--cases mix moved small] [--json FILE]`, delays in
milliseconds. A server in a process of its own imitates the Hub and computes the bytes of any range of a family of a
known history (`tests/checkpoints/remote/computed.py`): 94 files each, the mix with one tensor for each expert. `mix` is
0.565 of a finetune and the rest of its base, one of 60 layers trained further; `moved` the base with the inner units of
its experts in another order; `small` the base in FP8. Client and server share the machine: processor seconds are the
client's own (`wait4`), those of the server stand beside them, and the clock counts both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelprov.machine import processors
from tests.checkpoints.remote.computed import repository
from tests.checkpoints.remote.hub import Hub, serving
from tests.factories import layout_397b

SHARE, FURTHER, FILES = 0.565, 30, 94
CASES = {"mix": ("mix", "tune", "base"), "moved": ("moved", "base"), "small": ("small", "base")}
TOLD = re.compile(r"fetched (.+) in ([\d,]+) requests")
PEAK = 1024  # bytes in a unit of ru_maxrss on Linux


def serve(delay: float, kinds: set[str], address: Any, sent: Any) -> None:
    """Serve the family until this process is ended, each answer after the delay.

    `sent` are the bytes of answers, and the processor milliseconds that computing them took.
    """
    layout, state = layout_397b(), Hub(delay=delay)
    for kind in kinds:
        more: dict[str, Any] = {"share": SHARE, "further": FURTHER} if kind == "mix" else {}
        state.repositories[f"org/{kind}"] = repository(layout, kind, FILES, **more)
    with serving(state):
        before = time.process_time()
        address.put(state.hub)
        while True:
            time.sleep(0.5)
            sent[:] = state.sent, int(1000 * (time.process_time() - before))


def measure(case: str, delay: float, folder: Path) -> dict[str, Any]:
    """One comparison with an empty cache, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    address, sent = spawn.Queue(), spawn.Array("q", 2)
    server = spawn.Process(target=serve, args=(delay, set(CASES[case]), address, sent), daemon=True)
    server.start()
    try:
        known = {"HF_ENDPOINT": address.get(timeout=300), "HF_HUB_OFFLINE": "0"}
        known |= {"MODELPROV_CACHE": str(folder / f"{case}-{delay}"), "OPENBLAS_NUM_THREADS": "1"}
        report, words = folder / "report.json", [f"org/{kind}" for kind in CASES[case]]
        began = time.perf_counter()
        with (folder / "said.txt").open("w+") as said:
            command = [sys.executable, "-m", "modelprov", "compare", *words, "--json", str(report), "--device", "cpu"]
            ran = subprocess.Popen(command, env=os.environ | known, stdout=subprocess.DEVNULL, stderr=said)
            _, status, used = os.wait4(ran.pid, 0)
            said.seek(0)
            told = said.read()
        wall = time.perf_counter() - began
        time.sleep(1)
    finally:
        server.terminate()
    row: dict[str, Any] = {
        "case": case, "delay": delay, "exit": os.waitstatus_to_exitcode(status), "wall_s": round(wall, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1), "memory_mb": round(used.ru_maxrss * PEAK / 1e6),
        "sent_mb": round(sent[0] / 1e6, 1), "server_cpu_s": round(sent[1] / 1000, 1),
        "fetched": [match[0] for match in TOLD.finditer(told)],
    }  # fmt: skip
    if not report.exists():
        return row | {"said": told[-500:]}
    found = json.loads(report.read_text())
    mixing = found["mixing"]
    return row | {
        "verdict": found["verdict"]["class"], "rule": found["verdict"]["rule"], "summary": found["verdict"]["summary"],
        "alpha": mixing["alpha"], "low": mixing["low"], "high": mixing["high"],
    }  # fmt: skip


def main() -> None:
    """Measure, print, and keep what was asked to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 50.0], help="milliseconds")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = []
    with TemporaryDirectory() as name:
        for case in asked.cases:
            for delay in asked.delays if case == "mix" else asked.delays[:1]:
                rows.append(measure(case, delay / 1000, Path(name)))
                print(json.dumps(rows[-1]), flush=True)
    if asked.json is not None:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        about = {"cores": processors(), "load": load, "rows": rows}
        asked.json.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
