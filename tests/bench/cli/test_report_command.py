"""`report`: a page of a store that was really trained, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.cli import main

SWEEP = ("run", "--executor", "local", "--rates", "0.9", "--seeds", "2", "--epochs", "1", "--methods")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_a_page_of_a_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for methods in ("freeze,snip", "freeze:control=shuffle"):
        monkeypatch.setattr("sys.argv", ["bench", *SWEEP, methods])
        assert main([*SWEEP, methods]) == 0
    before = {path.name for path in folder.iterdir()}
    assert main(["report", "-o", "page.html"]) == 0
    assert {path.name for path in folder.iterdir()} == before | {"page.html"}
    page = (folder / "page.html").read_text()
    commands = [f"python -m bench {' '.join(SWEEP)} {methods}" for methods in ("freeze,snip", "freeze:control=shuffle")]
    assert "\n".join(commands) in page and page.count("data:image/svg+xml") == 8  # each wide and narrow
    assert "Sanity controls" in page and "SNIP" in page and "paired t-test" in page
    assert main(["report", "-o", "page.md", "--test", "wilcoxon"]) == 0
    assert "exact Wilcoxon signed-rank test" in (folder / "page.md").read_text()
    figures = {f"page-{plot}.svg" for plot in ("difference", "accuracy", "gradients", "storage")}
    assert {path.name for path in folder.iterdir()} == before | figures | {"page.html", "page.md"}
    assert all(f"]({name})" in (folder / "page.md").read_text() for name in figures)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("page.pdf", "output page.pdf: its suffix must be one of .html, .md"),
        ("none/page.md", "output none/page.md: no such folder"),
        ("page.md", "no store at sqlite:///{folder}/mlflow.db: `python -m bench run` makes one, "),
    ],
)
def test_what_is_refused(output: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "-o", output]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message.format(folder=folder)}") and error.count("\n") == 1
    assert [*folder.iterdir()] == []
