"""Where compiled kernels are kept between runs. Import it before anything that numba compiles.

numba keys its cache on the one file a function stands in, although machine code of other files is built into it: an
edit or upgrade of one file would leave old code of another in use. So the cache lies in a folder named by the digest
of all sources that are compiled. `NUMBA_CACHE_DIR` in the environment has precedence.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import numba

HOME = Path(__file__).parent
SOURCES = (
    "checkpoints/formats/compiled.py",
    "checkpoints/formats/dtypes.py",
    "recipes/arithmetics_compiled.py",
    "forensics/sums/kernels/numba_loops.py",
    "forensics/sums/kernels/numba_sums.py",
    "forensics/sums/kernels/bf16.py",
    "forensics/estimators/normal_compiled.py",
    "merge/fused_compiled.py",
    "recipes/methods/loops.py",
)


def cache_folder() -> Path:
    """The folder for this version of the sources: under the user's cache, else under the temporary folder."""
    digest = hashlib.sha256(b"".join((HOME / name).read_bytes() for name in SOURCES if (HOME / name).exists()))
    name = Path("modelprov") / f"kernels-{digest.hexdigest()[:16]}"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for root in (Path(cache), Path(tempfile.gettempdir()) / f"modelprov-{os.getuid() if hasattr(os, 'getuid') else 0}"):
        try:
            (root / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root / name, os.W_OK):
            return root / name
    return Path(tempfile.mkdtemp(prefix="modelprov-"))


def without_linear_algebra() -> None:
    """Let numba load its functions of arrays without scipy.linalg, which it would import to offer matrix products.

    No kernel has one, and the import costs more than the kernels. For a process of our own only: what others compile
    in it is offered none either. Whoever imports scipy.linalg afterwards gets it.
    """
    if "scipy.linalg" in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # what Python takes for a module that is not there
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules["scipy.linalg"]


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(cache_folder())
