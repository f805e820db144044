"""Makes `tokens.json`: what mergekit gives each token, by `tokenizer_source`. Run as README.md says.

mergekit numbers the tokens of a union in another order in every run, so rows are recorded by their token: the SHA-256
of the rows in the order of the tokens' texts.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
from mergekit.moe.config import MoEMergeConfig
from mergekit.scripts.moe import build
from safetensors.torch import load_file
from token_models import mixtures, recipes, write_models
from transformers import AutoTokenizer

KEPT = ("model.embed_tokens.weight", "lm_head.weight")


def main(work: Path, out: Path) -> None:
    """Write the models, merge them by every recipe, record the digests."""
    write_models(work)
    found = {}
    for number, (case, recipe) in enumerate(recipes().items()):
        text = yaml.safe_dump(recipe).replace("model: ", f"model: {work}/")
        text = text.replace("tokenizer_source: B", f"tokenizer_source: {work}/B")
        target = work / f"out-{number}"
        options = MergeOptions(write_model_card=False)
        run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), str(target), options)
        vocabulary = AutoTokenizer.from_pretrained(target).get_vocab()
        order = [vocabulary[token] for token in sorted(vocabulary)]
        tensors = load_file(target / "model.safetensors")
        found[case] = {"tokens": sorted(vocabulary)} | {
            name: hashlib.sha256(tensors[name][order].contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
            for name in KEPT
        }
    mixed = {}
    for mode, recipe in mixtures().items():
        text = yaml.safe_dump(recipe).replace("_model: ", f"_model: {work}/")
        target = work / f"out-{mode}"
        options = MergeOptions(copy_tokenizer=False, write_model_card=False)
        build(MoEMergeConfig.model_validate(yaml.safe_load(text)), str(target), options, device="cpu")
        tensors = load_file(target / "model.safetensors")
        router = tensors.pop("model.layers.0.mlp.gate.weight")
        mixed[mode] = {"router": router.float().tolist()} | {
            name: hashlib.sha256(tensor.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
            for name, tensor in sorted(tensors.items())
        }
    versions = {name: version(name) for name in ("mergekit", "torch", "transformers", "tokenizers")}
    (out / "tokens.json").write_text(
        json.dumps({"versions": versions, "cases": found, "mixtures": mixed}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
