"""The config.json of a merge: that of its layout model, with what the merge changed. Pure."""

from __future__ import annotations

import copy
from typing import Any, cast

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import COMPARABLE
from modelprov.checkpoints.layouts.roles import may_be_head, says_tied, text_config, vocabulary_role
from modelprov.merge.dequantised import without_packing
from modelprov.merge.planned import MergePlan

PER_LAYER = ("layer_types", "sliding_window_pattern", "mlp_layer_types", "no_rope_layers")


def merged_config(plan: MergePlan) -> dict[str, Any] | None:
    """The config of the output, or None when the layout model has none.

    The number of layers and lists with an entry for each layer follow `slices`; the dtype is the one that most
    elements are stored in; an MTP block that the output does not hold is not promised, and a
    head that it holds is not called tied where that of a model is not.
    """
    layout = plan.checkpoints[plan.layout]
    original = without_packing(layout.config) if layout.packings else layout.config
    original = original if plan.config is None else plan.config
    if original is None:
        return None
    config: dict[str, Any] = copy.deepcopy(dict(original))
    text = cast("dict[str, Any]", text_config(config))
    if plan.layers is not None:
        text["num_hidden_layers"] = len(plan.layers)
        for key in PER_LAYER:
            entries = text.get(key)
            if isinstance(entries, list) and max(plan.layers) < len(entries):
                text[key] = [entries[layer] for layer in plan.layers]
    if (plan.recipe.modelprov.vocabulary != "error" or plan.recipe.tokenizer_source) and "vocab_size" in text:
        sides = [tensor.shape[0] for tensor in plan.tensors if vocabulary_role(tensor.name) and tensor.shape]
        text["vocab_size"] = max(sides, default=text["vocab_size"])
    stored: dict[str, int] = {}
    for tensor in plan.tensors:
        stored[tensor.format] = stored.get(tensor.format, 0) + tensor.size
    most = max(stored, key=lambda name: stored[name], default="")
    if most in COMPARABLE:
        for section in (config, text):
            for key in ("dtype", "torch_dtype"):
                if key in section:
                    section[key] = DType(most).torch_name
    untied = any(says_tied(one.config) is False for one in plan.checkpoints)
    if untied and says_tied(config) is not False and any(may_be_head(tensor.name) for tensor in plan.tensors):
        config["tie_word_embeddings"] = text["tie_word_embeddings"] = False
    if text.get("mtp_num_hidden_layers") and not any("mtp" in tensor.name for tensor in plan.tensors):
        text["mtp_num_hidden_layers"] = 0
    return config
