"""`tune`'s candidates on Ray Tune: per cell one Optuna search and one ASHA, with all cells on the workers side by side.

This file alone imports optuna.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna
from ray import cloudpickle, tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from bench import names
from bench.engine.candidates import Candidate, specs_of, without_test
from bench.execution.schedule import UNRECORDED, dumps, fit, loss, slots
from bench.execution.stopping import Stop
from bench.execution.worker import Load, plug_ins
from bench.search_path import checkout_last
from bench.trial.outside.rows import rows_from_outside, take
from bench.trial.result import CandidateListener, Tried
from bench.trial.search import Search
from bench.trial.spec import TrialSpec

if TYPE_CHECKING:
    from bench.datasets.images import ImageData

METRIC = "validation_accuracy"
TIME = "epoch"
OUTCOME, REASON = "outcome", "reason"
CELL = "cell"  # index of the cell
NUMBER = "number"  # of the candidate in its cell; of equal candidates the lowest number is chosen
RETRIES = 1  # of a candidate whose worker was lost

OnCellEnded = Callable[[TrialSpec, Sequence[Tried]], None]  # called once all candidates of a cell have ended


def run(
    cells: Sequence[TrialSpec],
    search: Search,
    load: Load,
    on_cell_ended: OnCellEnded,
    listener: CandidateListener,
    *,
    cpus_per_trial: float,
    gpus_per_trial: float,
    address: str | None,
) -> None:
    """Try `search.budget` candidates for every cell; see `bench.trial.search`.

    Raises: SweepError if Ray does not start, or no machine can hold a trial; KeyboardInterrupt soon after SIGINT or
    SIGTERM; whatever `on_cell_ended` raises.
    """
    if not cells:
        return
    at_once = slots(address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(at_once)
    for module in plug_ins([cells], load):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    trainable = tune.with_resources(
        tune.with_parameters(_Trainable, job=dumps((list(cells), search, load)), rows=dumps(rows_from_outside(cells))),
        {"cpu": cpus_per_trial, "gpu": gpus_per_trial},
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config = tune.TuneConfig(
        num_samples=len(cells) * search.budget,
        search_alg=_Searches(cells, search),
        scheduler=_Halvings(cells, search),
        max_concurrent_trials=at_once,
        reuse_actors=True,
    )
    events = _Callback(cells, search, on_cell_ended, listener)
    fit(trainable, {}, config, events, RETRIES, events.interrupt, address)
    if events.error is not None:
        raise events.error


class _Trainable(tune.Trainable):
    """A worker; a step is an epoch of a candidate."""

    def setup(self, config: dict[str, Any], job: bytes = b"", rows: bytes = b"") -> None:
        checkout_last()
        take(pickle.loads(rows) if rows else [])  # before anything is looked up in the tables
        self._cells, self._search, self._load = pickle.loads(job)
        self._data: ImageData | None = None
        self._candidate: Candidate | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        return True

    def step(self) -> dict[str, Any]:
        if self._candidate is None:
            import torch

            cell: TrialSpec = self._cells[self.config[CELL]]
            torch.set_num_threads(cell.threads)
            if self._data is None:  # not in `setup`, which is part of the start of a worker and must not take long
                self._data = without_test(self._load())
            values = {name: self.config[name] for name in self._search.fields}
            specs, unrecorded = specs_of(cell, self._search, values), self.config.get(UNRECORDED, "")
            self._candidate = Candidate(specs, self._data, cell.device, unrecorded)
            self._epochs = cell.epochs
        candidate = self._candidate
        accuracy = candidate.advance()
        done = candidate.outcome != names.DONE or candidate.epoch == self._epochs
        outcome = {OUTCOME: candidate.outcome, REASON: candidate.reason}
        return {METRIC: accuracy, TIME: candidate.epoch, **outcome, "done": done}

    def cleanup(self) -> None:
        if self._candidate is not None:
            self._candidate.close()
            self._candidate = None


class _Searches(Searcher):
    """One Optuna search per cell, the cells in turn: the candidates of `Search.starts`, and by TPE up to the budget."""

    def __init__(self, cells: Sequence[TrialSpec], search: Search) -> None:
        super().__init__(metric=METRIC, mode="max")
        space: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.FloatDistribution(lo, hi, log=True) for name, lo, hi in search.bounds
        }
        sampler = partial(optuna.samplers.TPESampler, n_startup_trials=search.spread, seed=0)
        new_search = partial(OptunaSearch, space, metric=METRIC, mode="max", points_to_evaluate=search.starts())
        self._searches: list[OptunaSearch] = [new_search(sampler=sampler()) for _ in cells]
        self._budget, self._suggested, self._epochs = search.budget, 0, cells[0].epochs
        self._by_trial: dict[str, OptunaSearch] = {}

    def suggest(self, trial_id: str) -> Any:
        cell, number = divmod(self._suggested, self._budget)
        if cell == len(self._searches):
            return Searcher.FINISHED
        self._suggested += 1
        self._by_trial[trial_id] = self._searches[cell]
        return {CELL: cell, NUMBER: number, **(self._searches[cell].suggest(trial_id) or {})}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._by_trial[trial_id].on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        # The accuracy of a candidate that was stopped early does not compare with those after the last epoch.
        comparable = result is not None and (result[TIME] == self._epochs or result[OUTCOME] != names.DONE)
        self._by_trial[trial_id].on_trial_complete(trial_id, result if comparable else None, error)

    def save(self, checkpoint_path: str) -> None:
        """Saves nothing: choices are in the store, and an interrupted cell starts again."""

    def restore(self, checkpoint_path: str) -> None:
        """Restores nothing; see `save`."""


class _Halvings(FIFOScheduler):
    """One ASHA per cell: a candidate is compared only with those of its own cell."""

    def __init__(self, cells: Sequence[TrialSpec], search: Search) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._schedulers: list[AsyncHyperBandScheduler] = [
            AsyncHyperBandScheduler(
                time_attr=TIME,
                metric=METRIC,
                mode="max",
                max_t=search.grace,  # the only rung; a candidate ends by itself
                stop_last_trials=False,
                grace_period=search.grace,
                reduction_factor=search.factor,
            )
            for _ in cells
        ]

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        cell: int = trial.config[CELL]
        return self._schedulers[cell]

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        return str(self._of(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_remove(tune_controller, trial)


class _Callback(tune.Callback):
    """Collects the candidates' outcomes, and calls `on_cell_ended` for each cell whose candidates have all ended."""

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        return tune.Callback, ()  # Tune saves its callbacks; ours holds a store

    def __init__(
        self, cells: Sequence[TrialSpec], search: Search, on_cell_ended: OnCellEnded, listener: CandidateListener
    ) -> None:
        self.cells, self.search, self.on_cell_ended, self.listener = cells, search, on_cell_ended, listener
        self.error: BaseException | None = None
        self._tried: list[dict[int, Tried]] = [{} for _ in cells]  # per cell, by number
        self._ended = [0 for _ in cells]

    def interrupt(self) -> None:
        """End the run."""
        self.error = KeyboardInterrupt()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.error is not None:
            raise Stop

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.listener.started(self._cell(trial), trial.config[NUMBER])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self.listener.epoch(self._cell(trial), trial.config[NUMBER], result[TIME], result[METRIC])
        tried = self._of(trial)
        del tried.validation_accuracy[max(0, result[TIME] - 1) :]  # a lost worker's epochs are trained again
        tried.outcome, tried.reason = result[OUTCOME], result[REASON]
        if tried.outcome == names.DONE:
            tried.validation_accuracy.append(result[METRIC])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial.config[UNRECORDED] = "its worker was lost"  # perhaps by a step that could not be recorded

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        tried = self._of(trial)
        tried.outcome, tried.reason = names.FAILED, loss(trial)
        self._end(trial)

    def _cell(self, trial: Any) -> TrialSpec:
        cell: int = trial.config[CELL]
        return self.cells[cell]

    def _of(self, trial: Any) -> Tried:
        values = {name: trial.config[name] for name in self.search.fields}
        cell: int = trial.config[CELL]
        return self._tried[cell].setdefault(trial.config[NUMBER], Tried(values))

    def _end(self, trial: Any) -> None:
        self.listener.finished(self._cell(trial), trial.config[NUMBER], self._of(trial).outcome)
        cell = trial.config[CELL]
        self._ended[cell] += 1
        if self._ended[cell] == self.search.budget and self.error is None:
            try:
                self.on_cell_ended(self.cells[cell], [tried for _, tried in sorted(self._tried[cell].items())])
            except BaseException as error:
                self.error = error
