"""Settings for all tests: property tests are repeatable and have no deadline, since machines differ."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: pytest-xdist spreads tests over the cores already

from hypothesis import settings

settings.register_profile("modelprov", deadline=None, derandomize=True)
settings.load_profile("modelprov")
