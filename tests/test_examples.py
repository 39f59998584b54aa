"""The notebook of `examples/` runs from its first cell to its last, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "compare.ipynb"


def outputs(cell: Any) -> dict[str, Any]:
    """The last thing that a cell shows, by its type."""
    return dict(cell["outputs"][-1]["data"]) if cell["outputs"] else {}


@pytest.mark.slow
@pytest.mark.skipif(not NOTEBOOK.exists(), reason="only a checkout has the examples")
def test_the_notebook(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # committed without them
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()

    by_source = {cell["source"]: cell for cell in notebook.cells if cell["cell_type"] == "code"}
    compared = next(cell for source, cell in by_source.items() if "bench.compare(" in source)
    texts = [output["text"] for output in compared["outputs"] if output["output_type"] == "stream"]
    assert texts == []  # no library's warning
    assert compared["outputs"][0]["data"]["text/plain"].startswith("27/27 done | ")
    assert outputs(compared)["text/html"].startswith("<ul><li>At 0.9")
    assert "27 trials: 27 done; store " in outputs(compared)["text/html"]
    assert "image/png" in outputs(by_source['result.plot("accuracy")'])
    assert outputs(by_source["Markdown(result.table())"])["text/markdown"].startswith("# Freeze or prune?")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
