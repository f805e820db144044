"""Writes one small matrix in each packed form by the program that writes it, and its own dequantised numbers beside.

Run where torch, safetensors, compressed-tensors 0.20.0, bitsandbytes 0.50.2, mlx 0.32.4, hqq 0.2.8, gptqmodel 7.7.0,
torchao 0.18.0 and AutoAWQ 0.2.9 (source alone: `awq` on the path) are; what is not installed is left as it is:
`python make.py FOLDER [FORM ...]`.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from safetensors.torch import save_file

ROWS, COLUMNS = 32, 128
NAME = "model.layers.0.mlp.up_proj"
EXPERTS = "model.layers.0.mlp.experts.down_proj"
SWITCH = "model.layers.0.mlp.switch_mlp.up_proj"
SEED = 20261128
Tensors = dict[str, torch.Tensor]
Made = tuple[Tensors, torch.Tensor, dict] | tuple[Tensors, torch.Tensor, dict, dict[str, str]]


def weights() -> torch.Tensor:
    """A matrix in bf16, as models have it."""
    generator = torch.Generator().manual_seed(SEED)
    return (0.02 * torch.randn(ROWS, COLUMNS, generator=generator)).to(torch.bfloat16)


def named(state: Tensors) -> Tensors:
    return {f"{NAME}.{key}": value.detach().contiguous() for key, value in state.items()}


def compressed(preset: str, compressor: str, **changes: object) -> Made:
    """compressed-tensors: scales by its own function, quantised, packed and unpacked by its own compressor."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationScheme, preset_name_to_scheme
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    scheme: QuantizationScheme = preset_name_to_scheme(preset, ["Linear"])
    args = scheme.weights.model_copy(update=changes)
    scheme = scheme.model_copy(update={"weights": args, "input_activations": None})
    weight = weights()
    strategy = str(args.strategy.value if hasattr(args.strategy, "value") else args.strategy)
    high, wide = 1, COLUMNS
    if strategy == "block":
        high, wide = args.block_structure
    elif strategy in ("group", "tensor_group"):
        wide = args.group_size
    elif strategy == "tensor":
        high = ROWS
    tiles = weight.reshape(ROWS // high, high, COLUMNS // wide, wide)
    low, most = tiles.amin(dim=(1, 3)), tiles.amax(dim=(1, 3))
    state: Tensors = {"weight": weight}
    extra = {}
    if strategy == "tensor_group":
        extra["global_scale"] = generate_gparam(weight.min().reshape(1), weight.max().reshape(1))
        state["weight_global_scale"] = extra["global_scale"]
    scale, zero = calculate_qparams(low, most, args, **extra)
    if strategy == "tensor":
        scale, zero = scale.reshape(1), zero.reshape(1)
    state["weight_scale"] = scale
    state["weight_zero_point"] = zero
    own = BaseCompressor.get_value_from_registry(compressor)
    packed = own.compress(state, scheme)
    back = own.decompress(dict(packed), scheme)["weight"]
    groups = {"group_0": {"targets": ["Linear"], "weights": args.model_dump(mode="json", exclude_none=True)}}
    section = {"quant_method": "compressed-tensors", "format": compressor, "config_groups": groups}
    return named(packed), back, {"quantization_config": section}


def four_bits(kind: str, nested: bool) -> Made:
    import bitsandbytes.functional as bnb

    packed, state = bnb.quantize_4bit(weights(), quant_type=kind, compress_statistics=nested)
    stored = {"weight": packed} | {f"weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    return named(stored), bnb.dequantize_4bit(packed, state), {"quantization_config": {"load_in_4bit": True}}


def eight_bits() -> Made:
    import bitsandbytes.functional as bnb

    codes, largest, _ = bnb.int8_vectorwise_quant(weights().to(torch.float16))
    return (
        named({"weight": codes, "SCB": largest}),
        bnb.int8_vectorwise_dequant(codes, largest),
        {"quantization_config": {"load_in_8bit": True}},
    )


def mlx(bits: int, size: int, experts: int = 0) -> Made:
    import mlx.core as mx
    import numpy as np

    def torch_of(array: mx.array) -> torch.Tensor:
        if array.dtype == mx.bfloat16:
            return torch.from_numpy(np.array(array.astype(mx.float32))).to(torch.bfloat16)
        return torch.from_numpy(np.array(array))

    weight = mx.array(weights().float().numpy()).astype(mx.bfloat16)
    if experts:  # as the layer of mlx-lm for experts quantises its stack
        weight = weight.reshape(experts, -1, COLUMNS)
    words, scales, biases = mx.quantize(weight, group_size=size, bits=bits)
    wide = [each.astype(mx.float32) for each in (scales, biases)]
    back = mx.dequantize(words, *wide, group_size=size, bits=bits)
    stored = {"weight": torch_of(words), "scales": torch_of(scales), "biases": torch_of(biases)}
    if experts:
        return (
            {f"{SWITCH}.{key}": value for key, value in stored.items()},
            torch_of(back),
            {"quantization": {"group_size": size, "bits": bits}},
        )
    return named(stored), torch_of(back), {"quantization": {"group_size": size, "bits": bits}}


def hqq(bits: int, axis: int = 1) -> Made:
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False)
    linear.weight.data = weights().float()
    config = BaseQuantizeConfig(nbits=bits, group_size=64, axis=axis)
    made = HQQLinear(linear, config, compute_dtype=torch.float16, device="cpu", initialize=True)
    return named(made.state_dict()), made.dequantize(), {"quantization_config": {"quant_method": "hqq"}}


def gptq(bits: int, ordered: bool) -> Made:
    """Codes by plain rounding, packed by the program: where they lie is tested, not how they were chosen."""
    import_module("gptqmodel")
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear

    weight, size = weights().float(), 32
    index = torch.arange(COLUMNS, dtype=torch.int32) // size
    if not ordered:
        index = index[torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(1))]
    low = torch.stack([weight[:, index == group].amin(1) for group in range(COLUMNS // size)], 1)
    most = torch.stack([weight[:, index == group].amax(1) for group in range(COLUMNS // size)], 1)
    scales = (most - low) / (2**bits - 1)
    zeros = torch.round(-low / scales)
    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False)
    linear.weight.data = weight.half()
    made = TorchLinear(
        bits=bits, group_size=size, sym=False, desc_act=not ordered, in_features=COLUMNS, out_features=ROWS,
        bias=False, pack_dtype=torch.int32, register_buffers=True,
    )  # fmt: skip
    made.pack_original(linear, scales.half(), zeros, index)
    made.post_init()
    back = made.dequantize_weight().T
    stored = {key: getattr(made, key).clone() for key in ("qweight", "qzeros", "scales", "g_idx")}
    section = {"quant_method": "gptq", "bits": bits, "group_size": size, "checkpoint_format": "gptq_v2"}
    return named(stored), back, {"quantization_config": section}


def awq(layer: str = "gemm.WQLinear_GEMM") -> Made:
    file, _, kind = layer.partition(".")
    try:
        linears = import_module(f"awq.modules.linear.{file}")
    except ImportError:  # its package imports models that newer transformers lack: the layer alone is enough
        folder = next(Path(place) / "awq" for place in sys.path if (Path(place) / "awq").is_dir())
        for name in ("awq", "awq.modules", "awq.modules.linear"):
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = [str(folder.parent / name.replace(".", "/"))]
        linears = import_module(f"awq.modules.linear.{file}")
    size = 64
    weight = weights().half()
    tiles = weight.float().reshape(ROWS, -1, size)
    scales = ((tiles.amax(2) - tiles.amin(2)) / 15).half()
    zeros = torch.round(-tiles.amin(2) / scales.float())
    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False)
    turned = kind == "WQLinear_GEMM"  # its groups come before outputs
    codes = torch.clamp(torch.round(tiles / scales.float()[..., None]) + zeros[..., None], 0, 15)
    rounded = (codes - zeros[..., None]) * scales.float()[..., None]
    linear.weight.data = weight if turned else rounded.reshape(ROWS, COLUMNS).half()  # AutoAWQ packs rounded ones
    given = [(each.T if turned else each).contiguous() for each in (scales, zeros.half())]
    made = getattr(linears, kind).from_linear(linear, 4, size, scales=given[0], zeros=given[1])
    if turned:
        unpack = import_module("awq.utils.packing_utils").dequantize_gemm
        back = unpack(made.qweight, made.qzeros, made.scales, 4, size).T
    else:  # unpacked on a GPU only: the numbers that its codes were chosen for, what is added rounded as it is stored
        added = -(zeros * scales.float())
        added = added.half().float() if kind.endswith("Fast") else added
        back = (codes * scales.float()[..., None] + added[..., None]).reshape(ROWS, COLUMNS)
    stored = {key: getattr(made, key) for key in ("qweight", "qzeros", "scales")}
    return named(stored), back, {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": size}}


def gpt_oss() -> Made:
    """Two experts as gpt-oss stores them; codes and powers of any kind, turned by transformers' own function."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    generator = torch.Generator().manual_seed(SEED)
    blocks = torch.randint(0, 256, (2, ROWS, COLUMNS // 64, 16), generator=generator, dtype=torch.uint8)
    scales = torch.randint(110, 125, (2, ROWS, COLUMNS // 64), generator=generator, dtype=torch.uint8)
    back = convert_moe_packed_tensors(blocks.clone(), scales.clone())
    stored = {f"{EXPERTS}_blocks": blocks, f"{EXPERTS}_scales": scales}
    return stored, back, {"quantization_config": {"quant_method": "mxfp4"}}


def torchao(config: str, **settings: object) -> Made:
    """Quantised and flattened by the library's own functions; the metadata is the library's."""
    quantization = import_module("torchao.quantization")
    flatten = import_module("torchao.prototype.safetensors.safetensors_support").flatten_tensor_state_dict
    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False, dtype=torch.bfloat16)
    linear.weight.data = weights()
    for key, said in settings.items():
        if isinstance(said, tuple):
            settings[key] = getattr(quantization, said[0])(*said[1:])
    quantization.quantize_(linear, getattr(quantization, config)(**settings))
    stored, metadata = flatten({f"{NAME}.weight": linear.weight.data})
    said = {"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {"_type": config}}}}
    return stored, linear.weight.dequantize(), said, metadata


def asymmetric() -> object:
    return import_module("torchao.quantization").MappingType.ASYMMETRIC


FORMS: dict[str, Callable[[], Made]] = {
    "w4a16": lambda: compressed("W4A16", "pack-quantized", group_size=32),
    "w4a16-asymmetric": lambda: compressed("W4A16_ASYM", "pack-quantized", group_size=32),
    "w8a16": lambda: compressed("W8A16", "pack-quantized"),
    "w8a8": lambda: compressed("W8A8", "int-quantized"),
    "fp8-row": lambda: compressed("FP8_DYNAMIC", "float-quantized"),
    "fp8-block": lambda: compressed("FP8_BLOCK", "float-quantized", block_structure=[16, 64]),
    "fp8-tensor": lambda: compressed("FP8", "float-quantized"),
    "nvfp4": lambda: compressed("NVFP4A16", "nvfp4-pack-quantized"),
    "mxfp4": lambda: compressed("MXFP4A16", "mxfp4-pack-quantized"),
    "nf4": lambda: four_bits("nf4", nested=False),
    "nf4-nested": lambda: four_bits("nf4", nested=True),
    "fp4": lambda: four_bits("fp4", nested=False),
    "int8-bitsandbytes": eight_bits,
    "mlx-4": lambda: mlx(4, 64),
    "mlx-8": lambda: mlx(8, 32),
    "mlx-3": lambda: mlx(3, 64),
    "mlx-4-experts": lambda: mlx(4, 64, experts=2),
    "mlx-6": lambda: mlx(6, 64),
    "hqq-4": lambda: hqq(4),
    "hqq-8": lambda: hqq(8),
    "hqq-4-by-columns": lambda: hqq(4, axis=0),
    "gptq-4": lambda: gptq(4, ordered=True),
    "gptq-4-ordered-by-activations": lambda: gptq(4, ordered=False),
    "gptq-3": lambda: gptq(3, ordered=True),
    "gptq-8": lambda: gptq(8, ordered=True),
    "awq": awq,
    "awq-gemv": lambda: awq("gemv.WQLinear_GEMV"),
    "awq-gemv-fast": lambda: awq("gemv_fast.WQLinear_GEMVFast"),
    "mxfp4-gpt-oss": gpt_oss,
    "torchao-int8": lambda: torchao("Int8WeightOnlyConfig"),
    "torchao-int8-groups": lambda: torchao("Int8WeightOnlyConfig", granularity=("PerGroup", 32)),
    "torchao-int4": lambda: torchao("IntxWeightOnlyConfig", weight_dtype=torch.int4, granularity=("PerGroup", 32)),
    "torchao-int4-asymmetric": lambda: torchao(
        "IntxWeightOnlyConfig", weight_dtype=torch.int4, granularity=("PerGroup", 32), mapping_type=asymmetric()
    ),
    "torchao-float8": lambda: torchao("Float8WeightOnlyConfig"),
    "torchao-float8-tensor": lambda: torchao("Float8WeightOnlyConfig", granularity=("PerTensor",)),
}


def main() -> None:
    """Write every form that can be made here, its config in the header; say which cannot."""
    folder = Path(sys.argv[1])
    save_file({"weight": weights()}, folder / "original.safetensors")
    for form in sys.argv[2:] or FORMS:
        make = FORMS[form]
        try:
            stored, back, config, *metadata = make()
        except Exception as error:
            print(f"{form}: {type(error).__name__}: {str(error)[:200]}")
            continue
        save_file(stored, folder / f"{form}.safetensors", {"config": json.dumps(config), **dict(*metadata)})
        save_file({"weight": back.detach().contiguous()}, folder / f"{form}.numbers.safetensors")
        print(form, {key.removeprefix(NAME): (str(value.dtype), tuple(value.shape)) for key, value in stored.items()})


if __name__ == "__main__":
    main()
