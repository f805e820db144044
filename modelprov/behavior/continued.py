"""What asking models to go on after random words found, as it crosses file boundaries. Data only."""

from __future__ import annotations

from typing import Literal

from modelprov.records import Frozen

Way = Literal["completions", "chat"]
Finding = Literal["answers like", "no more alike than the controls", "could not judge"]


class Continuer(Frozen):
    """One model that was asked. `tokenizer` is a digest of its vocabulary, `parameters` their number; None unknown.

    `distinct` counts different answers, `most` is the share of the most frequent one. `unfit` says why a control, or a
    parent, is not counted.
    """

    label: str
    role: Literal["suspect", "parent", "control"]
    tokenizer: str | None = None
    parameters: int | None = None
    distinct: int = 0
    most: float = 0.0
    unfit: str | None = None


class Agreement(Frozen):
    """How often the suspect gives the same answer as another model: of `prompts`, `equal`.

    `low` and `high` are Wilson's 95 % interval of that share; `kappa` is Cohen's, what is left of the share beyond that
    of two models that only have the same habits.
    """

    label: str
    role: Literal["parent", "control"]
    equal: int
    prompts: int
    low: float
    high: float
    kappa: float | None


class Judged(Frozen):
    """What the answers say of one parent.

    `p` is the largest of McNemar's one-sided p against each counted control, `outlying_p` that of a t-test whether the
    parent's kappa could be one more of the controls'; both after Holm's correction for everything of their kind.
    `margin` is its kappa less the largest of a control. None where it could not be judged; `reason` says why.
    """

    parent: str
    finding: Finding
    controls: int
    p: float | None = None
    outlying_p: float | None = None
    margin: float | None = None
    reason: str | None = None


class Continued(Frozen):
    """All of it: how many prompts, from which seed, asked in which way, and what follows for each parent."""

    prompts: int
    seed: int
    digest: str
    way: Way
    models: tuple[Continuer, ...]
    agreements: tuple[Agreement, ...]
    judged: tuple[Judged, ...]
    notes: tuple[str, ...] = ()


class Equality(Frozen):
    """Whether the suspect and published weights complete texts from the same distribution: a two-sample test.

    `statistic` is the mean over prompts of the squared discrepancy (Hamming kernel, unbiased, so 0 without one), `p`
    from permutations. `samples` completions each of `prompts` texts, at temperature 1, of at most `tokens` tokens.
    """

    published: str
    digest: str
    dtype: str
    prompts: int
    samples: int
    tokens: int
    statistic: float
    p: float
    permutations: int
    finding: Literal["another distribution", "no difference found"]
    notes: tuple[str, ...] = ()
