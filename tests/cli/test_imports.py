"""What the command loads: help answers at once, and a comparison on the processor needs no torch."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert "numba" in err
    assert "torch" not in err


NOT_FOR_A_VERDICT = (
    "scipy.special", "scipy.stats", "scipy.optimize", "scipy.linalg", "matplotlib", "jinja2", "huggingface_hub",
    "markdown_it", "torch", "transformers", "asyncio",
)  # fmt: skip
"""What costs more to import than a comparison of two parents has to do; a rare rule may load what it needs."""


def test_a_comparison_loads_nothing_heavy_for_its_verdict(models: Path) -> None:
    after = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {NOT_FOR_A_VERDICT} if name in sys.modules],"
        " file=sys.stderr))\n"
    )
    running = program(after + MAIN, "compare", models / "rio", models / "nex", models / "qwen", "--quiet")
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert err.strip() == "[]"
