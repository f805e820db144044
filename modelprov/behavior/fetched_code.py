"""What in a checkpoint's settings makes transformers fetch or run somebody's code, and its refusal. Loads nothing.

`auto_map` and `custom_generate` are not among it: transformers follows them for whoever trusts remote code, and we
never do. What is refused here it would follow unasked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from modelprov.checkpoints.json_files import read_json_object
from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG, CONFIG, GENERATION
from modelprov.errors import InvalidCheckpointError

FILES = (CONFIG, GENERATION)

IMPLEMENTATION = re.compile(r"(?:attn|attention|experts?|moe|mlp)_implementation(?:_internal)?$")
BUILT_IN = frozenset({"eager", "sdpa", "flex_attention", "batched_mm", "grouped_mm"})
"""What torch computes. Any other name is looked up among the Hub's kernels (`org/name`, and flash attention where it is
not installed): code that is downloaded and run."""

SWITCHES = frozenset({"use_kernels", "use_kernel", "use_hub_kernels", "kernel_config", "kernel_mapping"})
"""Keys that make transformers load kernels wherever they say anything but no."""

NEVER = frozenset({"transformers_weights", "attribute_map", "sub_configs"})
"""Keys that name another file of weights, or under which other keys hide."""

REPOSITORY = re.compile(r"(?:[^|]*\|)?[^/:\s]+/[^/:\s]+(?:@[^/:\s]+)?(?::[^/:\s]+)?")
ELSEWHERE = re.compile(r"(?:hf[-_]hub|local-dir):", re.IGNORECASE)  # as timm reads names of architectures
ADVICE = "Code is never fetched for a checkpoint. Remove that key if you trust the rest; answers do not need it."


class FetchedCodeError(InvalidCheckpointError):
    """A checkpoint's settings would make the library that loads it fetch or run code."""


def refuse_fetched_code(folder: Path) -> None:
    """Raise `FetchedCodeError`, naming file and key, where settings in the folder would fetch or run code.

    Raises `InvalidCheckpointError` for files that are no JSON.
    """
    if (folder / ADAPTER_CONFIG).exists():
        raise FetchedCodeError(
            f"{folder} holds {ADAPTER_CONFIG}: other weights would be put over, or in place of, "
            "those that are examined",
            "Merge the adapter into the weights, or move that file away.",
        )
    for name in FILES:
        if (folder / name).exists():
            for place, key, value in _entries(read_json_object(folder / name)):
                _check(f"{name} of {folder}", place, key, value)


def let_no_kernel_be_fetched() -> None:
    """Make transformers' one way to kernels of the Hub end in an error, for the rest of this process.

    The names of quantisations lead there, too, at loading or at the first forward pass, where `kernels` is installed.
    """
    from transformers.integrations import hub_kernels

    hub_kernels.get_kernel_hub = _no_kernel


def _no_kernel(name: object = None, *_: object, **__: object) -> NoReturn:
    raise FileNotFoundError(f"the kernel {name!r} is code from elsewhere; modelprov fetches none")


def refuse_loaded(config: Any, location: str) -> None:
    """Raise `FetchedCodeError` where transformers' own reading of a config names code all the same."""
    waiting, seen = [config], set()
    while waiting:
        held = waiting.pop()
        seen.add(id(held))
        for name, value in vars(held).items():
            if IMPLEMENTATION.search(name):
                _check(f"{CONFIG} of {location}", name, name, value)
            elif hasattr(value, "model_type"):
                waiting += [value] if id(value) not in seen else []


def _entries(held: Any) -> Iterator[tuple[str, str, Any]]:
    """Every value at any depth, with the path of keys to it and the last of them."""
    waiting: list[tuple[str, str, Any]] = [("", "", held)]
    while waiting:
        place, key, value = waiting.pop()
        if place:
            yield place, key, value
        if isinstance(value, dict):
            waiting += [(f"{place}.{name}" if place else name, name, inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(place, key, inner) for inner in value]


def _check(file: str, place: str, key: str, value: Any) -> None:
    plain = key.strip("_").lower()
    if IMPLEMENTATION.search(plain):
        for leaf in _leaves(value):
            if leaf is not None and leaf not in BUILT_IN:
                _refuse(file, place, leaf, "names code to compute with that may be fetched")
    elif plain in NEVER or (plain in SWITCHES and value):
        _refuse(file, place, value, "would load kernels or weights that are not examined")
    elif isinstance(value, str) and (
        ELSEWHERE.match(value) or ("kernel" in plain and REPOSITORY.fullmatch(value.strip()))
    ):
        _refuse(file, place, value, "names a repository to load from")


def _leaves(value: Any) -> list[Any]:
    """What stands in a value at any depth."""
    found, waiting = [], [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict | list):
            waiting += list(held.values()) if isinstance(held, dict) else held
        else:
            found.append(held)
    return found


def _refuse(file: str, place: str, value: Any, why: str) -> NoReturn:
    raise FetchedCodeError(f"`{ascii(place)[1:-1][:200]}` in {file} {why}: {ascii(value)[:100]}", ADVICE)
