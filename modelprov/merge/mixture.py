"""Plans a mixture made of experts (mergekit-moe): the base, in which each model's MLPs are one expert of every layer.

Nothing is merged: tensors are copied into the layout of a published family, in the format that the recipe or the
base's config says, and routers are made (`routers`). What a model has beside its MLPs is left out, and said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.layouts.roles import text_config, vocabulary_role
from modelprov.checkpoints.types import Checkpoint, Component, Shard, TensorRef, TensorView
from modelprov.errors import MergeError
from modelprov.foreign.shown import quoted
from modelprov.merge.planned import MergePlan, Piece, Planned
from modelprov.merge.routers import router_tensors, routers
from modelprov.merge.settings import Settings
from modelprov.recipes.experts import DRAWN
from modelprov.recipes.methods.interface import Method
from modelprov.recipes.recipe import DTYPES, Recipe

MLP = re.compile(r"^model\.layers\.(\d{1,6})\.mlp\.(gate|up|down)_proj\.weight$")


@dataclass(frozen=True)
class Family:
    """How a published family lays out experts: names inside a layer, and what its config says."""

    name: str
    bases: tuple[str, ...]
    shared: int
    expert: str
    router: str
    parts: Mapping[str, str]
    config: Mapping[str, Any]
    count: str


PLAIN = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
FAMILIES = (
    Family(
        "Mixtral", ("llama", "mistral"), 0, "block_sparse_moe.experts.{n}.{part}.weight",
        "block_sparse_moe.gate.weight",
        {"gate": "w1", "up": "w3", "down": "w2"},
        {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "sliding_window": None},
        "num_local_experts",
    ),
    Family(
        "Qwen3 MoE", ("qwen3",), 0, "mlp.experts.{n}.{part}.weight", "mlp.gate.weight", PLAIN,
        {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "decoder_sparse_step": 1,
         "norm_topk_prob": True},
        "num_experts",
    ),
    Family(
        "Qwen MoE", ("qwen2",), 1, "mlp.experts.{n}.{part}.weight", "mlp.gate.weight", PLAIN,
        {"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "decoder_sparse_step": 1,
         "norm_topk_prob": True, "sliding_window": None, "use_sliding_window": False},
        "num_experts",
    ),
)  # fmt: skip
SHARED, SHARED_GATE = "mlp.shared_expert.{part}.weight", "mlp.shared_expert_gate.weight"


def plan_mixture(recipe: Recipe, method: Method, arithmetic: str, opened: tuple[Checkpoint, ...]) -> MergePlan:
    """The plan of a mixture; `method` copies. Raises `MergeError` for models that do not fit."""
    base, config = opened[0], dict(opened[0].config or {})
    family = _family(recipe, opened)
    experts = [*recipe.experts, *recipe.shared_experts]
    layers = sorted({int(found[1]) for name in base.tensors if (found := MLP.match(name))})
    if layers != list(range(len(layers))) or not layers:
        raise MergeError(f"{base.label} has no MLPs in every layer that are known", "Only dense models can be a base.")
    embeddings = next(
        (ref for name, ref in base.tensors.items() if vocabulary_role(canonical_name(name)) is Component.EMBEDDINGS),
        None,
    )
    if embeddings is None:
        raise MergeError(f"{base.label} has no embeddings that are known", "Give the release of the base.")
    source = routers(base, embeddings, len(layers), experts, recipe.gate_mode, recipe.modelprov.seed)
    gates = router_tensors((len(layers), len(experts), embeddings.shape[1]))
    made = Checkpoint(
        label="routers", location="routers", tensors={ref.name: ref for ref in gates},
        shards=(Shard("routers", source.size(0), ""),), source=source, config=None, metadata={},
    )  # fmt: skip
    dtype = _dtype(recipe, config)
    tensors: list[Planned] = []
    for name, ref in base.tensors.items():
        found = MLP.match(name)
        if found is None and ".mlp." in name:
            raise MergeError(f"{name} of {base.label} is in no expert that is known", "Only plain MLPs can be experts.")
        if found is None:
            tensors.append(_copied(name, ref, 0, dtype))
            continue
        before = name[: name.index("mlp.")]
        for number, expert in enumerate(experts):
            at = recipe.locations.index(expert.source_model)
            own, shared = _theirs(opened[at], name, ref), number >= len(recipe.experts)
            inside = SHARED if shared else family.expert
            called = before + inside.format(n=number, part=family.parts[found[2]])
            scale = expert.residual_scale if found[2] == "down" else None
            tensors.append(_copied(called, own, at, dtype, 1.0 if scale is None else scale))
        if found[2] == "gate":
            gate, plain = gates[int(found[1])], len(recipe.experts)
            tensors.append(_rows(before + family.router, gate, 0, plain, len(opened), dtype))
            if family.shared:
                tensors.append(_rows(before + SHARED_GATE, gate, plain, len(experts), len(opened), dtype))
    return MergePlan(
        recipe, method, arithmetic, (*opened, made), 0, False, tuple(tensors), _notes(recipe, opened), opened=opened,
        config=_config(config, family, recipe),
    )  # fmt: skip


def _family(recipe: Recipe, opened: tuple[Checkpoint, ...]) -> Family:
    types = [str(text_config(each.config).get("model_type")) for each in opened]
    if len(set(types)) != 1:
        raise MergeError(
            f"the experts are of different families: {', '.join(dict.fromkeys(types))}", "Only models of one can mix."
        )
    wanted = (recipe.architecture or "").lower()
    known = [
        each for each in FAMILIES
        if types[0] in each.bases and each.shared == len(recipe.shared_experts) and each.name.lower().startswith(wanted)
    ]  # fmt: skip
    if known:
        return known[0]
    asked = f" laid out as {quoted(recipe.architecture)}" if recipe.architecture else ""
    raise MergeError(
        f"a mixture of {types[0]} with {len(recipe.shared_experts)} shared experts{asked} is not built",
        "Built are Mixtral (of llama or mistral), Qwen3 MoE (of qwen3) and Qwen MoE (of qwen2, one shared expert); "
        "mergekit-moe's DeepSeek layout needs code that comes with the weights.",
    )


def _theirs(expert: Checkpoint, name: str, ref: TensorRef) -> TensorRef:
    own = expert.tensors.get(name)
    if own is None:
        raise MergeError(f"{name} is missing in {expert.label}", "Every expert needs the MLPs of the base.")
    if own.shape != ref.shape:
        raise MergeError(
            f"{name} is {list(ref.shape)} in the base and {list(own.shape)} in {expert.label}",
            "Only models of one size can be experts.",
        )
    return own


def _dtype(recipe: Recipe, config: Mapping[str, Any]) -> DType | None:
    """The format of the output: the recipe's, else what the base's config says, as in mergekit-moe."""
    text = text_config(config)
    said = [config.get("dtype"), config.get("torch_dtype"), text.get("dtype"), text.get("torch_dtype")]
    wanted = recipe.out_dtype or recipe.dtype or next((str(each) for each in said if each), "")
    return DTYPES.get(wanted)


def _copied(name: str, ref: TensorRef, number: int, dtype: DType | None, scale: float = 1.0) -> Planned:
    stored, settings = dtype or ref.dtype, Settings(({"scale": scale},), {})
    piece = Piece(0, ref.count, (TensorView(ref, ref.start, ref.count),), settings)
    return Planned(name, str(stored), ref.shape, ref.count * stored.size, (number,), (piece,))


def _rows(name: str, ref: TensorRef, first: int, last: int, number: int, dtype: DType | None) -> Planned:
    """Some rows of a layer's router."""
    width = ref.shape[1]
    part = ref._replace(shape=(last - first, width), start=ref.start + 4 * first * width)
    part = part._replace(stop=part.start + 4 * math.prod(part.shape))
    return _copied(name, part, number, dtype or DType.BF16)


