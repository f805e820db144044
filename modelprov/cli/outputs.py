"""Where reports go: checked before the run, then written, shown, opened, and said. Renders and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.called import refuse_other
from modelprov.cli.options.shared import FORMS
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError
from modelprov.jobs.arguments import place

if TYPE_CHECKING:
    from modelprov.reports.saving import Result


@dataclass(frozen=True)
class Outputs:
    """The files that were asked for, by form; `log` is one that the job keeps itself.

    `opened` is the page that a browser shows; it is `temporary` where no file was named for it. With `tables` a
    terminal shows them too. `printed` is the form that goes to standard output; None for words on a terminal.
    """

    files: Mapping[str, Path]
    log: Path | None = None
    opened: Path | None = None
    temporary: bool = False
    tables: bool = False
    printed: str | None = None

    @property
    def to_stdout(self) -> bool:
        """Whether standard output is taken by a report, so that nothing else may go there."""
        return self.printed is not None or any(str(path) == "-" for path in self.files.values())

    def publish(self, result: Result, *, quiet: bool) -> None:
        """Write every report, show the result on the terminal unless that would disturb, and open the page."""
        self.write(result.rendered)
        self.show(result, quiet=quiet)
        self.open()

    def show(self, result: Result, notes: Iterable[str] = (), *, quiet: bool) -> None:
        """Show the result on the terminal, then say `notes` and what was written, unless that would disturb."""
        if quiet or self.to_stdout:
            return
        from modelprov.reports.saving import show

        shortened = show(result, terminal(), brief=not self.tables)
        for note in notes:
            say(note)
        self.say()
        if shortened and not self.files:
            say("The whole report: --html FILE or --json FILE writes it, --tables shows it here.")

    def write(self, render: Callable[[str], str]) -> None:
        """Render every report, then write each whole or not at all; standard output last, as it may be closed."""
        from modelprov.reports.writing import write_atomically

        texts = [(path, render(form)) for form, path in self.files.items()]
        if self.printed is not None:
            texts.append((Path("-"), render(self.printed)))
        for path, text in sorted(texts, key=lambda each: str(each[0]) == "-"):
            write_atomically(path, text)

    def say(self) -> None:
        """Say on standard error which files were written."""
        for path in (self.log, *self.files.values()):
            if path is not None and str(path) != "-":
                say(f"wrote {path}")

    def open(self) -> None:
        """Open the page in the browser, if that was asked for, and say where it lies; never fails."""
        if self.opened is None:
            return
        from modelprov.reports.opening import open_page

        opened = open_page(self.opened)
        kept = " (temporary; --html FILE puts it where you want it)" if self.temporary else ""
        say(f"{'opened' if opened else 'no browser could be started; the page is'} {self.opened}{kept}")


def asked(
    given: Mapping[str, Path | None], *, open_it: bool = False, form: str | None = None, log: Path | None = None,
    tables: bool = False, read: Iterable[Path] = (),
) -> Outputs:  # fmt: skip
    """The outputs of a command, none of which is a file that it will `read`.

    Raises `UsageError` before the long run where a report could not be written after it.
    """
    page = given.get("html")
    opened = _page_to_open(page) if open_it else None
    wanted = {**given, "html": opened or page}
    files = {form: path for form, path in wanted.items() if path is not None}
    _check(files if log is None else {**files, "log": log})
    refuse_read(files.values(), read)
    if str(log) == "-":
        raise UsageError("--log needs a file", "Standard output cannot be gone on from.")
    outputs = Outputs(files, log, opened, temporary=page is None, tables=tables)
    return outputs if form is None else replace(outputs, printed=_printed(form, given, outputs))


def _printed(form: str, given: Mapping[str, Path | None], outputs: Outputs) -> str | None:
    """What a report calls the form that `--format` asked for; None for text."""
    forms = {name: inner for name, inner in FORMS.items() if inner is None or inner in given}
    refuse_other("format", form, list(forms))
    if forms[form] is not None and outputs.to_stdout:
        raise UsageError("only one report can go to standard output", f"Leave out --format {form}, or the `-`.")
    return forms[form]


def _page_to_open(html: Path | None) -> Path:
    from modelprov.reports.opening import temporary_page

    if html is not None and str(html) == "-":
        raise UsageError("--open needs a file, not standard output", "Give --html a file name, or leave it out.")
    return html or temporary_page()


def refuse_read(written: Iterable[Path], read: Iterable[Path]) -> None:
    """What is written never takes the place of what is read for it."""
    inputs = {place(str(path)) for path in read}
    for path in written:
        if place(str(path)) in inputs:
            raise UsageError(f"{path} is what would be read", "Write to another file.")


def _check(files: Mapping[str, Path]) -> None:
    from modelprov.checkpoints.layouts.side_files import ADAPTER_CONFIG, CONFIG, GENERATION, PROCESSORS, TOKENIZER
    from modelprov.reports.writing import refuse_weights

    of_models = (CONFIG, GENERATION, ADAPTER_CONFIG, *TOKENIZER, *PROCESSORS)

    to_stdout = [form for form, path in files.items() if str(path) == "-"]
    if len(to_stdout) > 1:
        raise UsageError(f"only one report can go to standard output, not {' and '.join(to_stdout)}")
    taken: dict[str, str] = {}
    for form, path in files.items():
        if form in to_stdout:
            continue
        if not path.parent.is_dir():
            raise UsageError(f"the folder {path.parent} does not exist", "Create it, or write elsewhere.")
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "Give the name of a file in it.")
        refuse_weights(path)
        if path.name in of_models and path.exists():
            raise UsageError(f"{path} is a file of a model", "Give the report a name of its own.")
        other = taken.setdefault(place(str(path)), form)
        if other != form:
            raise UsageError(f"--{other} and --{form} both name {path}", "Give every report its own file.")
