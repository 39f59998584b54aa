"""Ray Tune as the schedule: a real local Ray, started once, and a tiny engine."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import names
from bench.engine.member import Epoch
from bench.engine.steps.cuda_graph import RecordingFailed
from bench.execution import schedule
from bench.execution.ray_machine import ray_process
from bench.execution.worker import REPORT_SECONDS
from bench.methods import Method
from bench.trial.result import SweepError, TrialResult
from bench.trial.spec import TrialSpec

ROOT = Path(__file__).parents[3]
ODD = "O'Brien's \"Projects\" $HOME;(a)|<b>&#!*?[c]~`d`\\e\n%20 é"  # of a path: every character that a shell knows
RAISES, KILLS, KILLS_ONCE = 1000, 1001, 1002  # seeds with a meaning


def spec(seed: int, **fields: Any) -> TrialSpec:
    fields.setdefault("method", Method(criterion="random", background="freeze"))
    return TrialSpec(dataset="digits", data_hash="0", model="m", rate=Decimal("0.9"), seed=seed, epochs=3, **fields)


def engine(pack: Sequence[TrialSpec], data: Any, device: str) -> Iterator[Epoch | TrialResult]:
    import torch

    for trial in pack:
        flag = Path(data) / str(trial.seed)
        if trial.seed == KILLS or (trial.seed == KILLS_ONCE and not flag.exists()):
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.seed == RAISES:
            raise OSError("two\nlines")
        for epoch in range(trial.epochs + 1):
            yield Epoch(trial, epoch, {names.VALIDATION_ACCURACY: epoch / 10})
    figures = {"threads": float(torch.get_num_threads()), "pid": float(os.getpid()), names.TEST_ACCURACY: 0.5}
    tags = {"device": device, "method": type(pack[0].method).__name__, "openmp": os.environ["OMP_NUM_THREADS"]}
    for trial in pack:
        yield TrialResult(run_key=trial.run_key, outcome=names.DONE, metrics=figures, tags=tags)


def load(folder: str) -> Any:
    (Path(folder) / f"loaded-{os.getpid()}").touch(exist_ok=False)  # once per worker
    return folder


@dataclass
class Ear:
    """Remembers what it is told."""

    began: list[int] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)
    results: dict[int, TrialResult] = field(default_factory=dict)

    def started(self, spec: TrialSpec) -> None:
        self.began.append(spec.seed)

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        assert figures == {names.VALIDATION_ACCURACY: epoch / 10}
        self.epochs.append((spec.seed, epoch))

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        assert spec.seed not in self.results
        assert result.run_key == spec.run_key
        self.results[spec.seed] = result


@pytest.fixture(scope="module", autouse=True)
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    prefix = tmp_path_factory.mktemp("python") / ODD
    prefix.symlink_to(sys.prefix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(prefix / Path(sys.executable).relative_to(sys.prefix)))
        ray_process.start(None)
        yield
    ray_process.stop()


def run(packs: Sequence[Sequence[TrialSpec]], folder: Path, ear: Any, **options: Any) -> None:
    settings = {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": 1, **options}
    schedule.run(packs, engine, partial(load, str(folder)), ear, **settings)


def test_packs_results_and_failures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ear = Ear()
    seeds = [[0], [1, 2], [RAISES], [KILLS], [KILLS_ONCE], [3]]
    run([[spec(seed, threads=2) for seed in pack] for pack in seeds], tmp_path, ear)
    assert sorted(ear.results) == [0, 1, 2, 3, RAISES, KILLS, KILLS_ONCE]
    failed = {seed: r for seed, r in ear.results.items() if r.outcome == names.FAILED}
    assert sorted(failed) == [RAISES, KILLS]
    assert failed[RAISES].reason == "OSError: two lines"
    assert failed[KILLS].reason.startswith("the worker was lost, 2 times: ")
    assert "\n" not in failed[KILLS].reason
    assert 0 < failed[KILLS].started < failed[KILLS].ended
    assert ear.began.count(KILLS) == ear.began.count(KILLS_ONCE) == 2
    for seed in (0, 1, 2, 3, KILLS_ONCE):
        assert (seed, 3) in ear.epochs
        assert ear.results[seed].metrics["threads"] == 2
        assert ear.results[seed].metrics["pid"] != os.getpid()
        assert ear.results[seed].tags == {"device": "cpu", "method": "Method", "openmp": "1"}
    assert capfd.readouterr() == ("", "")


def given_to(pack: Sequence[TrialSpec], data: Any, device: str, needs: Mapping[str, bytes]) -> Iterator[TrialResult]:
    """Says which networks it was given."""
    for trial in pack:
        yield TrialResult(run_key=trial.run_key, outcome=names.DONE, tags={k: v.decode() for k, v in needs.items()})


def test_a_pack_is_given_the_networks_that_it_needs(tmp_path: Path) -> None:
    ear, needs = Ear(), [{"a": b"first"}, {"a": b"first", "b": b"second"}, {}]
    settings = {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": 1}
    load_here = partial(load, str(tmp_path))
    schedule.run([[spec(seed)] for seed in range(3)], given_to, load_here, ear, needs=needs, **settings)  # type: ignore[arg-type]
    given = [dict(ear.results[seed].tags) for seed in range(3)]
    assert given == [{"a": "first"}, {"a": "first", "b": "second"}, {}]


def late_loss(pack: Sequence[TrialSpec], data: Any, device: str) -> Iterator[Epoch | TrialResult]:
    """The first trial ends and is reported; then the worker is lost, once."""
    for trial in pack:
        yield TrialResult(run_key=trial.run_key, outcome=names.DONE)
        time.sleep(1.2 * REPORT_SECONDS)
        yield Epoch(trial, 0, {names.VALIDATION_ACCURACY: 0.0})
        flag = Path(data) / "lost"
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_trial_of_a_pack_is_told_when_it_ends_and_once(tmp_path: Path) -> None:
    ear, pack = Ear(), [spec(seed, pack="vmap") for seed in range(2)]
    settings = {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": 1}
    schedule.run([pack], late_loss, partial(load, str(tmp_path)), ear, **settings)  # type: ignore[arg-type]
    assert {seed: result.outcome for seed, result in ear.results.items()} == {0: names.DONE, 1: names.DONE}
    assert ear.began == [0, 1, 1]  # the second time, what had ended is left out


def unrecordable(
    pack: Sequence[TrialSpec], data: Any, device: str, unrecorded: str = ""
) -> Iterator[Epoch | TrialResult]:
    """A device that records no step, and whose process is of no more use once it has been tried."""
    tried = Path(data) / f"tried-{os.getpid()}"
    assert not tried.exists()
    for trial in pack:
        if not unrecorded:
            tried.touch()
            raise RecordingFailed("a step could not be recorded")
        figures = {"pid": float(os.getpid())}
        yield TrialResult(run_key=trial.run_key, outcome=names.DONE, metrics=figures, tags={"why": unrecorded})


@pytest.mark.parametrize("max_retries", [0, 1])
def test_a_worker_that_could_not_record_a_step_ends_and_another_does_not_try(tmp_path: Path, max_retries: int) -> None:
    """It is no lost worker: without retries too."""
    at_once = os.cpu_count() or 1
    ear, packs = Ear(), [[spec(2 * i, pack="vmap"), spec(2 * i + 1, pack="vmap")] for i in range(2 * at_once + 3)]
    settings = {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": max_retries}
    schedule.run(packs, unrecordable, partial(load, str(tmp_path)), ear, **settings)  # type: ignore[arg-type]
    assert {(r.outcome, r.reason, r.tags["why"]) for r in ear.results.values()} == {
        (names.DONE, "", "a step could not be recorded")
    }
    assert len(ear.results) == 2 * len(packs)
    tried = {int(path.name.removeprefix("tried-")) for path in tmp_path.glob("tried-*")}
    assert tried and not tried & {int(result.metrics["pid"]) for result in ear.results.values()}
    assert len(tried) <= 2 * at_once  # that were training or about to begin; what begins later is not recorded


def test_many_trials_share_workers(tmp_path: Path) -> None:
    ear = Ear()
    run([[spec(seed)] for seed in range(60)], tmp_path, ear)
    assert len(ear.results) == 60
    assert {r.reason for r in ear.results.values()} == {""}
    pids = {result.metrics["pid"] for result in ear.results.values()}
    assert len(pids) == len(list(tmp_path.glob("loaded-*"))) <= (os.cpu_count() or 1)


PLUGIN = """
from dataclasses import dataclass
from bench.methods import Method

