"""What a comparison does about checkpoints that are elsewhere: says what it will fetch, samples, keeps to a budget.

A finding that stands on bits needs few weights; an all-clear is given on the whole sample only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from modelprov.called import called
from modelprov.checkpoints.plan import Plan, byte_ranges
from modelprov.checkpoints.remote.source import grouped, is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC, Fetched, connections, size_in
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.errors import BudgetSpentError, UsageError
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.sampling.blocks import partial
from modelprov.progress import Progress, tell

FIRST_ELEMENTS = 1 << 20
"""Of each checkpoint, in the first sample; what a comparison of local files takes to find candidates."""
FEWEST_ELEMENTS = 1 << 16
COPIED, REPRODUCED = 0.99, 0.9
"""Shares of the sampled bits that are a parent's, or that one exact recipe gives, from which more would say the same.

A mix of which one layer in ten was trained further is a mix of the rest, however many weights are read.
"""

Before = Callable[[Alignment, Plan], None]
Job = Callable[[Options, Before | None], Comparison]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a plan would fetch: requests, bytes, and seconds by what was measured on the way here."""

    requests: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {_size(self.bytes)}, about {max(1, round(self.seconds)):,} s"


def far(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Those whose bytes cross a network."""
    return [checkpoint for checkpoint in checkpoints if is_far(checkpoint.source)]


def ahead(alignment: Alignment, plan: Plan) -> Ahead:
    """What reading a plan fetches, if nothing of it is in the cache."""
    requests = size = 0
    for number, checkpoint in enumerate(alignment.checkpoints):
        if not is_far(checkpoint.source):
            continue
        for block in range(plan.blocks):
            for _, start, stop, _ in grouped(byte_ranges(plan, plan.block(block), number)):
                requests += 1
                size += stop - start
    so_far, rate = TRAFFIC.so_far, size_in("MODELPROV_BANDWIDTH", 0)
    latency = so_far.seconds / so_far.requests if so_far.requests else 0.1
    return Ahead(requests, size, requests * latency / connections() + (size / rate if rate else 0.0))


@dataclass(frozen=True, slots=True)
class Reach:
    """What was asked about checkpoints that are elsewhere: all weights, or `elements` of each; most bytes to fetch."""

    elements: int
    full: bool = False
    budget: int | None = None


def compared(
    job: Job, checkpoints: Sequence[Checkpoint], options: Options, reach: Reach, progress: Progress
) -> Comparison:
    """What `job` finds; of checkpoints that are elsewhere in a sample, unless all was asked for.

    Raises `BudgetSpentError`, before anything is read where that can be known, and what the job raises.
    """
    distant, blocks = far(checkpoints), partial(checkpoints)
    if blocks and reach.full:
        raise UsageError(
            f"{called('full')} and {called('resume')} are about every weight, and a fingerprint holds some blocks",
            "Give the checkpoints themselves, or leave it out.",
        )
    if not distant:
        return job(options, None)
    if not reach.full:
        options = replace(options, sample=True, sample_elements=reach.elements)
    before = TRAFFIC.so_far
    with TRAFFIC.within(reach.budget):
        adapts = options.sample and not blocks  # the blocks of a fingerprint are neither more nor less
        found = _adapted(job, options, progress) if adapts else job(options, _hearing(options, progress))
    tell_spent(before, progress)
    return found


def tell_spent(before: Fetched, progress: Progress) -> None:
    """Tell what was fetched since then."""
    spent = TRAFFIC.so_far.since(before)
    cached = f"; {_size(spent.cached)} were in the cache of this machine" if spent.cached else ""
    tell(progress, f"fetched {_size(spent.bytes)} in {spent.requests:,} requests{cached}")


def _adapted(job: Job, options: Options, progress: Progress) -> Comparison:
    """A small sample first, the whole one where that settles nothing, and a smaller one where the budget is."""
    most, elements = options.sample_elements, min(FIRST_ELEMENTS, options.sample_elements)
    found: Comparison | None = None
    while True:
        asked = replace(options, sample_elements=elements)
        try:
            found = job(asked, _hearing(asked, progress))
        except _TooMuchError as error:
            if found is not None:
                tell(progress, f"the whole sample would go over the budget ({error.ahead}): the small one stands")
                return found
            if elements <= FEWEST_ELEMENTS:
                raise
            smaller = int(elements * 0.9 * (TRAFFIC.left() or 0) / error.ahead.bytes)
            elements = most = max(FEWEST_ELEMENTS, min(smaller, elements // 2))
            continue
        if elements >= most or _settled(found):
            return found
        tell(progress, "the first sample does not settle it: reading the whole one")
        elements = most


class _TooMuchError(BudgetSpentError):
    """A plan that is over the budget, known before it is read."""

    def __init__(self, ahead: Ahead, left: int) -> None:
        super().__init__(
            f"this would fetch {_size(ahead.bytes)}, and the budget has {_size(left)} left; nothing was read",
            f"Allow more ({called('budget')}), or read a smaller sample ({called('sample_size')}).",
        )
        self.ahead = ahead


def _hearing(options: Options, progress: Progress) -> Before:
    def before(alignment: Alignment, plan: Plan) -> None:
        found = ahead(alignment, plan)
        if not found.requests:
            return
        left = TRAFFIC.left()
        what = "a sample" if options.sample else "every weight"
        limit = f" (budget: {_size(left)})" if left is not None else ""
        tell(progress, f"reading {what} of what is elsewhere: at most {found}{limit}")
        if left is not None and found.bytes > left:
            raise _TooMuchError(found, left)

    return before


def _settled(found: Comparison) -> bool:
    """Whether more weights would say the same: the bits of what was read are those of one recipe or of a copy.

    Or whole rows, read beside the sample, say that it is a copy rounded to fewer numbers, or that the models are kin in
    other coordinates.
    """
    from modelprov.forensics.results import VerdictClass  # what judges is imported when something was judged

    findings = found.findings
    if found.coordinates is not None and found.coordinates.related:
        return True
    if findings.verdict.rule == "rounded":
        return True
    if findings.verdict.class_ is VerdictClass.COPY:
        return max(findings.overall.equal.values(), default=0.0) >= COPIED
    if findings.verdict.class_ is VerdictClass.MERGE:
        return findings.reproduction is not None and (findings.reproduction.bit_equal or 0.0) >= REPRODUCED
    return False


def _size(count: int) -> str:
    """Bytes as people say them."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}" if count < 100 * size else f"{count / size:,.0f} {unit}"
    return f"{count} bytes"
