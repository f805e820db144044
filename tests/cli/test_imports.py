"""What the command loads: help answers at once, and a comparison on the processor needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.forensics.sums.kernels.cpu import description
from modelprov.native import native, why_not
from tests.cli.conftest import MAIN, program

NO_TORCH = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'triton'):
            raise ImportError(f'{name} must not be imported')
sys.meta_path.insert(0, Blocker())
"""

NEVER_FOR_THE_LIST = ("pydantic", "markdown_it", "rich.markdown", "rich.traceback", "pygments.lexers", "yaml")
"""What the list of commands does without; the help of one command may load what typer needs to read its options."""
HEAVY = ("torch", "triton", "numba", "numpy", "scipy", "matplotlib", "jinja2", "huggingface_hub")
AT_THE_END = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr))
"""


def test_help_loads_nothing_heavy() -> None:
    for arguments in (("--help",), ("compare", "--help"), ("--version",)):
        running = program(AT_THE_END + MAIN, *arguments)
        out, err = running.communicate(timeout=60)
        assert running.returncode == 0
        assert "modelprov" in out
        assert err.strip() == "[]"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("--version",)])
def test_the_list_of_commands_imports_no_command_and_nothing_that_it_does_not_show(arguments: tuple[str, ...]) -> None:
    after = (
        "import atexit, sys\n"
        f"known = {(*HEAVY, *NEVER_FOR_THE_LIST)}\n"
        "atexit.register(lambda: print([name for name in sys.modules if name in known or name.startswith("
        "tuple(f'modelprov.cli.{command}' for command in __import__('modelprov.cli.app').cli.app.COMMANDS))],"
        " file=sys.stderr))\n"
    )
    out, err = program(after + MAIN, *arguments).communicate(timeout=60)
    assert "modelprov" in out
    assert err.strip() == "[]"


def test_help_loads_few_modules() -> None:
    after = "import atexit, sys\natexit.register(lambda: print(len(sys.modules), file=sys.stderr))\n"
    _, err = program(after + MAIN, "--help").communicate(timeout=60)
    assert int(err) <= 240  # 223 when this was written


def test_help_leaves_the_real_modules_to_those_who_want_them() -> None:
    """Help is drawn with stand-ins for what typer names and we never use; nobody else may meet those."""
    running = program(
        "from modelprov.cli.app import prepare_help; prepare_help()\n"
        "from rich.markdown import Markdown\nfrom rich.traceback import Traceback\n"
        "print(Markdown('*a*').markup, Traceback.extract.__name__)"
    )
    out, err = running.communicate(timeout=60)
    assert (out.strip(), err) == ("*a* extract", "")


def test_comparing_on_the_processor_never_imports_torch(models: Path, tmp_path: Path) -> None:
    running = program(
        NO_TORCH + MAIN, "compare", models / "rio", models / "nex", models / "qwen", "--device", "cpu",
        "--html", tmp_path / "r.html", "--json", "-",
    )  # fmt: skip
    out, err = running.communicate(timeout=120)
    assert running.returncode == 1, err
    assert '"class": "merge"' in out


def test_without_a_gpu_auto_never_imports_torch_either(models: Path) -> None:
    hidden = "import sys; from modelprov.forensics.sums.kernels import choose as c; c.DEVICE_FILES = (); "
    hidden += "sys.platform = 'linux'\n"
    running = program(AT_THE_END + hidden + MAIN, "compare", models / "nex", models / "qwen")
    _, err = running.communicate(timeout=120)
    assert running.returncode == 0
    assert ("numba" in err) is (native() is None)
    assert "torch" not in err


OURS, MODULES = 280, 716
"""Modules of ours, and all, that a comparison may load: 211 and 671 for a merge when this was written, 266 of ours for
a stranger."""
NOT_FOR_A_VERDICT = (
    "scipy.special", "scipy.stats", "scipy.optimize", "scipy.linalg", "matplotlib", "jinja2", "huggingface_hub",
    "markdown_it", "torch", "transformers", "asyncio", "modelprov.merge.virtual", "modelprov.checkpoints.stated",
    "modelprov.check.results", "modelprov.behavior.probing.results", "modelprov.reports.case.telling",
    "modelprov.reports.verifying.telling", "modelprov.reports.evidence.attestation_check", "modelprov.recipes.methods",
    "modelprov.forensics.search.methods.find", "modelprov.forensics.search.coordinates.looking",
    "modelprov.checkpoints.layouts.packed.finding", "modelprov.checkpoints.layouts.gguf_model",
    "modelprov.checkpoints.fingerprint_file", "modelprov.forensics.estimators.polytope",
    "modelprov.forensics.estimators.piecewise", "modelprov.forensics.search.beyond",
    "modelprov.forensics.search.profiles", "modelprov.forensics.sums.ledger", "modelprov.forensics.sums.on_cluster",
    "modelprov.jobs.kept", "numpy.ma", "tomllib",
)  # fmt: skip
"""What costs more to import than a comparison of two parents has to do; a rare rule may load what it needs, and whoever
writes another kind of report what tells that one."""


def test_a_comparison_loads_nothing_heavy_for_its_verdict_and_its_report(models: Path, tmp_path: Path) -> None:
    after = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {NOT_FOR_A_VERDICT} if name in sys.modules],"
        " file=sys.stderr))\n"
    )
    running = program(
        after + MAIN, "compare", models / "rio", models / "nex", models / "qwen", "--quiet",
        "--json", tmp_path / "r.json", "--markdown", tmp_path / "r.md",
    )  # fmt: skip
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert err.strip().splitlines()[-1] == "[]"


def test_what_judges_and_reports_is_loaded_while_the_weights_are_read_and_not_before(models: Path) -> None:
    scouting = (
        "import sys\nfrom modelprov.forensics import passes\nscouted = passes.scouted\n"
        "def told(*given):\n    found = scouted(*given)\n"
        "    late = ('modelprov.forensics.judging', 'modelprov.reports.comparison', 'modelprov.recipes.recipe')\n"
        "    print([name for name in late if name in sys.modules], file=sys.stderr)\n    return found\n"
        "passes.scouted = told\n"
    )
    running = program(scouting + MAIN, "compare", models / "rio", models / "nex", models / "qwen", "--quiet")
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert err.strip() == "[]"


@pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
@pytest.mark.parametrize("suspect", ["rio", "rio-trained", "stranger"])
def test_with_the_c_kernels_a_comparison_never_imports_numba_nor_scipy(models: Path, suspect: str) -> None:
    after = (
        "import atexit, sys\nheavy = ('numba', 'llvmlite', 'scipy')\n"
        "atexit.register(lambda: print([n for n in heavy if n in sys.modules],"
        " sum(n.split('.')[0] == 'modelprov' for n in sys.modules), len(sys.modules), file=sys.stderr))\n"
    )
    running = program(after + MAIN, "compare", models / suspect, models / "nex", models / "qwen", "--quiet")
    _, err = running.communicate(timeout=120)
    assert running.returncode in (0, 1, 3)
    loaded, ours, everything = err.strip().split("\n")[-1].rsplit(" ", 2)
    assert loaded == "[]"
    if suspect != "rio-trained":  # methods of merging are tried on it, with torch where that is installed
        assert int(ours) <= OURS
        assert int(everything) <= MODULES


def test_without_them_numba_gives_the_same_verdict_and_the_report_says_what_computed(models: Path) -> None:
    where = [models / name for name in ("rio", "nex", "qwen")]
    asked = "import os; os.environ['MODELPROV_KERNEL'] = 'numba'\n"
    told = []
    for before in (asked, ""):
        running = program(before + MAIN, "compare", *where, "--quiet", "--json", "-")
        out, _ = running.communicate(timeout=120)
        told.append(json.loads(out))
    assert told[0]["environment"]["device"] == "processor (numba)"
    assert told[1]["environment"]["device"] == description()
    assert told[0]["verdict"] == told[1]["verdict"]
