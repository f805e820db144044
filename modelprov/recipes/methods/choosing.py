"""Which steps an arithmetic takes, from its name: those of `steps`, or torch's own. Computes nothing."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.recipes.methods.interface import ARITHMETICS, PRESETS, THREADS, Inputs
from modelprov.recipes.methods.introsort import ProgramSteps
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Steps
from modelprov.recipes.methods.torch_steps import TorchSteps


def steps_of(inputs: Inputs) -> Steps:
    """How the inputs' arithmetic rounds: presets follow `dtype`, as the programs do; explicit names say it themselves.

    Raises `UsageError` for a name that is not in `ARITHMETICS`.
    """
    if inputs.arithmetic not in ARITHMETICS:
        raise UsageError(f"unknown arithmetic {inputs.arithmetic!r}", f"Choose one of: {', '.join(ARITHMETICS)}.")
    if inputs.arithmetic == "float64" or (inputs.arithmetic in PRESETS and inputs.dtype is DType.F64):
        return FLOAT64
    if inputs.arithmetic in ("float32", "float32-fused"):
        return FLOAT32
    if inputs.arithmetic == "bf16-stepwise" and inputs.dtype not in (DType.BF16, DType.F16):
        return Steps(np.float32, DType.BF16)
    if inputs.arithmetic in PRESETS:
        return program_steps(inputs.dtype, inputs.threads)
    return Steps(np.float32, inputs.dtype)


def torch_installed() -> bool:
    """Whether torch can be imported."""
    return find_spec("torch") is not None


def program_steps(dtype: DType, threads: int = THREADS) -> Steps:
    """The steps of mergekit's presets in a format, on so many threads.

    They are torch's own where it is installed, else as near as numpy comes.
    """
    if torch_installed():
        return TorchSteps(np.float32, dtype, threads=threads)
    return ProgramSteps(np.float32, dtype, lanes=True)