def score(model, batches, loss, generator, power): return {}

@dataclass(frozen=True, kw_only=True)
class Foreign(Method):
    background: str = "freeze"
    power: float = 2.0
"""


def test_a_plug_in_the_worker_cannot_import(tmp_path: Path) -> None:
    path = tmp_path / "some_plug_in.py"
    path.write_text(PLUGIN)
    module_spec = importlib.util.spec_from_file_location("some_plug_in", path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules["some_plug_in"] = module
    module_spec.loader.exec_module(module)
    ear = Ear()
    run([[spec(0, method=module.Foreign(criterion=module.score))]], tmp_path, ear)
    assert ear.results[0].outcome == names.DONE, ear.results[0].reason
    assert ear.results[0].tags["method"] == "Foreign"


def test_data_that_do_not_load_fail_every_trial(tmp_path: Path) -> None:
    ear = Ear()
    run([[spec(0)], [spec(1)]], tmp_path / "missing", ear)
    assert {result.outcome for result in ear.results.values()} == {names.FAILED}
    assert "FileNotFoundError" in ear.results[0].reason


def test_what_no_machine_has_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="asks for 1000 CPU and 0 GPU"):
        run([[spec(0)]], tmp_path, Ear(), cpus_per_trial=1000)


def test_nothing_to_do(tmp_path: Path) -> None:
    """No worker is started for it, no data are loaded, and no cluster is asked: nothing listens at this address."""
    run([], tmp_path, ear := Ear(), address="127.0.0.1:1", cpus_per_trial=1000)
    assert ear == Ear() and list(tmp_path.iterdir()) == []


DRIVER = """
import sys, time
from functools import partial
from pathlib import Path
from bench.execution import schedule
from bench.execution.ray_machine import ray_process
from tests.bench.execution.test_schedule import Ear, engine, spec

