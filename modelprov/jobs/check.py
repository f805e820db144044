"""The job of `modelprov check`: a model's folder in, whether its card's claims are what its files hold out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

from modelprov.called import called
from modelprov.check.baseline import Baseline, as_text, load_baseline, updated
from modelprov.check.elsewhere import Beside, beside_weights
from modelprov.check.measuring.candidates import name_and_place
from modelprov.check.policy import Policy, find_policy, load_policy
from modelprov.check.results import CheckReport, Finding
from modelprov.check.rules import RULES
from modelprov.check.run import Checked, Request, run_check
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.errors import UsageError
from modelprov.forensics.compare import Options
from modelprov.jobs.arguments import Location, command_line, path_of, refuse_below, refuse_repeated, several, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.reach import tell_spent
from modelprov.progress import SILENT, Progress
from modelprov.savable import Page


@dataclass(frozen=True)
class Accepting:
    """The baseline that accepts what a check finds: where it goes, why, and until which day."""

    path: Path
    known: Baseline
    reason: str
    until: date | None
    today: date

    def renewed(self, findings: tuple[Finding, ...]) -> Baseline:
        """The baseline with these findings; `UsageError` for an empty reason or a day that has passed."""
        return updated(self.known, findings, self.reason, self.until, self.today)


@dataclass(frozen=True, eq=False)
class CheckedModel(Page):
    """What a check found, to be saved and shown; and what can be done about it."""

    forms: ClassVar = CheckReport.forms

    found: Checked
    folder: Path
    accepting: Accepting | None
    beside: Beside

    @property
    def report(self) -> CheckReport:
        """Everything that was found, as its pages and JSON say it."""
        return self.found.report

    @property
    def outcome(self) -> str:
        """`passed`, `findings` or `could not judge`."""
        return self.report.outcome

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What contradicts the claims, or is amiss; those accepted too."""
        return self.report.findings

    def rendered(self, form: str) -> str:
        """The report as json, markdown, html, sarif or junit."""
        return self.report.rendered(form)

    def card_diff(self) -> str:
        """Corrected front matter of the card, as a diff; empty where the weights settle no change."""
        from modelprov.check.write_card import card_diff, proposed_changes

        changes = proposed_changes(self.found.claims, self.found.taken.measured)
        return card_diff(self.folder, self.found.claims, changes) if changes else ""

    def accept(self) -> tuple[Path, int]:
        """Write the baseline that `update_baseline` asked for; gives its file and how many findings it accepts."""
        from modelprov.reports.writing import write_atomically

        if self.accepting is None:
            raise UsageError("nobody asked to accept the findings", f"Give {called('update_baseline')} a reason.")
        write_atomically(self.accepting.path, as_text(self.accepting.renewed(self.found.unaccepted)))
        return self.accepting.path, len(self.found.unaccepted)


