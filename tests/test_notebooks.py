"""The notebooks run from top to bottom, find what their text says, and are stored without traces of a machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

import modelprov
from notebooks.execute import run, tidy

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CASE = ROOT / "notebooks" / "rio_case_study.ipynb"
MACHINE = re.compile(r"""(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|var|private|Users|mnt|builds?)\b|[A-Za-z]:\\\w""")
LARGEST = 200_000
SAME_ANYWHERE = ("disagreement-words", "value-fit", "value-equal-fits", "value-norms", "value-identity")
"""Cells without a model: simulations from a seed, and published figures."""

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def shown(notebook: NotebookNode, cell_id: str) -> str:
    """What a cell printed, and its tables, as one text."""
    cell = next(one for one in notebook.cells if one.id == cell_id)
    return "".join(output.get("text", "") or output.data.get("text/markdown", "") for output in cell.outputs)


def everything_shown(cell: NotebookNode) -> str:
    """All text of a cell's outputs, error messages and standard error included."""
    parts: list[str] = []
    for output in cell.get("outputs", ()):
        parts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", ())]
        parts += [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return "\n".join(parts)


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the first table by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines[2:]}


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in: {text}"
    return float(found[1])


def percent(text: str) -> int:
    return int(text.removesuffix("%"))


def test_the_case_study_is_there() -> None:
    assert CASE in NOTEBOOKS


@each
def test_stored_notebooks_tell_nothing_of_the_machine_that_ran_them(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        assert not MACHINE.search(everything_shown(cell)), cell.id
        assert "execution" not in cell.metadata
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@each
def test_stored_notebooks_are_small_and_were_run_from_top_to_bottom_without_a_warning(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    assert all(output.get("name") != "stderr" for cell in code for output in cell.outputs)


def test_the_case_study_uses_only_public_names_and_no_progress_of_its_own() -> None:
    cells = [cell for cell in nbformat.read(CASE, as_version=4).cells if cell.cell_type == "code"]
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell.source))]
    imported = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    imported += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    assert [name for name in imported if name.split(".")[0] == "modelprov"] == ["modelprov"]
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "modelprov"
    }
    assert used
    assert used <= set(modelprov.__all__)
    assert not any(isinstance(node, ast.FunctionDef) and node.name in ("stage", "advance") for node in nodes)


@each
def test_links_in_notebooks_resolve(path: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")]
    assert links
    for link in links:
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("text", ["a\n/home/me/x.py:21: W", "in '/tmp/tmpab/family'", "/home/me", r"at C:\Users\me"])
def test_paths_of_a_machine_are_recognised(text: str) -> None:
    assert MACHINE.search(text)


@pytest.mark.parametrize("text", ["https://arxiv.org/abs/2411.10683", "nex-agi/Nex-N2", "and/or", "../docs/var/x.md"])
def test_links_and_names_are_no_paths_of_a_machine(text: str) -> None:
    assert not MACHINE.search(text)


def test_tidying_removes_times_versions_and_addresses_and_keeps_text() -> None:
    output = {"output_type": "display_data", "data": {"text/markdown": "| 1 |", "text/plain": "<at 0x7f>"}}
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.from_dict({**output, "metadata": {}})])
    cell.metadata.execution = {"iopub.execute_input": "2026-11-25T12:00:00"}
    found = tidy(nbformat.v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3"}}))
    assert "execution" not in found.cells[0].metadata
    assert "version" not in found.metadata.language_info
    assert found.cells[0].outputs[0].data == {"text/markdown": "| 1 |"}


def test_tidying_removes_the_places_where_bars_were() -> None:
    bar = {"output_type": "display_data", "data": {"text/html": ""}, "metadata": {}}
    page = {"output_type": "display_data", "data": {"text/html": "<p>"}, "metadata": {}}
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.from_dict(bar), nbformat.from_dict(page)])
    found = tidy(nbformat.v4.new_notebook(cells=[cell]))
    assert [output.data["text/html"] for output in found.cells[0].outputs] == ["<p>"]


@pytest.mark.timeout(900)  # a minute and a half alone; beside other work it took five
def test_the_case_study_runs_and_finds_what_its_text_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, since running takes most of a minute of a core."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    fresh, stored = run(CASE), nbformat.read(CASE, as_version=4)
    assert not MACHINE.search("\n".join(everything_shown(cell) for cell in fresh.cells))
    assert sum("image/png" in output.get("data", {}) for cell in fresh.cells for output in cell.get("outputs", ())) == 4
    for cell_id in SAME_ANYWHERE:
        assert shown(fresh, cell_id) == shown(stored, cell_id), "run notebooks/execute.py and look at the difference"

    assert_one_alpha_reproduces_the_published_figures(fresh)
    assert_the_weights_of_the_miniature_are_settled(fresh)
    assert_identity_flips_while_compare_gives_the_share(fresh)
    assert "9 of 9 differences are within noise" in shown(fresh, "value-eval")


def assert_one_alpha_reproduces_the_published_figures(fresh: NotebookNode) -> None:
    fit = shown(fresh, "value-fit")
    assert number(r"(0\.\d+) with 0\.565", fit) <= 0.0012
    assert number(r"(0\.\d+) with 0\.6\b", fit) >= 0.03
    for published, simulated in ((float(row[1]), float(row[2])) for row in rows(fit).values()):
        assert simulated == pytest.approx(published, abs=0.0025)
    assert "routers: 0.564, 0.565, 0.566\n" in shown(fresh, "value-equal-fits")
    assert number(r"0\.45 steps apart \(rms\): simulated α (0\.\d+)", shown(fresh, "value-norms")) == 0.89
    identity = shown(fresh, "value-identity")
    assert "95 of 120 = 79.2%, interval 71.1% to 85.5%" in identity
    assert "0 of 120 = 0.0%, interval 0.0% to 3.1%" in identity


def assert_the_weights_of_the_miniature_are_settled(fresh: NotebookNode) -> None:
    verdict = shown(fresh, "value-verdict")
    assert "verdict: merge\n" in verdict
    assert "share of nex: 0.565," in verdict
    assert "bits reproduced: 100.0000%" in verdict
    assert not re.search(r"control, sibling: (copy|merge)", verdict)
    trained = rows(shown(fresh, "value-trained"))
    assert {name: row[0] for name, row in trained.items()} == {
        "rio": "merge",
        "rio + 1% noise": "on-line",
        "rio + 3% noise": "on-line",
        "rio + 10% noise": "inconclusive",
        "rio + training": "on-line",
    }
    assert all(float(row[1]) == pytest.approx(0.565, abs=0.003) for row in trained.values())
    assert [trained[f"rio + {share}% noise"][3] for share in (1, 3, 10)] == ["1.0%", "3.0%", "10.0%"]


def assert_identity_flips_while_compare_gives_the_share(fresh: NotebookNode) -> None:
    said = shown(fresh, "value-probe")
    assert number(r"rio, as shipped: Rio (\d+) of 108", said) > 90
    assert number(r"rio, stripped: Nex (\d+) of 108", said) > 90
    sweep = rows(shown(fresh, "value-sweep"))
    assert [percent(sweep[alpha][0]) <= 10 for alpha in ("0.3", "0.4")] == [True, True]
    assert [percent(sweep[alpha][0]) >= 90 for alpha in ("0.6", "0.7")] == [True, True]
    assert all(float(row[2]) == pytest.approx(float(alpha), abs=1e-4) for alpha, row in sweep.items())