def _config(config: dict[str, Any], family: Family, recipe: Recipe) -> dict[str, Any]:
    made = config | dict(family.config)
    made |= {family.count: len(recipe.experts), "num_experts_per_tok": recipe.experts_per_token}
    if family.count == "num_experts":
        made["moe_intermediate_size"] = config.get("intermediate_size")
    if family.shared:
        made["shared_expert_intermediate_size"] = config.get("intermediate_size")
    return made


def _notes(recipe: Recipe, opened: tuple[Checkpoint, ...]) -> tuple[str, ...]:
    base, others = opened[0].label, ", ".join(each.label for each in opened[1:])
    notes = [f"of {others} only the MLPs are taken, as experts; all else is that of {base}"] if others else []
    if recipe.gate_mode in DRAWN:
        drawn = f"routers are drawn (gate_mode: {recipe.gate_mode}, seed {recipe.modelprov.seed})"
        return (*notes, f"{drawn}: other bits than any other program draws, and of no use untrained")
    made = f"routers are made from prompts (gate_mode: {recipe.gate_mode})"
    if recipe.gate_mode == "cheap_embed":
        return (*notes, f"{made}; a last bit can be another one in another program")
    return (*notes, f"{made} by a forward pass of {base}, which is loaded whole; its last bits hang on the machine")
