"""LaTeX for a paper: names, label, caption and notes; and pdfLaTeX compiles it without a line that is too long."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendered import render as render_whole
from rendered import view
from trial_frames import METHODS, frame, small, trial

from bench.results.parts.columns import column
from bench.results.parts.latex_whole import SHOWN
from bench.results.parts.part_page import displayed, render
from bench.results.parts.parts import PARTS
from bench.results.statistics.analysis import analyses
from bench.results.tables.formats import Bold

GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}
HOSTILE = r"a_b%c$d#e{f}g~h^i\j&k<l>m[n]|“o”`é日-" + "x" * 60
GRID = ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999")
METHOD_RECORDS = [("snip", None), ("freeze", None), ("grasp", None), ("grasp-freeze", GRASP_FREEZE)]
MANY = [
    trial(method, rate, seed, 0.3 + i / 10 + seed / 50, record=record)
    for rate in GRID
    for seed in range(5)
    for i, (method, record) in enumerate(METHOD_RECORDS)
]
NAMED = [trial(HOSTILE, "0.9", s, 0.9 + s / 100, record={**METHODS["grasp"], "criterion": "x"}) for s in range(4)]
STORES = {
    "small": small(),
    "many": [*MANY, *(trial("dense", "0", s, 0.9 + s / 100) for s in range(5))],
    "hostile": [*small(), *NAMED, *(trial("snip", "0.9", s, 0.9, dataset=f"folder:/{HOSTILE}") for s in range(2))],
}


def latex(name: str, rows: list[dict[str, Any]], **options: Any) -> str:
    return render(frame(rows), view(classes={"digits": 10}, **options), name, format="latex")


def test_the_table_of_accuracies() -> None:
    made = latex("accuracy", small())
    caption = "Methods by rate: test accuracy after the last epoch in \\%, LeNet-5-Caffe on Digits."
    assert f"\\caption{{{caption}}}\n\\label{{tab:digits-lenet-5-caffe-accuracy}}" in made
    assert "FreezeNet & \\bfseries 97.05 +- 0.08 {\\,$\\uparrow$} & \\bfseries 90.13 +- 0.17" in made
    assert "SNIP & 95.10 +- 0.16 & 90.10 +- 0.16 {\\,$\\dagger$2} \\\\" in made
    assert "lower than SNIP at the same rate" in made and "snip" not in made


def test_names_and_filters_are_those_of_the_command_line() -> None:
    assert "GraSP" in latex("reference", small(), reference="freeze", methods=["grasp"])


def test_the_difference_has_marks_and_its_numbers_are_columns_of_siunitx() -> None:
    made = latex("difference", small())
    assert "{criterion} & {rate}" not in made and "S[table-format=+1.2, table-space-text-post=" in made
    assert "SNIP & 0.9 & +1.95 {\\,{[}1.85, 2.05{]}} & {$<$ 0.001} & 1.000 & $\\uparrow$ \\\\" in made


def test_a_narrow_table_takes_one_column_and_a_wide_one_two() -> None:
    assert "\\begin{table}[tbp]" in latex("difference", small()) and "\\begin{table*}" in latex("accuracy", MANY)
    assert latex("accuracy", MANY).count("\\begin{tabular}") > 1


def test_labels_are_unique() -> None:
    rows = [*small(), *(trial("snip", "0.9", s, 0.9, epochs=5) for s in range(2))]
    labels = re.findall(r"\\label\{(.*)\}", latex("storage", rows))
    assert labels == ["tab:digits-lenet-5-caffe-storage", "tab:digits-lenet-5-caffe-storage-2"]


@pytest.mark.parametrize("name", ["accuracy", "difference", "reference", "storage", "collapse"])
def test_whatever_is_in_a_name_the_output_has_no_stray_command(name: str) -> None:
    made = latex(name, STORES["hostile"])
    assert "日" not in made and "a_b" not in made and "c$d" not in made


def test_the_whole_is_the_parts_one_after_another() -> None:
    whole = render_whole(frame(small()), "latex", classes={"digits": 10})
    named, shown = displayed(frame(small()), view(classes={"digits": 10}))
    (analysis,) = analyses(named, shown)
    # The warnings stand at the end, the others are shown if they are asked for.
    assert set(PARTS) - set(SHOWN) == {"warnings", "gradients", "pairs", "start"}
    having = [name for name in SHOWN if any(PARTS[name].blocks(analysis))]
    assert {"accuracy", "difference", "reference", "dense", "storage", "compute", "collapse"} <= set(having)
    texts = [latex(name, small()).partition("\n\n")[2].strip() for name in having if name != "published"]
    assert all(text in whole for text in texts) and whole.count("\\caption{") == len(texts)
    assert [whole.index(text) for text in texts] == sorted(whole.index(text) for text in texts)
    assert "\\subsection*{\\raggedright LeNet-5-Caffe on Digits}\n\n{\\sloppy Protocol: SGD," in whole
    assert latex("warnings", small()).strip() in whole


def test_a_section_without_figures_says_so_and_an_empty_choice_too() -> None:
    rows = [trial("snip", "0.9", 0, None, outcome="failed", reason="out of memory")]
    assert "\\caption" not in (whole := render_whole(frame(rows), "latex")) and "out of memory" in whole


def test_the_ranks_are_a_table_of_the_same_form() -> None:
    whole = render_whole(frame(MANY), "latex", ranks=True)
    assert "\\caption{Mean ranks across data sets, networks and rates.}\n\\label{tab:ranks}" in whole
    assert "GraSP, frozen & 1.00 &" in whole and "Left out: nothing." in whole


@pytest.mark.parametrize(
    ("entries", "specification", "drawn"),
    [
        (["1,234", "56"], "S[table-format=4.0]", ["1234", "56"]),
        (["97.05 ± 0.08", "–"], "S[table-format=2.2(1)]", ["97.05 +- 0.08", "{--}"]),
        (["0.013", "< 0.001"], "S[table-format=1.3]", ["0.013", "{$<$ 0.001}"]),
        (["−0.61", "+1.20"], "S[table-format=+1.2]", ["-0.61", "+1.20"]),
        (["×9.2", "×50.5"], "S[table-format=2.1]", ["9.2", "50.5"]),
        ([Bold("0.55", " ↑"), "0.5"], "S[table-format=1.2, table-space-text-post={\\,$\\uparrow$}]",
         ["\\bfseries 0.55 {\\,$\\uparrow$}", "0.5"]),
        (["5.0–100.0 %", "5.0 %"], "r", ["5.0--100.0 \\%", "5.0 \\%"]),
        (["open", "higher ↑"], "l", ["open", "higher $\\uparrow$"]),
    ],
)  # fmt: skip
def test_columns(entries: list[Any], specification: str, drawn: list[str]) -> None:
    made = column("x", entries)
    assert (made.specification, list(made.entries)) == (specification, drawn)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("option", ["", "twocolumn", "11pt"])
@pytest.mark.parametrize("store", STORES)
def test_it_compiles_without_a_line_that_is_too_long(store: str, option: str, tmp_path: Path) -> None:
    """The whole table, which has all parts that the store has, but for the pairs."""
    whole = render_whole(frame(STORES[store]), "latex", ranks=store == "many", classes={"digits": 10})
    body = f"{whole}\n{latex('pairs', STORES[store])}"
    document = (
        f"\\documentclass[{option}]{{article}}\n\\usepackage{{array,booktabs,siunitx}}\n"
        f"\\begin{{document}}\n{body}\n\\end{{document}}\n"
    )
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert not re.findall(r"Overfull \\hbox.*", log), log