@shown_in_notebooks
def check(
    model: Location,
    *,
    candidates: Location | Iterable[Location] = (),
    control: Location | Iterable[Location] = (),
    policy: Location | None = None,
    baseline: Location | None = None,
    update_baseline: str | None = None,
    expires: str | date | None = None,
    expected_digest: str | None = None,
    sample: bool = False,
    memory: int = Options.memory,
    threads: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    command: str | None = None,
) -> CheckedModel:
    """Check what a model card claims against what is in the folder. Nothing of the folder is executed.

    Args:
        model: The folder that is about to be published, or the repository or bucket where it was.
        candidates: Possible parents to compare with, each a location, or `NAME=LOCATION` where the card says NAME.
        control: One or more unsuspected finetunes of the same base.
        policy: The file that says which rules count (modelprov.toml); None for the nearest above the folder.
        baseline: The file of accepted findings (JSON).
        update_baseline: The reason for which `accept()` will accept all present findings.
        expires: Of `update_baseline`: a day, as in "2027-01-31".
        expected_digest: SHA-256 (hexadecimal) of the weights that were evaluated, as `inspect` gives it.
        sample: Compare a few MB of each checkpoint only.
        memory: Most bytes for buffers.
        threads: How many; None for all cores.
        seed: Chooses the sampled blocks.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The `outcome` (passed, findings, could not judge), the `findings`, the whole `report`. `save("check.html")`
        writes it, also as .json, .md, .sarif or .xml (JUnit); `card_diff()` corrects the card; `accept()` writes the
        baseline.

    Raises:
        UsageError: the arguments do not fit together, or a candidate is not there.
        CheckpointNotFoundError: the folder is none.
        RemoteError: a model that is elsewhere cannot be had; its subclasses say why.
        ModelprovError: a checkpoint cannot be read; its subclasses say why.

    Example:
        checked = modelprov.check("rio", candidates=["nex", "qwen"], control="sibling")
        print(checked.outcome)
        for finding in checked.findings:
            print(finding.rule, finding.message)
        checked.save("check.sarif")

    """
    refuse_below(1, memory=memory, threads=threads)
    refuse_below(0, seed=seed)
    folder, possible, controls = text_of(model), several(candidates), several(control)
    rules = _policy(policy, folder)
    accepted_in = rules.baseline if baseline is None else path_of(baseline)
    known = _baseline(accepted_in, must_exist=update_baseline is None)
    request = Request(
        candidates=(*possible, *rules.candidates),
        controls=(*controls, *rules.controls),
        expected_digest=expected_digest or rules.expected_digest,
        options=Options(memory=memory, threads=threads, seed=seed, sample=sample or rules.sample, device="cpu"),
    )
    _refuse_repeated(folder, request)
    started = datetime.now(UTC)
    accepting = None
    if update_baseline is not None:  # before hours of reading, not after
        accepting = _accepting(accepted_in, known, update_baseline, expires, started.date())
    line = command or command_line(
        "check",
        [folder],
        (
            ("--candidates", possible, []),
            ("--control", controls, []),
            ("--policy", policy, None),
            ("--baseline", baseline, None),
            ("--update-baseline", update_baseline, None),
            ("--expires", expires, None),
            ("--expected-digest", expected_digest, None),
            ("--sample", sample, False),
            ("--memory", memory, Options.memory),
            ("--threads", threads, None),
            ("--seed", seed, 0),
        ),
    )
    place, before = os.path.expanduser(folder), TRAFFIC.so_far
    beside = beside_weights(place)
    own = beside.folder if beside.folder != Path(place) else None
    found = run_check(place, request, rules, known, line, started, progress, own)
    if beside.far:
        tell_spent(before, progress)
    return CheckedModel(found, beside.folder, accepting, beside)


def _refuse_repeated(folder: str, request: Request) -> None:
    """A candidate said alike by policy and caller is one; the model among them (as a card may name it) is left out."""
    places = [name_and_place(said)[1] for said in dict.fromkeys(request.candidates)]
    refuse_repeated([*places, *request.controls])
    refuse_repeated([folder, *request.controls])


def _policy(given: Location | None, model: str) -> Policy:
    path = find_policy(path_of(model)) if given is None else path_of(given)
    return load_policy(path, {rule: each.name for rule, each in RULES.items()}) if path is not None else Policy()


def _baseline(path: Path | None, *, must_exist: bool) -> Baseline:
    if path is None or (not must_exist and not path.exists()):
        return Baseline()
    return load_baseline(path)


def _accepting(path: Path | None, known: Baseline, reason: str, expires: str | date | None, today: date) -> Accepting:
    """Raises `UsageError` for what is missing or is no day."""
    if path is None:
        raise UsageError(f"{called('update_baseline')} needs to know which file", f"Give {called('baseline')} FILE.")
    try:
        until = date.fromisoformat(expires) if isinstance(expires, str) else expires
    except ValueError as error:
        raise UsageError(f"{called('expires')} {expires!r} is no day", "Write it like 2027-01-31.") from error
    accepting = Accepting(path, known, reason, until, today)
    accepting.renewed(())
    return accepting
