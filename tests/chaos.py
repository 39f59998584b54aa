"""Kill sweeps at random moments and count what is lost: `python tests/chaos.py --kills 200 --seed 1 --csv FILE`.

Each scenario follows from its number and the seed, and `--only NUMBER` plays it again; one that is in FILE already is
left out, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent / "support"))

from killed_sweeps import Unbroken, Verdict, play, play_nothing
from kills import Kill, kill

COUNTED = [field.name for field in fields(Verdict) if field.name != "kill"]
COLUMNS = [*(field.name for field in fields(Kill)), *COUNTED]


@click.command()
@click.option("--kills", default=200, help="How many scenarios.")
@click.option("--seed", default=1, help="What they follow from.")
@click.option("--only", type=int, help="The number of the only one.")
@click.option("--csv", "file", type=click.Path(path_type=Path), default=Path("chaos.csv"), help="A row for each.")
def chaos(kills: int, seed: int, only: int | None, file: Path) -> None:
    """Play the scenarios; exits with 1 if something was lost, repeated, overwritten or left behind."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    wanted = range(kills) if only is None else [only]
    done = {int(row["number"]) for row in rows(file)} if only is None else set()
    faults = [number for number in wanted if number not in done and not is_clean(kill(number, seed), folder, file)]
    played = rows(file)
    print(f"{len(played)} kills: " + ", ".join(f"{sum(int(r[name]) for r in played)} {name}" for name in COUNTED))
    sys.exit(int(bool(faults)))


def is_clean(scenario: Kill, folder: Path, file: Path) -> bool:
    """Play one, write its row, say what went wrong."""
    verdict = play(scenario, folder / str(scenario.number), unbroken(scenario.executor, scenario.store, folder))
    values = {name: getattr(verdict, name) for name in COUNTED}
    new = not file.exists()
    with file.open("a", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(asdict(scenario) | {"signals": " ".join(scenario.signals)} | values)
    wrong = {name: value for name, value in values.items() if value and name != "before"}
    print(f"{scenario.name()}: {verdict.before} finished before; {wrong or 'clean'}", flush=True)
    return verdict.is_clean()


@cache
def unbroken(executor: str, store: str, folder: Path) -> Unbroken:
    """The unbroken sweep of such a scenario."""
    return play_nothing(executor, store, folder / f"unbroken-{executor}-{store}")


def rows(file: Path) -> list[dict[str, str]]:
    """What was played already."""
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


if __name__ == "__main__":
    chaos()
