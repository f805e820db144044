"""A Ray cluster of three nodes on this machine: results of all tasks, also of those that a killed node had."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from modelprov.engines.ray import require_ray
from modelprov.errors import UsageError
from tests.cli.conftest import models

__all__ = ["models"]
ROOT = Path(__file__).parents[2]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")

PROGRAM = """
import json, os, sys, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from modelprov.engines import ray as engine
from modelprov.errors import TruncatedShardError
from modelprov.jobs.compare import compare
from modelprov.reports.comparison.as_json import render_json
from tests.engines import ray_tasks

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
cluster.wait_for_nodes()
began, folder = time.time(), Path(sys.argv[1])
with engine.cluster(cluster.address):
    results, killed = {}, []
    def on_result(number, result):
        results[number] = result
        if len(results) == 3 and not killed:
            killed.append(time.sleep(0.2))
            cluster.remove_node(nodes[1], allow_graceful=False)
    engine.run_on_ray(ray_tasks.together, folder, [0, 1, 2], lambda number, result: None)
    engine.run_on_ray(ray_tasks.slow_square, folder, list(range(24)), on_result)
    assert results == {number: number * number for number in range(24)}, results
    assert killed
    tried = [path.name.split("-")[1] for path in folder.glob("square-*")]
    print("done again:", len(tried) - len(set(tried)), flush=True)
    assert len(tried) > len(set(tried)) == 24
    try:
        engine.run_on_ray(ray_tasks.failing, None, [1, 2], lambda number, result: None)
    except TruncatedShardError as error:
        assert (error.message, error.advice) == ("cut", "again")
    else:
        raise AssertionError("no error came")
    said = []
    for how in ({}, {"engine": "ray"}):
        report = compare(*sys.argv[2:], device="cpu", threads=1, **how)
        told = json.loads(render_json(report))
        device = told["environment"].pop("device")
        assert device.endswith(", on a Ray cluster") == bool(how), device
        del told["command"], told["environment"]["started"], told["environment"]["seconds"]
        said.append(told)
    assert said[0] == said[1]
cluster.shutdown()
print("all right", time.time() - began)
"""


@needs_ray
@pytest.mark.skipif(os.environ.get("MODELPROV_RAY") != "1", reason="takes a minute: MODELPROV_RAY=1 runs it")
def test_three_nodes_with_one_killed_give_all_results_and_the_same_report(models: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, models / "nex", models / "qwen"], capture_output=True, text=True,
        timeout=280, check=False, env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_DISABLE_DOCKER_CPU_WARNING": "1"},
    )  # fmt: skip
    print(done.stdout)
    assert "all right" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_engine_says_what_to_install() -> None:
    with pytest.raises(UsageError) as refused:
        require_ray()
    assert "modelprov[ray]" in refused.value.advice
