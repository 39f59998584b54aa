"""Schedule packs of trials with Ray Tune: one Tune trial per pack, workers reused, nothing of Ray's on the terminal.

Results reach the driver through Ray; workers write nothing.
"""

from __future__ import annotations

import copyreg
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import ray
from ray import cloudpickle, tune

from bench.execution.events import Events, interrupts
from bench.execution.ray_machine import ray_process
from bench.execution.stopping import FirstWorker, Stop
from bench.execution.worker import Job, Load, TrainEpochs, Worker, plug_ins
from bench.messages import one_line
from bench.search_path import checkout_last
from bench.storage.ownership.working_folder import working_folder
from bench.trial.outside.rows import rows_from_outside
from bench.trial.result import Listener, SweepError
from bench.trial.spec import TrialSpec

UNRECORDED = "unrecorded"  # key of a Tune trial's config: why its steps are not recorded as CUDA graphs


def run(
    packs: Sequence[Sequence[TrialSpec]],
    train_epochs: TrainEpochs,
    load: Load,
    listener: Listener,
    *,
    cpus_per_trial: float,
    gpus_per_trial: float,
    address: str | None,
    max_retries: int,
    needs: Sequence[Mapping[str, bytes]] = (),
) -> None:
    """Train every pack on Ray's workers and tell `listener`, in this process, what happens.

    A pack whose worker is lost is trained again up to `max_retries` times; then its trials are reported as failed.
    Ray keeps running for the next call, until `ray_process.stop` or the end of the process.
    Args:   needs: of each pack, the networks that its trials need, by key; () = none of any. A worker gets those of the
                packs that it trains.
    Raises: SweepError if Ray does not start, or no machine can hold a trial; KeyboardInterrupt soon after SIGINT or
    SIGTERM, after all results finished by then are delivered; whatever the listener raises.
    """
    if not packs:
        return
    # Pending Tune trials beyond what runs at once would only queue inside Ray.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(
        slots(address, cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial)
    )
    for module in plug_ins(packs, train_epochs, load):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    rows = rows_from_outside(spec for pack in packs for spec in pack)
    from_outside = bool(rows) or any(spec.method.source for pack in packs for spec in pack)
    files = {key: ray.put(data) for key, data in {key: f[key] for f in needs for key in f}.items()}
    needed = [{key: files[key] for key in of_pack} for of_pack in needs]
    sent = [dumps(list(pack)) for pack in packs]
    job = Job(sent, dumps((train_epochs, load)), from_outside, dumps(rows), needed, min(1.0, gpus_per_trial or 1.0))
    trainable = tune.with_resources(
        tune.with_parameters(_Trainable, job=job), {"cpu": cpus_per_trial, "gpu": gpus_per_trial}
    )
    events = Events(packs, listener)
    space = {"pack": tune.grid_search(list(range(len(packs))))}
    config = tune.TuneConfig(reuse_actors=True)
    fit(trainable, space, config, _Callback(events), max_retries, events.interrupt, address)
    if events.error is not None:
        raise events.error


def fit(
    trainable: Any,
    space: dict[str, Any],
    config: tune.TuneConfig,
    callback: tune.Callback,
    max_retries: int,
    interrupt: Callable[[], None],
    address: str | None,
) -> None:
    """Have Tune train a space to its end, or until the callback raises Stop; calls `interrupt` at a signal.

    Raises: SweepError if no worker comes up.
    """
    first_worker = FirstWorker(address)
    with working_folder() as folder, interrupts(interrupt):
        retries = tune.FailureConfig(max_failures=max_retries)
        nothing_saved = tune.CheckpointConfig(checkpoint_at_end=False)  # else a worker saves after every trial
        tuner = tune.Tuner(
            trainable,
            param_space=space,
            tune_config=config,
            run_config=tune.RunConfig(
                storage_path=str(folder),
                callbacks=[callback, first_worker],
                verbose=0,
                failure_config=retries,
                checkpoint_config=nothing_saved,
            ),
        )
        try:
            tuner.fit()
        except Stop:
            ray_process.stop()  # or the workers would continue to train
            if first_worker.error:
                raise SweepError(first_worker.error) from None


def slots(address: str | None, *, cpus_per_trial: float, gpus_per_trial: float) -> int:
    """How many packs the machines train at once; waits until Ray has started.

    Raises: SweepError if Ray does not start, or no machine can hold one.
    """
    ray_process.wait(address)
    needs, slots_of_all = {"CPU": cpus_per_trial, "GPU": gpus_per_trial}, 0
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        resources = node["Resources"] if node["Alive"] else {}
        slots_of_all += int(min(resources.get(name, 0) / need + 1e-9 for name, need in needs.items() if need))
    if not slots_of_all:
        raise SweepError(
            f"a trial asks for {cpus_per_trial:g} CPU and {gpus_per_trial:g} GPU: no machine of Ray's has them"
        )
    return slots_of_all


def dumps(value: Any) -> bytes:
    """What a worker loads, classes of plug-ins included.

    Raises: SweepError if a plug-in holds what cannot be sent, as an open file.
    """
    _send_modules_by_name()
    try:
        data: bytes = cloudpickle.dumps(value)  # type: ignore[no-untyped-call]
    except Exception as error:
        advice = "what a plug-in's module holds must be picklable; --executor local sends nothing"
        raise SweepError(f"cannot be sent to Ray's workers: {one_line(error)}; {advice}") from error
    return data


def _send_modules_by_name() -> None:
    """Also those that a library made objects of its own, as torch.backends.cudnn: pickle knows plain modules only."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and type(module) is not ModuleType:
            copyreg.pickle(type(module), lambda module: (importlib.import_module, (module.__name__,)))


def _fetched(reference: Any) -> bytes:
    data: bytes = ray.get(reference)
    return data


class _Trainable(tune.Trainable):
    """A worker, as Tune calls it. Tune reuses one only if it can be reset."""

    def setup(self, config: dict[str, Any], job: Job | None = None) -> None:
        assert job is not None
        checkout_last()
        self._job = job
        self._worker = Worker(job, _fetched)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        report = self._worker.train(self.config["pack"], self.config.get(UNRECORDED, ""))
        return {"report": report, "done": report.done}


class _Callback(tune.Callback):
    """Passes Tune's events on to `Events`."""

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        # Tune saves its callbacks to restore a run from; ours resumes from the store, and a listener has threads.
        return tune.Callback, ()

    def __init__(self, events: Events) -> None:
        self.events = events
        self._unrecorded = ""  # why no further pack is recorded: one could not be

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        for trial in trials if self._unrecorded else ():
            trial.config[UNRECORDED] = self._unrecorded
        if self.events.must_stop():
            raise Stop

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.events.started(trial.config["pack"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        # Popped, because Tune keeps everything in a result for good.
        report = result.pop("report")
        if report.unrecorded:  # this worker's next step raises; what takes its pack over reads this
            self._unrecorded = trial.config[UNRECORDED] = report.unrecorded
            trial.max_failures += trial.max_failures >= 0  # which is no loss of a worker; -1 is without limit
        self.events.reported(trial.config["pack"], report)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.events.failed(trial.config["pack"], loss(trial))


def loss(trial: Any) -> str:
    """Why Tune gave up a trial, in one line."""
    # The file has one block per loss of a worker: a headline, fields of Ray's, the cause with a list of guesses.
    cause = Path(trial.error_file).read_text().rstrip().rpartition("\n")[2].partition(" Some common causes")[0]
    return f"the worker was lost, {trial.run_metadata.num_failures} times: {cause}"[:400]
