"""Settings for all tests: property tests are repeatable and have no deadline, since machines differ."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("modelprov", deadline=None, derandomize=True)
settings.load_profile("modelprov")
