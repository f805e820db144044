"""Makes the recorded outputs of mergekit beside this file: see README.md for how and when it was run.

Run with the Python of a virtual environment that has mergekit: `python record.py WORK OUT`. mergekit is used through
its documented entry points only (YAML in, checkpoint out).
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file

HIDDEN, VOCABULARY, MIDDLE = 48, 80, 64
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": MIDDLE,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
SHAPES = {
    "lm_head.weight": (VOCABULARY, HIDDEN),
    "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
    "model.layers.0.input_layernorm.weight": (HIDDEN,),
    "model.layers.0.mlp.down_proj.weight": (HIDDEN, MIDDLE),
    "model.layers.0.mlp.gate_proj.weight": (MIDDLE, HIDDEN),
    "model.layers.0.mlp.up_proj.weight": (MIDDLE, HIDDEN),
    "model.layers.0.post_attention_layernorm.weight": (HIDDEN,),
    "model.layers.0.self_attn.k_proj.weight": (HIDDEN // 2, HIDDEN),
    "model.layers.0.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
    "model.layers.0.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
    "model.layers.0.self_attn.v_proj.weight": (HIDDEN // 2, HIDDEN),
    "model.norm.weight": (HIDDEN,),
}
NOISE = {"BASE": 0.0, "A": 0.2, "B": 0.015, "C": 0.1, "D": 0.2, "E": 0.1}
KEPT = (
    "model.embed_tokens.weight",
    "model.layers.0.input_layernorm.weight",
    "model.layers.0.self_attn.k_proj.weight",
)


def models(one: dict[str, Any], two: dict[str, Any], *more: str) -> list[dict[str, Any]]:
    """The YAML list of models A and B with parameters, and further models without."""
    pairs = [("A", one), ("B", two), *((name, {}) for name in more)]
    return [{"model": name, "parameters": values} if values else {"model": name} for name, values in pairs]


def recipe(method: str, listed: list[dict[str, Any]], base: str | None = None, **options: Any) -> dict[str, Any]:
    """A recipe as mergekit's YAML has it."""
    made: dict[str, Any] = {"merge_method": method, "models": listed}
    if base:
        made["base_model"] = base
    if options:
        made["parameters"] = options
    return made


def only(name: str, **values: Any) -> list[dict[str, Any]]:
    """One model."""
    return [{"model": name, "parameters": values} if values else {"model": name}]


W = models({"weight": 0.6}, {"weight": 0.4})
V = models({"weight": 0.6}, {"weight": 0.3})
THREE = [*W, {"model": "BASE", "parameters": {"weight": 0.2}}]
SPARSE = models({"weight": 0.6, "density": 0.5}, {"weight": 0.3, "density": 0.7})
CRUMBS = models({"weight": 0.6, "density": 0.5, "gamma": 0.05}, {"weight": 0.3, "density": 0.7, "gamma": 0.02})
NO_CRUMBS = models({"weight": 0.6, "density": 0.5, "gamma": 0.0}, {"weight": 0.3, "density": 1.0, "gamma": 0.02})
DELLA = models({"weight": 0.6, "density": 0.5, "epsilon": 0.1}, {"weight": 0.3, "density": 0.7, "epsilon": 0.2})
PLAIN = models({}, {})
C = {"model": "C", "parameters": {"weight": 0.5}}


