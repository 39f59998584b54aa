"""A Ray cluster of several nodes on this machine: trials spread over them, and a node that is killed in mid-sweep."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from command_line import bench, stored
from ray.cluster_utils import Cluster
from small_trials import images, spec

from bench import names
from bench.engine.member import Epoch
from bench.engine.train import train
from bench.execution import schedule
from bench.execution.ray_machine import ray_process
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

pytestmark = pytest.mark.slow  # a node is lost only after Ray has waited for it
TRIALS = [spec("freeze", "0.99", seed=seed, epochs=8) for seed in range(4)]
LOST = 3  # the epoch after which the first trial's node is killed
PATIENCE = 2_000  # how often the trial says so meanwhile, at most: on a busy machine the news travels slowly


def slowly(
    pack: Sequence[TrialSpec], data: Any, device: str, checkpoints: Checkpoints, folder: str
) -> Iterator[Epoch | TrialResult]:
    """Our engine; notes in the folder which node trained an epoch. The first trial waits to be killed after LOST."""
    import ray

    from bench.engine.train import train_epochs

    node = ray.get_runtime_context().get_node_id()
    for event in train_epochs(pack, data, device, checkpoints):
        if isinstance(event, Epoch):
            with (notes := Path(folder) / f"{event.spec.seed}-{event.epoch}").open("a") as file:
                file.write(f"{node}\n")
            time.sleep(0.3)
        yield event
        if isinstance(event, Epoch) and (event.spec.seed, event.epoch) == (0, LOST):
            for _ in range(PATIENCE if notes.read_text().split() == [node] else 0):
                time.sleep(0.3)
                yield event  # else the worker would not report


class Killer:
    """A listener that kills the node of the first trial, once, after its epoch LOST."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.killed = ""
        self.results: dict[int, TrialResult] = {}

    def started(self, spec: TrialSpec) -> None:
        pass

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        if spec.seed == 0 and epoch >= LOST and not self.killed:
            self.killed = trained(self.folder)[0, LOST][0]
            (node,) = (n for n in self.cluster.worker_nodes if n.node_id == self.killed)
            self.cluster.remove_node(node, allow_graceful=False)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        self.results[spec.seed] = result


def trained(folder: Path) -> dict[tuple[int, int], list[str]]:
    """(seed, epoch) -> the nodes that trained it, in turn."""
    epochs = ((path.name.split("-"), path.read_text().split()) for path in folder.iterdir())
    return {(int(seed), int(epoch)): nodes for (seed, epoch), nodes in epochs}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without cores, and three nodes of one core."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(3):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def test_a_lost_node_costs_its_running_trials_alone(cluster: Cluster, tmp_path: Path) -> None:
    """They go on elsewhere, after the last epoch that the storage has."""
    (folder := tmp_path / "trained").mkdir()
    engine = partial(slowly, checkpoints=Checkpoints(str(tmp_path / "storage"), seconds=0), folder=str(folder))
    listener = Killer(cluster, folder)
    try:
        schedule.run(
            [[trial] for trial in TRIALS], engine, images, listener, cpus_per_trial=1, gpus_per_trial=0,
            address=cluster.address, max_retries=1,
        )  # fmt: skip
    finally:
        ray_process.stop()
    nodes = trained(folder)
    assert sorted(nodes) == [(seed, epoch) for seed in range(4) for epoch in range(9)]
    assert len({node for trained_on in nodes.values() for node in trained_on}) == 3
    # An epoch may be told twice: trained, its checkpoint not yet written, and the node lost.
    assert [key for key, trained_on in nodes.items() if len(trained_on) > 1 and (key[0] > 0 or key[1] < LOST)] == []
    assert nodes[0, LOST][0] == listener.killed != nodes[0, 8][0]
    for unbroken in train(TRIALS, images(), "cpu"):
        (result,) = (r for r in listener.results.values() if r.run_key == unbroken.run_key)
        assert result.outcome == names.DONE and result.epochs == unbroken.epochs
        assert result.artefact == unbroken.artefact
    assert {seed for seed, result in listener.results.items() if names.RESUMED in result.tags} == {0}


def test_the_run_command_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """The driver alone writes the store, and no checkpoint is written where no storage is named."""
    done = bench(tmp_path, "run", "--rates", "0.9", "--seeds", "2", "--epochs", "2", "--address", cluster.address)
    assert done.returncode == 0, done.stderr
    assert "6 trials: 0 done before, 6 to train" in done.stderr
    assert [run["status"] for run in stored(tmp_path).values()] == ["FINISHED"] * 6
    assert {path.name for path in tmp_path.iterdir()} <= {"csv", "mlflow.db", "mlartifacts", "mlruns"}
