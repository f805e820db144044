"""Which tensors of a base an adapter changes, and by which of its own. Names and shapes only; reads nothing.

An adapter that fits only in part is an error: what would be compared is then not the model that it was trained as.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from modelprov.checkpoints.adapters.config import MERGE, AdapterConfig
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.types import RefusedTensor, TensorRef
from modelprov.errors import InvalidCheckpointError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

WRAPPER = "base_model.model."
# The endings of an adapter's tensors, and what they are; whatever has none of them is a tensor saved whole.
ENDINGS = (
    (".lora_A.weight", "a"), (".lora_B.weight", "b"), (".lora_embedding_A", "rows"), (".lora_embedding_B", "columns"),
    (".lora_magnitude_vector", "magnitude"), (".lora_magnitude_vector.weight", "magnitude"), (".ia3_l", "factor"),
)  # fmt: skip
UNKNOWN = ("lora_", "ia3_", "hada_", "oft_", "vera_", "trainable_tokens_")
OTHER_BASE = "Give the base that it was trained on, as BASE+ADAPTER."

Stored = Mapping[str, TensorRef | RefusedTensor]


@dataclass(frozen=True)
class Change:
    """A tensor of the base and what is done to it; the fields are tensors of the adapter.

    `target` [rows, columns] becomes target + scale x (left @ right), `left` [rows, rank] and `right` [rank, columns]
    taken transposed where said; with `magnitude` [rows], each row is then brought to that length. Or it is multiplied
    by `factor`, one number a row (`by_row`) or a column. Where there is a `whole`, it takes the target's place first.
    """

    target: TensorRef
    left: TensorRef | None = None
    right: TensorRef | None = None
    transposed: bool = False
    scale: float = 1.0
    magnitude: TensorRef | None = None
    factor: TensorRef | None = None
    by_row: bool = True
    whole: TensorRef | None = None


@dataclass(frozen=True)
class Matched:
    """The changes, and the adapter's tensors that stand beside the base's or in the place of some: `added` by name."""

    changes: tuple[Change, ...]
    added: Mapping[str, TensorRef] = field(default_factory=dict)


class _Base:
    """A base's tensors, found by the names that an adapter gives them."""

    def __init__(self, tensors: Mapping[str, TensorRef], refused: Mapping[str, RefusedTensor], place: str) -> None:
        self.stored: dict[str, TensorRef | RefusedTensor] = {**tensors, **refused}
        self.place = place
        self._canonical: dict[str, list[str]] = {}
        self._last: dict[str, list[str]] = {}
        for name in self.stored:
            canonical = canonical_name(name)
            self._canonical.setdefault(canonical, []).append(name)
            self._last.setdefault(".".join(canonical.split(".")[-4:]), []).append(name)

    def find(self, name: str) -> str | None:
        """The stored name: the same, the same in the common spelling, or the only one that differs by a prefix."""
        if name in self.stored:
            return name
        canonical = canonical_name(name)
        found = self._canonical.get(canonical, [])
        if not found:
            alike = self._last.get(".".join(canonical.split(".")[-4:]), [])
            found = [each for each in alike if each.endswith(f".{name}") or name.endswith(f".{each}")]
        return found[0] if len(found) == 1 else None

    def tensor(self, module: str, kind: str = "weight") -> TensorRef | None:
        """The tensor of a module; raises `UnsupportedFormatError` for one that is not stored as plain floats."""
        found = self.find(f"{module}.{kind}")
        stored = None if found is None else self.stored[found]
        if isinstance(stored, RefusedTensor):
            raise UnsupportedFormatError(
                f"{self.place} stores {quoted(stored.name)} as {stored.format}: an adapter cannot be put on it",
                "Give the release in BF16 or F16 that it was made of, as BASE+ADAPTER.",
            )
        return stored


def matched(
    tensors: Mapping[str, TensorRef], base: tuple[Mapping[str, TensorRef], Mapping[str, RefusedTensor], str],
    config: AdapterConfig, places: tuple[str, str],
) -> Matched:  # fmt: skip
    """What the adapter's `tensors` do to a base, given as its tensors, its refused ones and its location.

    `places` are those of the adapter's weights and of its config. Raises `InvalidCheckpointError` where a tensor has no
    partner or another shape, `UnsupportedFormatError` for tensors of kinds that are not computed.
    """
    place, config_place = places
    held = _Base(*base)
    modules, whole = _modules(tensors, place)
    changes: list[Change] = []
    missing: list[str] = []
    for module, parts in modules.items():
        target = held.tensor(module)
        if target is None:
            missing.append(module)
            continue
        rank = _rank(parts)
        scale = config.scale_of(module, rank, config_place) if rank else 1.0
        changes.append(_change(module, target, parts, config, scale, place))
        factor = parts.get("factor")
        if factor is not None and factor.shape[1] == 1 and (bias := held.tensor(module, "bias")) is not None:
            if bias.shape != factor.shape[:1]:
                raise _misfit(f"{module}.bias", place, str(factor.shape), bias)
            changes.append(Change(bias, factor=factor))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidCheckpointError(
            f"{place} changes {quoted(missing[0])}{more}, which {held.place} does not have", OTHER_BASE
        )
    added: dict[str, TensorRef] = {}
    for name, ref in whole.items():
        stored = held.find(name)
        replaced = held.stored.get(stored) if stored is not None else None
        if isinstance(replaced, TensorRef) and replaced.shape == ref.shape:
            also = next((number for number, change in enumerate(changes) if change.target is replaced), None)
            if also is None:
                changes.append(Change(replaced, whole=ref))
            else:  # an embedding that was saved as well as changed
                changes[also] = replace(changes[also], whole=ref)
        else:
            added[stored or name] = ref
    return Matched(tuple(changes), added)


