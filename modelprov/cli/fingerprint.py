"""`modelprov fingerprint`: parses, calls the job, says what was written and what it gives away."""

from __future__ import annotations

from modelprov.cli.options import fingerprint as options
from modelprov.cli.options import shared
from modelprov.cli.terminal import terminal


def fingerprint(
    checkpoint: options.Checkpoint, output: options.Output, size: options.Size = None, seed: options.Seed = 0,
    name: options.Name = None, quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Take the fingerprint of a model: a file of a few MB that `compare` and `inspect` take in the model's place.

    It holds exact blocks of the weights at places that the seed, names and shapes choose, embeddings of tokens that
    most vocabularies share, sizes of rows and columns, and how matrices overlap. What is concluded from it is concluded
    of these. Says in numbers what whoever has it learns.

    Examples:
      modelprov fingerprint org/name -o name.mpf

      modelprov compare suspect.mpf ./parent base.mpf

    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.fingerprint import fingerprint as job

    with Bar(terminal(error=True), quiet, "fingerprint") as bar:
        made = job(checkpoint, output, size=size, seed=seed, name=name, progress=bar)
    if not quiet:
        for line in made.said():
            terminal(error=True).print(line)
