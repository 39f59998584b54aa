"""The table of docs/networks.md is what is found."""

from __future__ import annotations

from pathlib import Path

from odd_networks import CLASSES, IMAGE, REFUSED, RIGHT
from tabulate import tabulate

from bench.models.structure.structure import no_pack, structure_of

PAGE = Path(__file__).parents[3] / "docs" / "networks.md"
MARK = "<!-- table -->\n\n"


def table() -> str:
    """A row for each network of the tests."""
    rows = [_row(name) for name in RIGHT]
    rows += [(name, f"refused: {message}", "", "") for name, (_, message) in REFUSED.items()]
    headers = ("network with", "outcome", "layers that a sparse step can replace", "packs")
    return tabulate(rows, headers, tablefmt="github")


def _row(name: str) -> tuple[str, str, str, str]:
    structure = structure_of(RIGHT[name], IMAGE, CLASSES)
    full = [n for n, s in structure.shapes.items() if len(s) > 1 and n not in structure.weights]
    outcome = f"trained; {', '.join(full)} in full" if full else "trained"
    packed = "single only" if no_pack(structure, RIGHT[name], IMAGE, CLASSES) else "yes"
    return name, outcome, f"{len(structure.steppable)} of {len(structure.weights)}", packed


def test_the_page_has_the_table() -> None:
    assert PAGE.read_text("utf-8").partition(MARK)[2].startswith(f"{table()}\n\n")


if __name__ == "__main__":  # write it anew
    head, mark, rest = PAGE.read_text("utf-8").partition(MARK)
    rest = rest.partition("\n\n")[2] if rest.startswith("|") else rest
    PAGE.write_text(f"{head}{mark}{table()}\n\n{rest}", "utf-8")