def slow(pack, data, device):
    if pack[0].seed >= 2:
        Path(f"never-ends-{pack[0].seed}").touch()
        while True:
            time.sleep(0.1)
            yield from ()
    yield from engine(pack, data, device)

def load():
    return "/"

class Loud(Ear):
    def finished(self, spec, result):
        print("finished", spec.seed, result.outcome, result.reason, flush=True)

ray_process.start(None)
packs = [[spec(seed)] for seed in range(20)]
try:
    schedule.run(packs, slow, load, Loud(), cpus_per_trial=1, gpus_per_trial=0, address=None, max_retries=0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_ends_the_sweep_soon_and_ray_says_nothing(tmp_path: Path) -> None:
    # Modules in the working folder must not stand in for ours.
    for name in ("models.py", "datasets.py", "methods.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp"), "PYTHONSAFEPATH": "1"}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None and driver.stderr is not None
    first = sorted(driver.stdout.readline() for _ in range(2))
    assert first == ["finished 0 done \n", "finished 1 done \n"]
    while not list(tmp_path.glob("never-ends-*")):
        assert driver.poll() is None
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGINT)  # what a terminal does
    out, err = driver.communicate(timeout=120)  # of trials that never end
    assert (out, err, driver.returncode) == ("interrupted\n", "", 0)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_error_of_the_listener_ends_the_sweep(tmp_path: Path) -> None:
    class Full(Ear):
        def finished(self, spec: TrialSpec, result: TrialResult) -> None:
            super().finished(spec, result)
            raise OSError("disk full")

    ear = Full()
    with pytest.raises(OSError, match="disk full"):
        run([[spec(seed)] for seed in range(50)], tmp_path, ear)
    assert len(ear.results) == 1


def interpreter(pack: Sequence[TrialSpec], data: Any, device: str) -> Iterator[TrialResult]:
    """Says which Python trains."""
    yield TrialResult(run_key=pack[0].run_key, outcome=names.DONE, tags={"python": sys.executable})


def test_workers_start_from_any_path(tmp_path: Path) -> None:
    """The module's Ray was started from one with every character that a shell knows."""
    ear, settings = Ear(), {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": 0}
    schedule.run([[spec(0)]], interpreter, partial(load, str(tmp_path)), ear, **settings)  # type: ignore[arg-type]
    (python,) = [result.tags["python"] for result in ear.results.values()]
    assert ODD in python and python == sys.executable


MUTE = """
import sys
from bench.execution.ray_machine import patience, ray_process
from bench.trial.result import SweepError

patience.START_SECONDS = 1.0
try:
    ray_process.wait(sys.argv[1])
except SweepError as error:
    print(error)
"""


def test_a_cluster_that_does_not_answer() -> None:
    """Something listens there and says nothing; Ray would try for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        done = subprocess.run([sys.executable, "-c", MUTE, address], capture_output=True, text=True)
    assert done.stdout.startswith(
        f"Ray at {address} has not answered: no progress for 1 s; the logs of its machines may say why"
    )
    assert done.returncode == 0
