"""The `tune` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench import names
from bench.cli.arguments import alone, read_sweep
from bench.cli.config.command_text import command_text
from bench.cli.config.config_text import print_config
from bench.cli.next_steps import say_after_tune
from bench.cli.requests.sweep import TuneRequest
from bench.execution.checked_sweep import on_device
from bench.execution.events import sigterm_interrupts
from bench.execution.machine import check_machine, read_gpus
from bench.execution.run import checked_data
from bench.messages import announced, counted, one_line, say, usage_errors
from bench.storage.choices import cells, choices, store_choice
from bench.storage.destinations import StoreDestination
from bench.storage.entry import check_new_name
from bench.trial.result import SweepError
from bench.trial.search import read_search
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.trial.result import Tried


def run_tune(request: TuneRequest) -> int:
    """Choose values for the cells that the store has none for. Returns 0, or 1 if a cell is left without."""
    with usage_errors():
        if request.seeds.isdigit():  # a count, of seeds that are to be reported
            raise ValueError(f"seeds {request.seeds}: must be first:last, or a comma list")
        sweep = alone(read_sweep(request), "tune")
        search = read_search(request.search, request.budget, sweep.seeds, sweep.protocol)
        if request.print_config:
            return print_config(request, sweep)
        sweep = on_device(sweep, request.device, elsewhere=request.address is not None)
        wanted = cells(sweep, search)
        counts = counted(len(wanted), "cell"), counted(search.budget, "candidate"), counted(len(search.seeds), "seed")
        with announced(f"{' × '.join(counts)}: {search.label}"):
            check_machine(request.cpus_per_trial, request.address)
            gpus = read_gpus(request.gpus_per_trial, wanted[0].device)
            name = request.name or sweep.default_name
            check_new_name(name)
            destination = StoreDestination()
            load = checked_data(request.dataset, request.data_root, request.address)
            destination.open()
            known = {choice.cell for choice in choices(destination.uri)}
    missing = [cell for cell in wanted if cell.cell_key not in known]
    progress = f"{len(wanted) - len(missing)} chosen before, {len(missing)} to tune"
    say(f"{counted(len(wanted), 'cell')}: {progress}; {destination.label}")
    if not missing:
        say_after_tune([])
        return 0
    with usage_errors():
        from bench.storage.mlflow_store import Store

        Store(destination.uri).experiment(name)  # that of a deleted one
    from bench.execution import asha
    from bench.execution.progress.candidates import Candidates
    from bench.execution.progress.screen import awaited
    from bench.execution.ray_machine import ray_process

    ray_process.start(request.address)
    chooser = Chooser(sweep, destination.uri, name, command_text())
    waiting = awaited("ray", request.address)
    with sigterm_interrupts(), Candidates(missing, search.budget, sweep.name_of, waiting) as shown:

        def choose(cell: TrialSpec, tried: Sequence[Tried]) -> None:
            chooser.chosen(cell, tried)
            shown.chosen()

        asha.run(
            missing,
            search,
            load,
            choose,
            shown,
            cpus_per_trial=missing[0].threads,
            gpus_per_trial=gpus,
            address=request.address,
        )
    say_after_tune(chooser.without)
    return 1 if chooser.without else 0


class Chooser:
    """Is told of every cell whose candidates have ended; stores and says what is chosen."""

    def __init__(self, sweep: Sweep, uri: str, experiment: str, command: str) -> None:
        self.sweep, self.uri, self.experiment, self.command = sweep, uri, experiment, command
        self.without: list[str] = []  # cells

    def chosen(self, cell: TrialSpec, tried: Sequence[Tried]) -> None:
        """Choose the best candidate of a cell; none if one failed, as the cell then had less than the budget."""
        from bench.engine.candidates import best

        method = self.sweep.name_of(cell.method)
        label, chosen = f"{method} {cell.rate}", best(tried, cell.epochs)
        failures = [candidate.reason for candidate in tried if candidate.outcome == names.FAILED]
        if failures or chosen is None:
            self.without.append(label)
            say(f"{label}: {_why(tried, failures)}")
            return
        values = ", ".join(f"{field} {value:.4g}" for field, value in chosen.values.items())
        try:
            first = store_choice(self.uri, self.experiment, self.command, method, cell, tried, chosen)
        except Exception as error:
            raise SweepError(f"store {self.uri}: {one_line(error)}; not stored is {label}: {values}") from error
        if not first:
            say(f"{label}: another command has chosen meanwhile")
            return
        trained = sum(len(candidate.validation_accuracy) for candidate in tried)
        say(
            f"{label}: {values}, validation {chosen.validation_accuracy[-1]:.2%} "
            f"(best of {len(tried)}; {trained} of {len(tried) * cell.epochs} epochs trained)"
        )


def _why(tried: Sequence[Tried], failures: Sequence[str]) -> str:
    """Why nothing is chosen, and what to do."""
    if failures:
        reasons = "; ".join(sorted(set(failures)))
        failed = f"{len(failures)} of {len(tried)} candidates failed ({reasons})"
        return f"nothing chosen: {failed}; the same command tries again"
    counts = Counter(candidate.outcome for candidate in tried)
    reasons = "; ".join(sorted({candidate.reason for candidate in tried if candidate.reason}))
    return (
        f"nothing chosen: no candidate trained to the end, {counts[names.DIVERGED]} diverged ({reasons}), "
        f"{counts[names.DONE]} were stopped early; other --search bounds or a larger --budget may help"
    )
