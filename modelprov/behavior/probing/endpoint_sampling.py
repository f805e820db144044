"""Whether an endpoint samples when asked to: some answer greedily whatever the temperature, and say nothing.

`transformers serve` (5.x) takes the temperature from a request but samples only if the model's generation config says
`do_sample`; otherwise every seed gives the same answer, and ten "samples" are one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelprov.errors import EndpointError

if TYPE_CHECKING:
    from modelprov.behavior.probing.endpoints import Endpoint

QUESTION = "Write down ten random words and ten random numbers between 1 and 1000, in any order."
SEEDS = (1, 2, 3, 4)
SAMPLE: dict[str, Any] = {"generation_config": '{"do_sample": true}'}
"""What `transformers serve` needs in a request to sample."""


@dataclass(frozen=True)
class SamplingCheck:
    """Whether different seeds gave different answers at temperature 1, and the `extra` fields that this took."""

    samples: bool
    explanation: str
    extra: Mapping[str, Any] = field(default_factory=dict)


def check_sampling(endpoint: Endpoint, max_tokens: int = 32) -> SamplingCheck:
    """Ask one open question with four seeds at temperature 1; where all answers agree, again with `SAMPLE`.

    At most eight requests. Raises `EndpointError` when the endpoint does not answer the plain ones.
    """
    if _differ(endpoint, max_tokens, {}):
        return SamplingCheck(True, "The endpoint samples: four seeds gave different answers at temperature 1.")
    try:
        if _differ(endpoint, max_tokens, SAMPLE):
            return SamplingCheck(
                True, "The endpoint samples only when do_sample is asked for; requests say so from here on.", SAMPLE
            )
    except EndpointError:  # other servers may refuse a field they do not know
        pass
    return SamplingCheck(
        False,
        f"The endpoint gave the same answer to an open question for {len(SEEDS)} seeds at temperature 1: it seems to "
        "answer greedily whatever is asked, so several samples are one.",
    )


def _differ(endpoint: Endpoint, max_tokens: int, extra: Mapping[str, Any]) -> bool:
    """Whether two seeds give different answers; asks no more than it takes."""
    messages = [{"role": "user", "content": QUESTION}]
    first = None
    for seed in SEEDS:
        reply = endpoint.chat(messages, temperature=1.0, max_tokens=max_tokens, seed=seed, extra=extra)
        if first not in {None, said := (reply.thinking, reply.text)}:
            return True
        first = said
    return False
