"""The names that `import modelprov` gives: which, when they are loaded, and that they say what they take and give."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelprov

ROOT = Path(__file__).parents[1]
PACKAGES = ("check", "merge")
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
    names = ["add", "atlas", "attest", "check", "compare", "compare_part", "evaluate", "fingerprint"]
    names += ["identify", "inspect", "merge", "open", "probe", "recheck", "verify"]
    assert modelprov.__all__ == ["__version__", *names]
    assert set(modelprov.__all__) <= set(dir(modelprov))


def test_importing_the_package_loads_nothing() -> None:
    assert loaded_after("import modelprov; dir(modelprov); modelprov.__version__") == set()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_loaded_when_it_is_named_and_without_torch(name: str) -> None:
    loaded = loaded_after(f"import inspect, modelprov; inspect.signature(modelprov.{name})")
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


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize(
    "imports",
    [
        "import modelprov",
        "import modelprov.{name}.run_or_plan",
        "import modelprov.jobs.{name}",
        "from modelprov.{name} import run_or_plan",
        "import modelprov; modelprov.{name}; import modelprov.jobs.{name}; import modelprov.{name}.run_or_plan",
    ],
)
def test_a_room_with_the_name_of_a_job_is_the_job_too_whichever_is_imported_first(name: str, imports: str) -> None:
    room = {"check": "run", "merge": "plan"}[name]
    script = f"""
{imports.format(name=name).replace("run_or_plan", room)}
import inspect, sys
import modelprov
from modelprov import {name}
from modelprov.jobs.{name} import {name} as job
import modelprov.{name}.{room} as inside
assert {name} is modelprov.{name} is sys.modules["modelprov.{name}"]
assert modelprov.{name}.{room} is inside
assert inspect.signature(modelprov.{name}) == inspect.signature(job)
assert inspect.getdoc(modelprov.{name}) == inspect.getdoc(job)
from modelprov.errors import ModelprovError
try:
    modelprov.{name}("no-such-place.yml", **({{"out": "x"}} if "{name}" == "merge" else {{}}))
except ModelprovError as error:
    assert "no-such-place" in error.message, error
else:
    raise AssertionError("the job was not called")
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)


def test_type_checkers_see_every_job_as_the_function_that_it_is() -> None:
    """Where only type checkers look, each name is imported from the job's file."""
    (seen,) = [
        node
        for node in ast.parse((ROOT / "modelprov" / "__init__.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imported = [
        (node.module, [name.name for name in node.names]) for node in seen.body if isinstance(node, ast.ImportFrom)
    ]
    assert imported == [(f"modelprov.jobs.{name}", [name]) for name in JOBS]


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'accuse'"):
        modelprov.accuse  # noqa: B018
