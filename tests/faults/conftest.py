"""The family of the commands' tests, for the jobs that write."""

from tests.cli.conftest import models

__all__ = ["models"]
