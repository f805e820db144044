"""The names that `import modelprov` gives: which, when they are loaded, and that they say what they take and give."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelprov

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "numba", "numpy", "scipy", "pydantic", "rich", "typer", "matplotlib", "modelprov.jobs")
JOBS = sorted(set(modelprov.__all__) - {"__version__"})


def loaded_after(code: str) -> set[str]:
    """Which of the heavy modules a new Python has loaded after the code."""
    script = f"import json, sys\n{code}\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, timeout=120
    )
    return set(json.loads(done.stdout))


def test_the_names_are_those_that_are_promised() -> None:
    assert modelprov.__all__ == ["__version__", "compare", "inspect", "verify"]
    assert set(modelprov.__all__) <= set(dir(modelprov))


def test_importing_the_package_loads_nothing() -> None:
    assert loaded_after("import modelprov; dir(modelprov); modelprov.__version__") == set()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_loaded_when_it_is_named_and_without_torch(name: str) -> None:
    loaded = loaded_after(f"import modelprov; assert callable(modelprov.{name})")
    assert "modelprov.jobs" in loaded
    assert not loaded & {"torch", "rich", "typer", "matplotlib"}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_says_what_it_takes_gives_and_raises(name: str) -> None:
    job = getattr(modelprov, name)
    text = inspect.getdoc(job) or ""
    assert {"Args:", "Returns:", "Raises:"} <= {line.strip() for line in text.splitlines()}
    parameters = inspect.signature(job).parameters.values()
    assert all(parameter.annotation is not parameter.empty for parameter in parameters)
    assert [parameter.name for parameter in parameters if f"{parameter.name}:" not in text] == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'accuse'"):
        modelprov.accuse  # noqa: B018
