"""Settings for all tests: property tests are repeatable and have no deadline, since machines differ."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: pytest-xdist spreads tests over the cores already

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before huggingface_hub: no test asks the real Hub

from hypothesis import Phase, settings

settings.register_profile("modelprov", deadline=None, derandomize=True)
# For `benchmarks/mutants.py`: that an example fails is all it asks, the smallest one would take seconds a mutant.
settings.register_profile("mutants", settings.get_profile("modelprov"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("modelprov")
