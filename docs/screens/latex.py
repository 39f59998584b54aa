"""Draws docs/img/latex-one-column.png and latex-two-columns.png: the tables of a paper, compiled by pdfLaTeX.

python docs/screens/latex.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.results.parts.part_page import render
from bench.results.statistics.view import View

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS / "screens"))
from _trials import store  # noqa: E402

# Picture -> the option of its class, and its page: LaTeX puts no wide table on the first page of two columns.
PICTURES = {"latex-one-column": ("", 1), "latex-two-columns": ("twocolumn", 2)}
TEXT = (
    "At an equal number of trained and stored parameters, is it better to freeze the other weights at their random "
    "initial values or to prune them to zero? Freezing and pruning share the chosen weights, the initial weights, the "
    "order of the data and the seed; they differ in one number, what the other weights hold. "
)
PARAGRAPHS = f"{TEXT * 3}\n\n" * 4


def draw(option: str, page: int, folder: Path) -> Path:
    """That page as PNG, in a class with that option."""
    view = View(classes={"mnist": 10}, test_images={"mnist": 10_000})
    wide = [render(store(), view, part, format="latex") for part in ("accuracy", "storage")]
    narrow = render(store(), replace(view, methods=["freeze", "snip"]), "difference", format="latex")
    document = (
        f"\\documentclass[{option}]{{article}}\n\\usepackage{{array,booktabs,siunitx}}\n"
        "\\renewcommand{\\topfraction}{0.9}\\renewcommand{\\dbltopfraction}{0.9}\n"
        "\\setcounter{topnumber}{6}\\setcounter{dbltopnumber}{6}\\setcounter{totalnumber}{9}\n"
        f"\\begin{{document}}\n{wide[0]}\n{PARAGRAPHS}\n{narrow}\n{wide[1]}\n{PARAGRAPHS}\n\\end{{document}}\n"
    )
    (folder / "paper.tex").write_text(document, encoding="utf-8")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=folder, check=True,
                   capture_output=True)  # fmt: skip
    picture = ["pdftoppm", "-r", "85", "-gray", "-png", "-f", str(page), "-singlefile", "paper.pdf", "page"]
    subprocess.run(picture, cwd=folder, check=True)
    return folder / "page.png"


def main() -> None:
    """Write the pictures."""
    (DOCS / "img").mkdir(exist_ok=True)
    for name, (option, page) in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(draw(option, page, Path(folder)), DOCS / "img" / f"{name}.png")


if __name__ == "__main__":
    main()
