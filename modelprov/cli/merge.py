"""`modelprov merge`: parses, calls the job, says what was done."""

from __future__ import annotations

import time

from modelprov.cli.options import merge as options
from modelprov.cli.options import shared
from modelprov.cli.terminal import say, terminal


def merge(
    words: options.Words, linear: options.Linear = False, arithmetic: options.Arithmetic = None,
    missing: options.Missing = None, out_dtype: options.OutDtype = None, memory: shared.Memory = shared.MEMORY,
    shard_size: options.ShardSize = options.SHARD_SIZE, threads: shared.Threads = None,
    device: options.Device = "auto", seed: options.Seed = None, dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Merge models exactly, streaming: memory stays within --memory however large they are.

    Writes OUT whole or not at all: shards, index, config, tokenizer files, model card, recipe and a receipt with every
    digest. Run an interrupted command again and it goes on from the finished shards. No tensor is ever left out
    without a word.

    Examples:
      modelprov merge recipe.yml ./merged

      modelprov merge --linear ./nex=0.6 ./qwen=0.4 ./merged

      modelprov merge --linear ./nex=0.6 ./qwen=0.4 ./merged --arithmetic mergekit-0.1.4 --memory 2G

    A recipe file is also a checkpoint that need not be written: modelprov compare recipe.yml ./a ./b

    """
    from modelprov.cli.process import keep_freed_memory
    from modelprov.cli.progress import Bar
    from modelprov.collector import paused

    keep_freed_memory()

    with paused():  # what is imported stays: it need not be looked through
        from modelprov.jobs.merge import merge as job
    from modelprov.reports.merging import said

    recipe, out = options.recipe_and_folder(words, linear=linear)
    started = time.perf_counter()
    with Bar(terminal(error=True), quiet, "merge") as bar:
        made = job(
            recipe, out, arithmetic=arithmetic, missing=missing, out_dtype=out_dtype, seed=seed, memory=memory,
            threads=threads, device=device, shard_size=shard_size, dry_run=dry_run, progress=bar,
        )  # fmt: skip
    if not quiet:
        for line in said(made.plan, made.written, out, time.perf_counter() - started):
            say(line)
