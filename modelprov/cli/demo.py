"""`modelprov demo`: settles one case from weights to behaviour, then a family with a known history; offline."""

from __future__ import annotations

from pathlib import Path

from modelprov.cli.options import demo as options


def demo(
    folder: options.Folder = Path("modelprov-demo"), seed: options.Seed = 0, train: options.Train = False,
    only_models: options.OnlyModels = False,
) -> None:  # fmt: skip
    """Settle a case on small models: where the weights came from, what the model says it is, how it scores.

    Merges two trained models of 0.66 million parameters under another name, and finds that out again from the weights
    and from the answers. Then builds a family of larger, invented weights (a base, a finetune, merges, a stranger) and
    says where each came from. Takes about a minute and 110 MB of disk; needs no network. The names are those of the
    case that the tool was made for.
    """
    from modelprov.cli.listening import Terminal
    from modelprov.demo.case.run import run

    run(folder, Terminal(), seed=seed, train=train, only_models=only_models)
