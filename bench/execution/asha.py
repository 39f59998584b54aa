"""`tune`'s candidates on Ray Tune: per cell one Optuna search and one ASHA, and all cells on the workers side by side.

With `bench.execution.schedule` the only file that imports ray, and the only one that imports optuna.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import optuna
from ray import cloudpickle, tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from bench import names
from bench.engine.candidates import Candidate, specs_of, without_test
from bench.execution.schedule import Stop, dumps, fit, loss, slots
from bench.execution.worker import Load, plug_ins
from bench.search_path import checkout_last
from bench.trial.result import Tried
from bench.trial.search import Search
from bench.trial.spec import TrialSpec

METRIC = "validation_accuracy"
TIME = "epoch"
OUTCOME, REASON = "outcome", "reason"
CELL = "cell"  # place of the cell among all
NUMBER = "number"  # of the candidate in its cell; the first of equals is chosen, whichever ended first
RETRIES = 1  # of a candidate whose worker was lost

Chosen = Callable[[TrialSpec, Sequence[Tried]], None]  # told once all candidates of a cell have ended


def run(
    cells: Sequence[TrialSpec],
    search: Search,
    load: Load,
    chosen: Chosen,
    *,
    cpus_per_trial: float,
    gpus_per_trial: float,
    address: str | None,
) -> None:
    """Try `search.budget` candidates for every cell; see `bench.trial.search`.

    Raises: SweepError if Ray does not start, or no machine can hold a trial; KeyboardInterrupt soon after SIGINT or
    SIGTERM; whatever `chosen` raises.
    """
    if not cells:
        return
    at_once = slots(address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(at_once)
    for module in plug_ins([cells], load):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    trainable = tune.with_resources(
        tune.with_parameters(_Trainable, job=dumps((list(cells), search, load))),
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
    events = _Callback(cells, search, chosen)
    fit(trainable, {}, config, events, RETRIES, events.interrupt)
    if events.error is not None:
        raise events.error


class _Trainable(tune.Trainable):
    """A worker; a step is an epoch of a candidate."""

    def setup(self, config: dict[str, Any], job: bytes = b"") -> None:
        checkout_last()
        self._cells, self._search, load = pickle.loads(job)
        self._data = without_test(load())
        self._candidate: Candidate | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        return True

    def step(self) -> dict[str, Any]:
        if self._candidate is None:
            import torch

            cell: TrialSpec = self._cells[self.config[CELL]]
            torch.set_num_threads(cell.threads)
            values = {name: self.config[name] for name in self._search.fields}
            self._candidate = Candidate(specs_of(cell, self._search, values), self._data, cell.device)
            self._epochs = cell.epochs
        accuracy, now = self._candidate.advance(), self._candidate
        done = now.outcome != names.DONE or now.epoch == self._epochs
        return {METRIC: accuracy, TIME: now.epoch, OUTCOME: now.outcome, REASON: now.reason, "done": done}

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
        made = partial(OptunaSearch, space, metric=METRIC, mode="max", points_to_evaluate=search.starts())
        self._each: list[OptunaSearch] = [made(sampler=sampler()) for _ in cells]
        self._budget, self._asked, self._epochs = search.budget, 0, cells[0].epochs
        self._by_trial: dict[str, OptunaSearch] = {}

    def suggest(self, trial_id: str) -> Any:
        place, number = divmod(self._asked, self._budget)
        if place == len(self._each):
            return Searcher.FINISHED
        self._asked += 1
        self._by_trial[trial_id] = self._each[place]
        return {CELL: place, NUMBER: number, **(self._each[place].suggest(trial_id) or {})}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._by_trial[trial_id].on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        # One that was stopped early has no accuracy to compare with those after the last epoch.
        whole = result is not None and (result[TIME] == self._epochs or result[OUTCOME] != names.DONE)
        self._by_trial[trial_id].on_trial_complete(trial_id, result if whole else None, error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is chosen is in the store, and a cell cut short starts again."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing; see `save`."""


class _Halvings(FIFOScheduler):
    """One ASHA per cell: a candidate is measured against those of its own cell alone."""

    def __init__(self, cells: Sequence[TrialSpec], search: Search) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._each: list[AsyncHyperBandScheduler] = [
            AsyncHyperBandScheduler(
                time_attr=TIME,
                metric=METRIC,
                mode="max",
                max_t=search.grace,  # the one rung; a candidate ends by itself
                stop_last_trials=False,
                grace_period=search.grace,
                reduction_factor=search.factor,
            )
            for _ in cells
        ]

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        place: int = trial.config[CELL]
        return self._each[place]

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        return str(self._of(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_remove(tune_controller, trial)


class _Callback(tune.Callback):
    """Collects what becomes of the candidates, and tells of every cell whose candidates have all ended."""

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        return tune.Callback, ()  # Tune saves its callbacks; ours holds a store

    def __init__(self, cells: Sequence[TrialSpec], search: Search, chosen: Chosen) -> None:
        self.cells, self.search, self.chosen = cells, search, chosen
        self.error: BaseException | None = None
        self._tried: list[dict[int, Tried]] = [{} for _ in cells]  # per cell, by number
        self._ended = [0 for _ in cells]

    def interrupt(self) -> None:
        """End the run."""
        self.error = KeyboardInterrupt()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.error is not None:
            raise Stop

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        tried = self._of(trial)
        del tried.validation_accuracy[max(0, result[TIME] - 1) :]  # of a worker that was lost
        tried.outcome, tried.reason = result[OUTCOME], result[REASON]
        if tried.outcome == names.DONE:
            tried.validation_accuracy.append(result[METRIC])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        tried = self._of(trial)
        tried.outcome, tried.reason = names.FAILED, loss(trial)
        self._end(trial)

    def _of(self, trial: Any) -> Tried:
        values = {name: trial.config[name] for name in self.search.fields}
        place: int = trial.config[CELL]
        return self._tried[place].setdefault(trial.config[NUMBER], Tried(values))

    def _end(self, trial: Any) -> None:
        self._of(trial)
        place = trial.config[CELL]
        self._ended[place] += 1
        if self._ended[place] == self.search.budget and self.error is None:
            try:
                self.chosen(self.cells[place], [tried for _, tried in sorted(self._tried[place].items())])
            except BaseException as error:
                self.error = error
