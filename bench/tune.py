"""The `tune` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.arguments import on_device, read_execution, read_sweep
from bench.chosen import cells, choices, keep
from bench.entry import check_name
from bench.messages import announced, say, usage_errors
from bench.places import StorePlace
from bench.run import data_of
from bench.search import read_search
from bench.spec import TrialSpec

if TYPE_CHECKING:
    from bench.candidates import Tried

NOT_OF_TUNE: dict[str, Any] = {
    "executor": "ray", "max_retries": None, "offline": None, "storage": None, "tuned": None,
}  # fmt: skip


def run_tune(options: Mapping[str, Any]) -> int:
    """Choose values for the cells that the store has none for. Returns 0, or 1 where no candidate of a cell trained."""
    with usage_errors():
        if options["seeds"].isdigit():  # a count, of seeds that are to be reported
            raise ValueError(f"seeds {options['seeds']}: allowed is first:last, or a comma list")
        sweep = read_sweep(options)
        search = read_search(options["search"], options["budget"], sweep.seeds, sweep.protocol)
        sweep = on_device(sweep, options)
        wanted = cells(sweep, search)
        said = f"{len(wanted)} cells × {search.budget} candidates × {len(search.seeds)} seeds: {search.text}"
        with announced(said):
            execution = read_execution({**options, **NOT_OF_TUNE}, wanted[0].device)
            name = options["name"] or f"{wanted[0].dataset}-{wanted[0].model}".replace("@", "-")
            check_name(name)
            place = StorePlace()
            load = data_of(options["dataset"], options)
            place.open()
            known = {choice.cell for choice in choices(place.uri)}
    missing = [cell for cell in wanted if cell.cell_key not in known]
    say(f"{len(wanted)} cells: {len(wanted) - len(missing)} chosen before, {len(missing)} to tune; {place.text}")
    if not missing:
        return 0
    from bench import asha, schedule

    schedule.start(execution.address)
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    lost: list[str] = []

    def chosen(cell: TrialSpec, tried: Sequence[Tried]) -> None:
        from bench.candidates import best

        label = f"{sweep.name_of(cell.method)} {cell.rate}"
        found = best(tried, cell.epochs)
        if found is None:
            lost.append(label)
            say(f"{label}: no candidate trained: {', '.join(sorted({one.reason for one in tried}))}")
            return
        keep(place.uri, name, command, sweep.name_of(cell.method), cell, tried, found)
        values = ", ".join(f"{field} {value:.4g}" for field, value in found.values.items())
        trained = sum(len(one.validation_accuracy) for one in tried)
        say(
            f"{label}: {values}, validation {found.validation_accuracy[-1]:.2%} "
            f"(best of {len(tried)}; {trained} of {len(tried) * cell.epochs} epochs trained)"
        )

    own = {field: getattr(missing[0], field) for field in search.fields}
    asha.run(
        missing,
        search,
        own,
        load,
        chosen,
        cpus_per_trial=missing[0].threads,
        gpus_per_trial=execution.gpus_per_trial,
        address=execution.address,
    )
    return 1 if lost else 0
