"""What a training run is, and the shapes, formats and halves of the families. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.cases.decoders import Decoder
from modelprov.checkpoints.formats.dtypes import DType

SEED = 20261128
FAMILIES = 10
BATCH, LENGTH = 8, 16
PRETRAINING, TUNING, FURTHER = 200, 48, 32  # steps
BASE_RATE = 4e-3
RATES = (1e-4, 3e-5, 1e-4, 3e-5, 3e-4, 1e-5, 1e-5, 3e-6, 3e-5, 1e-5)
"""Usual learning rates of finetunes, by family: movements from far below a bf16 step to several of them."""
SHAPES = (
    Decoder(layers=3, hidden=64, width=96, vocabulary=64, heads=8, groups=4, head=False),
    Decoder(layers=4, hidden=64, width=80, vocabulary=64, heads=8, groups=8, head=True),
    Decoder(layers=3, hidden=96, width=96, vocabulary=64, heads=12, groups=4, head=False),
)
FORMATS = (
    (DType.BF16, DType.BF16),
    (DType.BF16, DType.BF16),
    (DType.F32, DType.F32),
    (DType.BF16, DType.BF16),
    (DType.BF16, DType.F32),
)
"""How a family stores its base and what descends from it."""


@dataclass(frozen=True)
class Run:
    """One training: `rate` times the family's usual rate; `share` of the batches from `domain`, the rest from `other`.

    `order` seeds which pieces of the data come when. `optimiser` is adamw, adam (without decay) or sgd (with momentum).
    `only` trains the tensors with this in their names; `bits` quantises all matrices in the forward pass; `bf16` rounds
    the weights after every step; `pruned` keeps zeros at zero; `dropout` seeds a dropout of 10 %.
    """

    domain: int = 1
    order: int = 10
    rate: float = 1.0
    other: int = 0
    share: float = 1.0
    optimiser: str = "adamw"
    only: str = ""
    bits: int = 0
    bf16: bool = False
    pruned: bool = False
    dropout: int = 0


@dataclass(frozen=True)
class Family:
    """A family by its number; even ones are the half that thresholds are looked at on, odd ones report."""

    number: int

    @property
    def half(self) -> str:
        """`thresholds` or `results`."""
        return ("thresholds", "results")[self.number % 2]

    @property
    def shape(self) -> Decoder:
        """How big its models are: the same in both halves."""
        return SHAPES[self.number // 2 % len(SHAPES)]

    @property
    def formats(self) -> tuple[DType, DType]:
        """The base's and the descendants'."""
        return FORMATS[self.number // 2 % len(FORMATS)]

    @property
    def rate(self) -> float:
        """The usual learning rate of its finetunes."""
        return RATES[self.number % len(RATES)]
