"""The cache of compiled kernels."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import modelprov
from modelprov.compiled import SOURCES, cache_folder

HOME = Path(modelprov.__file__).parent


def test_every_file_whose_compiled_code_is_kept_counts_towards_the_name_of_the_cache():
    kept = {str(path.relative_to(HOME)) for path in HOME.rglob("*.py") if re.search(r"\bcache=True", path.read_text())}
    assert kept <= set(SOURCES)
    assert "forensics/sums/kernels/bf16.py" in SOURCES  # built into the code of numba_loops.py


def test_the_cache_can_be_written_even_without_a_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("")
    assert cache_folder().is_dir()


def test_whoever_needs_linear_algebra_gets_it_after_the_kernels_were_loaded_without_it():
    code = (
        "import sys\nfrom modelprov.compiled import without_linear_algebra\nwithout_linear_algebra()\n"
        "assert 'scipy.linalg' not in sys.modules\n"
        "import modelprov.forensics.sums.kernels.numba_loops, scipy.linalg\nprint(scipy.linalg.norm([3.0, 4.0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("5.0", "")
