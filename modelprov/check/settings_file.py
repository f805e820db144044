"""The file that the policy of `check` and the defaults of every command share: its name, its tables. Reads nothing."""

from __future__ import annotations

from typing import Final

FILE: Final = "modelprov.toml"
POLICY: Final = ("check", "rules")
DEFAULTS: Final = "defaults"
TABLES: Final = (*POLICY, DEFAULTS)
MAX_BYTES: Final = 1_000_000
