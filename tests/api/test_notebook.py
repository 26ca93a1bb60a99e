"""The notebook that tells the whole story: executed with smaller numbers, and committed with what it shows."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "story.ipynb"
SMALLER = {"cells": "120", "epochs": "1", "steps": "2", "measured": "30"}
# Figures are drawn coarsely, as by all tests.
COARSE = "import micrographia.runs.run\nmicrographia.runs.run.DPI = 30"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow  # `make docs` runs it
def test_the_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    for name, value in SMALLER.items():
        parameters.source, found = re.subn(rf"^{name} = \d+", f"{name} = {value}", parameters.source, flags=re.M)
        assert found == 1, name
    notebook.cells.insert(0, nbformat.v4.new_code_cell(COARSE))
    folder = tmp_path / "desk"
    folder.mkdir()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    assert [path.name for path in (folder / "runs" / "reports").iterdir()]


def test_the_notebook_is_committed_with_what_it_shows(notebook):
    assert NOTEBOOK.stat().st_size < 1_500_000
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert not re.search(r"(?<![\w.:])/(root|home|work|tmp|Users)/", NOTEBOOK.read_text())
