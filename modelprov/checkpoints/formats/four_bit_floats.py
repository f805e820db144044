"""Numbers of four bits that are no integers: E2M1 (OCP MX, MXFP4 and NVFP4), NF4 and FP4 (bitsandbytes).

NF4: Dettmers et al., "QLoRA", 2023, appendix E; NF4's and FP4's numbers as bitsandbytes stores them beside each weight.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.grouped import book_of

_HALF = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
E2M1 = book_of(np.concatenate([_HALF, -_HALF]))
"""One bit of sign, two of exponent, one of mantissa."""
NF4_VALUES = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
NF4 = book_of(NF4_VALUES)
"""Quantiles of a normal distribution, as shares of a block's largest number."""
FP4_VALUES = np.array([0.0, 0.0052083333333, 0.6666666666667, 1.0, 0.3333333333333, 0.5, 0.1666666666667, 0.25])
FP4 = book_of(np.concatenate([FP4_VALUES, -FP4_VALUES]))
"""The four-bit floats of bitsandbytes, as shares of a block's largest number."""