def _modules(
    tensors: Mapping[str, TensorRef], place: str
) -> tuple[dict[str, dict[str, TensorRef]], dict[str, TensorRef]]:
    """An adapter's tensors by module and part, and those that were saved whole by name."""
    modules: dict[str, dict[str, TensorRef]] = {}
    whole: dict[str, TensorRef] = {}
    for stored, ref in tensors.items():
        name = stored.removeprefix(WRAPPER)
        ending = next(((end, part) for end, part in ENDINGS if name.endswith(end)), None)
        if ending is not None:
            modules.setdefault(_inner(name.removesuffix(ending[0])), {})[ending[1]] = ref
        elif any(word in part for part in name.split(".") for word in UNKNOWN):
            raise UnsupportedFormatError(f"{place} holds {quoted(stored)}, a part that is not computed here", MERGE)
        else:
            whole[_inner(name)] = ref
    return modules, whole


def _inner(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in ("base_layer", "original_module"))


def _rank(parts: Mapping[str, TensorRef]) -> int:
    first = parts.get("a") or parts.get("rows")
    return first.shape[0] if first is not None and first.shape else 0


def _change(
    module: str, target: TensorRef, parts: Mapping[str, TensorRef], config: AdapterConfig, scale: float, place: str
) -> Change:
    """One module's change; every shape is held against the base's."""
    shape = (target.shape[0], math.prod(target.shape[1:])) if len(target.shape) > 1 else (0, 0)
    kinds = frozenset(parts)
    if kinds == {"factor"} and config.kind == "IA3":
        return _by_factor(module, target, parts["factor"], config, place)
    if config.kind != "LORA" or kinds not in ({"a", "b"}, {"a", "b", "magnitude"}, {"rows", "columns"}):
        raise InvalidCheckpointError(f"{place}: {quoted(module)} has {', '.join(sorted(kinds))} alone", OTHER_BASE)
    embedding = "rows" in kinds
    transposed = embedding or config.transposed
    first, second = (parts["rows"], parts["columns"]) if embedding else (parts["a"], parts["b"])
    rank = first.shape[0]
    a, b = (rank, math.prod(first.shape[1:])), (second.shape[0], math.prod(second.shape[1:]))
    made = (a[1], b[0]) if transposed else (b[0], a[1])
    if b[1] != rank or made != shape or (transposed and len(target.shape) != 2):
        raise _misfit(module, place, f"{first.shape} and {second.shape}", target)
    magnitude = parts.get("magnitude")
    if config.dora != (magnitude is not None):
        raise InvalidCheckpointError(f"{place}: {quoted(module)} and the config differ on DoRA's lengths", OTHER_BASE)
    if magnitude is not None and (transposed or len(target.shape) != 2):
        raise UnsupportedFormatError(f"{place} has DoRA on {quoted(module)}, which is no plain matrix", MERGE)
    if magnitude is not None and math.prod(magnitude.shape) != shape[0]:
        raise _misfit(module, place, str(magnitude.shape), target)
    left, right = (first, second) if transposed else (second, first)
    return Change(target, left, right, transposed, scale, magnitude)


def _by_factor(module: str, target: TensorRef, factor: TensorRef, config: AdapterConfig, place: str) -> Change:
    """IA3: a column of factors belongs to outputs, a row of them (feed-forward modules) to inputs."""
    rows, columns = (target.shape[0], math.prod(target.shape[1:])) if len(target.shape) > 1 else (0, 0)
    sides = factor.shape
    outputs = len(sides) == 2 and sides[1] == 1
    if len(target.shape) != 2 or len(sides) != 2 or 1 not in sides:
        raise _misfit(module, place, str(sides), target)
    by_row = outputs != config.transposed
    if math.prod(sides) != (rows if by_row else columns):
        raise _misfit(module, place, str(sides), target)
    return Change(target, factor=factor, by_row=by_row)


def _misfit(module: str, place: str, what: str, target: TensorRef) -> InvalidCheckpointError:
    return InvalidCheckpointError(
        f"{place}: the shapes {what} of {quoted(module)} do not fit the base's {list(target.shape)}", OTHER_BASE
    )
