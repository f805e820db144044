"""The family of the commands' tests, for the jobs behind them."""

from tests.cli.conftest import compare, modelprov, models

__all__ = ["compare", "modelprov", "models"]
