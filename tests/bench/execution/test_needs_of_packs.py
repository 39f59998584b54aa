"""A network is held only as long as a later pass needs it, and goes only to the packs that need it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from small_trials import spec

from bench.execution.prerequisites import Networks, files_of
from bench.execution.worker import Job, Worker
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import GivenWeights, Pretraining, Start

START = Start(base=Pretraining(dataset="small", data_hash="0", epochs=1, lr=0.1))


def started(seed: int, method: str = "freeze", rate: str = "0.9", **fields: Any) -> TrialSpec:
    return spec(method, rate, seed=seed, **{"start": START, **fields})


def given_to(pack: Sequence[TrialSpec], data: Any, device: str, needs: Mapping[str, bytes]) -> Iterator[TrialResult]:
    """An engine that says in its results which networks it was given."""
    for trial in pack:
        names = {key: content.decode() for key, content in needs.items()}
        yield TrialResult(run_key=trial.run_key, outcome="done", tags=names)


def nothing() -> None:
    """What the engine above trains on."""


def results_of(worker: Worker, index: int) -> list[TrialResult]:
    """The results of a pack, in however many reports they come."""
    results: list[TrialResult] = []
    while not (report := worker.train(index)).done:
        results += report.results
    assert report.reason == ""
    return [*results, *report.results]


def test_a_worker_fetches_the_networks_of_its_pack_and_no_others() -> None:
    packs = [[started(0)], [started(0, "snip"), started(0, "grasp")], [started(1)], [spec()]]
    keys = [packs[0][0].base_key, packs[2][0].base_key]
    networks = {keys[0]: "first", keys[1]: "second"}
    fetched: list[str] = []

    def fetch(reference: str) -> bytes:
        fetched.append(reference)
        return networks[reference].encode()

    needs = [{key: key for key in files_of(pack, dict.fromkeys(keys, b""))} for pack in packs]
    functions = pickle.dumps((given_to, nothing))
    job = Job([pickle.dumps(pack) for pack in packs], functions, False, pickle.dumps([]), needs)
    worker = Worker(job, fetch)
    tags = [[dict(result.tags) for result in results_of(worker, index)] for index in range(4)]
    assert tags == [
        [{keys[0]: "first"}], [{keys[0]: "first"}] * 2, [{keys[1]: "second"}], [{}],
    ]  # fmt: skip
    assert fetched == [keys[0], keys[0], keys[1]]


def test_the_files_of_trials_are_their_bases_parents_and_given_weights() -> None:
    ticket = started(0, "lth", "0.2")
    base, parent = (need.run_key for need in ticket.needs())
    given = started(0, start=Start(base=GivenWeights(sha256="ab" * 32)))
    files = {key: key.encode() for key in (base, parent, "ab" * 32, started(1).base_key)}
    assert files_of([ticket], files).keys() == {base, parent}
    assert files_of([given], files).keys() == {"ab" * 32}
    assert files_of([spec()], files) == {}


def test_a_network_is_let_go_after_the_last_pass_that_needs_it() -> None:
    one, other = started(0), started(1)
    networks = Networks((), {trial.base_key: b"" for trial in (one, other)})
    networks.keep_for([replace(one, rate=one.rate / 2), other])
    assert networks.files.keys() == {one.base_key, other.base_key}
    networks.keep_for([other])
    assert networks.files.keys() == {other.base_key}
    networks.keep_for([])
    assert networks.files == {}