def distinct(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same list with D and E in place of A and B."""
    return [{**entry, "model": {"A": "D", "B": "E"}[entry["model"]]} for entry in listed]


CASES: dict[str, dict[str, Any]] = {
    "linear": recipe("linear", W),
    "linear-three": recipe("linear", THREE),
    "linear-sum": recipe("linear", THREE, normalize=False),
    "slerp": recipe("slerp", [{"model": "BASE"}, {"model": "A"}], "BASE", t=0.3),
    "slerp-near": recipe("slerp", [{"model": "BASE"}, {"model": "B"}], "BASE", t=0.65),
    "nuslerp": recipe("nuslerp", W),
    "nuslerp-rows": recipe("nuslerp", W, nuslerp_flatten=False, nuslerp_row_wise=True),
    "nuslerp-columns": recipe("nuslerp", W, nuslerp_flatten=False),
    "nuslerp-base": recipe("nuslerp", W, "BASE"),
    "multislerp": recipe("multislerp", W),
    "multislerp-three": recipe("multislerp", THREE),
    "multislerp-base": recipe("multislerp", V, "BASE"),
    "multislerp-sum": recipe("multislerp", V, normalize_weights=False),
    "karcher": recipe("karcher", PLAIN),
    "karcher-three": recipe("karcher", [*PLAIN, {"model": "BASE"}], max_iter=5),
    "task_arithmetic": recipe("task_arithmetic", V, "BASE"),
    "task_arithmetic-one": recipe("task_arithmetic", only("A", weight=0.35), "BASE"),
    "task_arithmetic-lambda": recipe("task_arithmetic", V, "BASE", **{"lambda": 0.7}),
    "task_arithmetic-normalize": recipe("task_arithmetic", V, "BASE", normalize=True),
    "ties": recipe("ties", SPARSE, "BASE"),
    "ties-lambda": recipe("ties", SPARSE, "BASE", normalize=False, **{"lambda": 1.3}),
    "ties-dense": recipe("ties", V, "BASE"),
    "breadcrumbs": recipe("breadcrumbs", CRUMBS, "BASE"),
    "breadcrumbs_ties": recipe("breadcrumbs_ties", CRUMBS, "BASE"),
    "dare_linear": recipe("dare_linear", SPARSE, "BASE"),
    "dare_linear-one": recipe("dare_linear", only("A", weight=1.0, density=0.4), "BASE"),
    "dare_linear-raw": recipe("dare_linear", only("A", weight=1.0, density=0.4), "BASE", rescale=False),
    "dare_ties": recipe("dare_ties", SPARSE, "BASE"),
    "dare_ties-one": recipe("dare_ties", only("A", weight=1.0, density=0.4), "BASE"),
    "della": recipe("della", DELLA, "BASE"),
    "della-one": recipe("della", only("A", weight=1.0, density=0.4, epsilon=0.2), "BASE"),
    "della_linear-one": recipe("della_linear", only("A", weight=1.0, density=0.4, epsilon=0.2), "BASE"),
    "della_linear-raw": recipe("della_linear", only("A", weight=1.0, density=0.4, epsilon=0.2), "BASE", rescale=False),
    "model_stock": recipe("model_stock", PLAIN, "BASE"),
    "model_stock-rows": recipe("model_stock", PLAIN, "BASE", filter_wise=True),
    "sce": recipe("sce", PLAIN, "BASE", select_topk=0.3),
    "sce-all": recipe("sce", PLAIN, "BASE"),
    "nearswap": recipe("nearswap", only("A"), "BASE", t=0.004),
    "arcee_fusion": recipe("arcee_fusion", only("A"), "BASE"),
    "task_arithmetic-three": recipe("task_arithmetic", [*V, C], "BASE"),
    "ties-three": recipe("ties", [*V, C], "BASE"),
    "multislerp-base-three": recipe("multislerp", [*V, C], "BASE"),
    "model_stock-three": recipe("model_stock", [*PLAIN, {"model": "C"}], "BASE"),
    "sce-three": recipe("sce", [*PLAIN, {"model": "C"}], "BASE"),
    "ties-distinct": recipe("ties", distinct(SPARSE), "BASE"),
    "breadcrumbs-distinct": recipe("breadcrumbs", distinct(CRUMBS), "BASE"),
    "breadcrumbs_ties-distinct": recipe("breadcrumbs_ties", distinct(CRUMBS), "BASE"),
    "breadcrumbs-nothing-dropped": recipe("breadcrumbs", distinct(NO_CRUMBS), "BASE"),
    "sce-distinct": recipe("sce", distinct(PLAIN), "BASE", select_topk=0.3),
    "passthrough": recipe("passthrough", only("A")),
    "passthrough-scale": recipe("passthrough", only("A", scale=0.7)),
}
DTYPES = {
    "bf16": {"dtype": "bfloat16"},
    "f32": {"dtype": "float32", "out_dtype": "bfloat16"},
}


def make_models(work: Path) -> None:
    """BASE, A = BASE + 20 % noise, B = BASE + 1.5 % (close enough for slerp's straight line), C = BASE + 10 %, in bf16.

    D and E (20 % and 10 %) are stored in F32: no two of their changes have the same size, so that the cut of a method
    that keeps the largest ones falls between different numbers.
    """
    generator = torch.Generator().manual_seed(20261122)
    base: dict[str, torch.Tensor] = {}
    for name, shape in SHAPES.items():
        values = torch.randn(shape, generator=generator) * (0.1 if len(shape) == 1 else 0.02)
        base[name] = (values + 1 if len(shape) == 1 else values).to(torch.bfloat16)
    for model, noise in NOISE.items():
        tensors = {}
        for name, tensor in base.items():
            scale = noise * (0.1 if tensor.ndim == 1 else 0.02)
            shifted = tensor.float() + torch.randn(tensor.shape, generator=generator) * scale
            tensors[name] = shifted if model in "DE" else shifted.to(torch.bfloat16)
        folder = work / model
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(CONFIG))


def run(recipe: dict[str, Any], out: Path, seed: int = 7) -> dict[str, torch.Tensor]:
    """What mergekit writes for a recipe."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    options = MergeOptions(copy_tokenizer=False, lazy_unpickle=True, quiet=True, random_seed=seed)
    run_merge(MergeConfiguration.model_validate(recipe), out_path=str(out), options=options)
    merged: dict[str, torch.Tensor] = {}
    for file in sorted(out.glob("*.safetensors")):
        merged.update(load_file(str(file)))
    return merged


def located(recipe: dict[str, Any], work: Path) -> dict[str, Any]:
    """The recipe with the models' real paths."""
    there: dict[str, Any] = yaml.safe_load(yaml.safe_dump(recipe))
    for entry in there["models"]:
        entry["model"] = str(work / entry["model"])
    if "base_model" in there:
        there["base_model"] = str(work / there["base_model"])
    return there


def main(work: Path, out: Path) -> None:
    """Make the inputs unless they are there, run every case, and add the outputs to the manifest."""
    if not (work / "BASE").exists():
        make_models(work)
    out.mkdir(parents=True, exist_ok=True)
    for model in NOISE:
        tensors = load_file(str(work / model / "model.safetensors"))
        save_file({name: tensors[name] for name in KEPT}, str(out / f"input-{model}.safetensors"))
    manifest_file, outputs_file = out / "manifest.json", out / "outputs.safetensors"
    manifest = json.loads(manifest_file.read_text()) if manifest_file.exists() else {"cases": {}, "versions": {}}
    outputs = load_file(str(outputs_file)) if outputs_file.exists() else {}
    program = "mergekit-" + version("mergekit")
    for name, case in CASES.items():
        for dtype, extra in DTYPES.items():
            key = f"{name}/{dtype}"
            entry = manifest["cases"].setdefault(key, {"outputs": {}})
            entry["recipe"] = {**case, **extra}
            try:
                merged = run(located(entry["recipe"], work), work / "out" / program / key)
            except Exception as error:  # the reason is part of the record
                print(key, "FAILED", repr(error)[:300])
                entry["outputs"][program] = f"{type(error).__name__}"
                continue
            entry["outputs"][program] = {}
            for tensor in KEPT:
                found = merged[tensor].contiguous()
                digest = hashlib.sha256(str(found.dtype).encode() + found.view(torch.uint8).numpy().tobytes())
                entry["outputs"][program][tensor] = digest.hexdigest()[:16]
                outputs[digest.hexdigest()[:16]] = found
            print(key, flush=True)
    packages = ("mergekit", "torch", "numpy", "transformers")
    manifest["versions"][program] = {package: version(package) for package in packages}
    save_file(outputs, str(outputs_file))
    manifest_file.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
