"""Says how a checkpoint is quantised, and which ones cannot be read for it. Decides by names; decodes nothing."""

from __future__ import annotations

from collections import Counter

from modelprov.checkpoints.layouts.decoded import by_format
from modelprov.checkpoints.layouts.roles import sections_of
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UnsupportedFormatError

SECTIONS = ("quantization_config", "compression_config")
"""Keys of a config that say how weights are packed."""
# Names of quantisation methods (`quantization_config.quant_method`) as their makers write them.
METHODS = {
    "gptq": "GPTQ", "awq": "AWQ", "bitsandbytes": "bitsandbytes", "fp8": "FP8", "fbgemm_fp8": "FBGEMM FP8",
    "compressed-tensors": "compressed-tensors", "mxfp4": "MXFP4", "nvfp4": "NVFP4", "modelopt": "ModelOpt",
    "hqq": "HQQ", "quanto": "Quanto", "aqlm": "AQLM", "torchao": "torchao", "bitnet": "BitNet", "quark": "Quark",
    "auto-round": "AutoRound", "eetq": "EETQ", "higgs": "HIGGS", "spqr": "SpQR", "vptq": "VPTQ", "exl2": "EXL2",
    "exl3": "EXL3",
}  # fmt: skip

# Endings of the tensors that quantised weights are stored in, for checkpoints whose config says nothing.
PACKED = (
    (".qweight", "GPTQ or AWQ"),
    (".weight_packed", "compressed-tensors"),
    (".quant_state.bitsandbytes__nf4", "bitsandbytes NF4"),
    (".quant_state.bitsandbytes__fp4", "bitsandbytes FP4"),
    (".SCB", "bitsandbytes int8"),
    ("_proj_blocks", "MXFP4"),
    ("_weight_qdata", "torchao"),
)
SCALES = ("weight_scale", "weight_scale_inv")
ADVICE = "Compare the BF16 or F16 release instead, or convert this one: how is in docs/formats.md."
UNPACK = "Give the BF16 or F16 release, in safetensors: what a quantiser rounded away is not in its copies."
ARCHITECTURE = "general.architecture"
"""The key that every GGUF file has, and no other."""


def refuse_quantised(checkpoint: Checkpoint) -> None:
    """Return when the weights are plain floats, or are decoded when they are read; else raise `UnsupportedFormatError`.

    The error names the format. `compare` calls this; `inspect` does not, since a header can be listed without being
    decoded.
    """
    method = None if checkpoint.packings else quantisation(checkpoint)
    if method is not None:
        raise UnsupportedFormatError(
            f"{checkpoint.location} is quantised ({method}), which cannot be compared yet", ADVICE
        )


def refuse_packed(checkpoint: Checkpoint, what: str) -> None:
    """The same for what hangs on bits, as `what` says: weights that are decoded when they are read are refused too."""
    method = quantisation(checkpoint)
    if method is not None:
        raise UnsupportedFormatError(f"{checkpoint.location} is quantised ({method}), which cannot be {what}", UNPACK)


def refuse_decoded(checkpoint: Checkpoint, what: str) -> None:
    """For whoever asks where weights lie: refuses what is decoded when it is read, and GGUF with its own order."""
    if checkpoint.packings:
        refuse_packed(checkpoint, what)
    if ARCHITECTURE in checkpoint.metadata:
        raise UnsupportedFormatError(f"{checkpoint.location} is a GGUF file, which cannot be {what} yet", UNPACK)


def quantisation(checkpoint: Checkpoint) -> str | None:
    """The quantisation by name, from how tensors are packed, the config, names or dtypes; None for plain floats."""
    return _decoded(checkpoint) or _configured(checkpoint) or _packed(checkpoint) or _by_dtype(checkpoint)


def _decoded(checkpoint: Checkpoint) -> str | None:
    return ", ".join(by_format(checkpoint.packings)) or None


def _configured(checkpoint: Checkpoint) -> str | None:
    for key, section in sections_of(checkpoint.config, *SECTIONS):
        if section:
            named = section.get("quant_method") or ("compressed-tensors" if key.startswith("compr") else "unnamed")
            if section.get("load_in_4bit") or section.get("load_in_8bit"):
                named = "bitsandbytes"
            return METHODS.get(str(named).lower(), str(named))
    return None


def _packed(checkpoint: Checkpoint) -> str | None:
    for name in checkpoint.refused:
        for ending, method in PACKED:
            if name.endswith(ending):
                return method
    return None


def _by_dtype(checkpoint: Checkpoint) -> str | None:
    """FP8 wherever it occurs; any other refused dtype when it holds most of the weights."""
    sizes: Counter[str] = Counter()
    for tensor in checkpoint.refused.values():
        sizes[tensor.format] += tensor.count
    for name in sorted(sizes):
        if name.startswith("F8"):
            stored = (*checkpoint.tensors, *checkpoint.refused)
            scaled = any(tensor.endswith(SCALES) for tensor in stored)
            return f"{name} with scales" if scaled else f"{name} without scales"
    if sizes and 2 * sum(sizes.values()) > checkpoint.parameters:
        return f"stored as {sizes.most_common(1)[0][0]}"
    return None
