"""What an `adapter_config.json` of peft asks for, and the refusal, by its name, of what is not computed. Reads nothing.

The keys are those of peft 0.21 (`LoraConfig`, `IA3Config`). Whatever a config has beside them and says anything but no
to is refused, too: an adapter that does more than is computed here would be judged as another model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelprov.errors import InvalidCheckpointError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

MERGE = (
    "Merge the adapter into its base first, e.g. with peft: "
    "`AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained(new_folder)`."
)
NO_MATTER = frozenset(
    {
        "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "exclude_modules", "fan_in_fan_out",
        "feedforward_modules", "inference_mode", "init_lora_weights", "layers_pattern", "layers_to_transform",
        "lora_alpha", "lora_dropout", "modules_to_save", "peft_type", "peft_version", "r", "rank_pattern", "revision",
        "runtime_config", "target_modules", "task_type", "use_dora", "use_rslora", "init_ia3_weights", "megatron_core",
        "qalora_group_size", "eva_config", "inference", "enable_lora", "base_model_class",
        "parent_library", "unsloth_fixed",
    }
)  # fmt: skip
"""What is read, and what only training needed: which modules were chosen shows in the tensors that are there."""
STARTS = frozenset({"true", "false", "none", "gaussian", "eva", "orthogonal"})
"""How `init_lora_weights` may begin; the others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) change the base as well."""
PATTERN = re.compile(r"(?:\w|-|\\?\.|\\d|\^|\$|\.\*|\\d\+|\.\+){1,200}")
MOST_REPEATS = 2
LONGEST_MODULE = 500


@dataclass(frozen=True)
class AdapterConfig:
    """What is asked for: `kind` is LORA or IA3, `base` the name of the base model, `""` where none is given."""

    kind: str
    base: str
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    by_root: bool
    dora: bool
    transposed: bool

    @property
    def name(self) -> str:
        """What people call it."""
        if self.kind == "IA3":
            return "IA3"
        return ("DoRA" if self.dora else "LoRA") + (" (rank-stabilised)" if self.by_root else "")

    @property
    def words(self) -> str:
        """The kind with its rank and scale, and the base that is named."""
        strength = "" if self.kind == "IA3" else f", rank {self.rank}, alpha {self.alpha:g}"
        return f"{self.name}{strength}, on {quoted(self.base) if self.base else 'a base that it does not name'}"

    def scale_of(self, module: str, rank: int, place: str) -> float:
        """What the product of a module's matrices of this rank is multiplied by, as peft counts it.

        Raises `InvalidCheckpointError` where the config says another rank.
        """
        said = self.ranks.get(_key(self.ranks, module), self.rank)
        if said != rank:
            raise InvalidCheckpointError(
                f"{place} says rank {said} for {quoted(module)}; the matrices have {rank}",
                "Give the config that the adapter was saved with.",
            )
        alpha = self.alphas.get(_key(self.alphas, module), self.alpha)
        return alpha / (math.sqrt(rank) if self.by_root else rank)


def adapter_config(config: Mapping[str, Any], place: str) -> AdapterConfig:
    """The config at `place`, checked.

    Raises `UnsupportedFormatError` for what is not computed, `InvalidCheckpointError` for what makes no sense.
    """
    kind = str(config.get("peft_type") or "").upper()
    if kind not in ("LORA", "IA3"):
        what = kind or "no kind of adapter (peft_type)"
        raise UnsupportedFormatError(f"{place} names {quoted(what)}; LoRA and IA3 are read", MERGE)
    start = str(config.get("init_lora_weights")).lower()
    if start not in STARTS:
        raise UnsupportedFormatError(
            f"{place} says that the base was changed before training (init_lora_weights {quoted(start)})",
            "Convert it to a plain LoRA with peft (`path_initial_model_for_weight_conversion`), or: " + MERGE,
        )
    if config.get("bias", "none") not in ("none", "all", "lora_only"):
        raise UnsupportedFormatError(f"{place} says bias {quoted(config['bias'])}, which is not known", MERGE)
    for key, value in config.items():
        if key not in NO_MATTER and value not in (None, False, "", 0, [], {}):
            raise UnsupportedFormatError(f"{place} asks for {quoted(key)}, which is not computed here", MERGE)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    at = f"@{revision}" if isinstance(base, str) and isinstance(revision, str) and revision and base else ""
    lora = kind == "LORA"
    return AdapterConfig(
        kind=kind,
        base=f"{base}{at}" if isinstance(base, str) else "",
        rank=_rank(config.get("r", 8), place) if lora else 1,
        alpha=_number(config.get("lora_alpha", 8), place) if lora else 1.0,
        ranks={_pattern(key, place): _rank(value, place) for key, value in _table(config, "rank_pattern", place)},
        alphas={_pattern(key, place): _number(value, place) for key, value in _table(config, "alpha_pattern", place)},
        by_root=lora and config.get("use_rslora") is True,
        dora=lora and config.get("use_dora") is True,
        transposed=config.get("fan_in_fan_out") is True,
    )


def _table(config: Mapping[str, Any], key: str, place: str) -> list[tuple[str, Any]]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise InvalidCheckpointError(f"{place}: {key} is not a table", MERGE)
    return list(value.items())


def _pattern(pattern: str, place: str) -> str:
    """A pattern that a stranger wrote, of so few kinds of signs that looking for it takes no time."""
    if not PATTERN.fullmatch(pattern) or sum(map(pattern.count, "*+")) > MOST_REPEATS:
        raise UnsupportedFormatError(f"{place} has the pattern {quoted(pattern)}, which is too rich to be read", MERGE)
    return pattern


def _key(patterns: Mapping[str, Any], module: str) -> str:
    """The first pattern that means the module, as peft looks for it; else its own name."""
    if len(module) > LONGEST_MODULE:
        return module
    return next((key for key in patterns if re.match(rf"(?:.*\.)?(?:{key})$", module)), module)


def _rank(value: Any, place: str) -> int:
    if type(value) is not int or not 0 < value < 1 << 24:
        raise InvalidCheckpointError(f"{place} says the impossible rank {quoted(value)}", MERGE)
    return value


def _number(value: Any, place: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > 1e9:
        raise InvalidCheckpointError(f"{place} says the impossible scale {quoted(value)}", MERGE)
    return float(value)
