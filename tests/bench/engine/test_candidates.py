"""What is searched, how candidates are trained and halved, and when a cell has a choice; without a command."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest
import torch
from requests_of import asked_of_run
from small_trials import images, spec

from bench import names
from bench.cli.arguments import read_sweep
from bench.cli.tune import Chooser
from bench.datasets.images import ImageData
from bench.engine.candidates import Candidate, best, specs_of, without_test
from bench.engine.member import Epoch
from bench.engine.train import train
from bench.execution import asha, schedule
from bench.trial.result import Tried
from bench.trial.search import Search, check_disjoint, read_search, search_of

PROTOCOL = {"lr": 0.1, "weight_decay": 0.0, "epochs": 30}
SEARCH = Search(bounds=(("lr", 0.01, 1.0),), protocol_values=(0.1,), budget=2, seeds=(1000, 1001), grace=1)


def read(search: str, budget: int = 8) -> Search:
    return read_search(search, budget, [1000], PROTOCOL)


def test_a_search_in_words() -> None:
    assert read("lr") == Search(bounds=(("lr", 0.01, 1.0),), protocol_values=(0.1,), budget=8, seeds=(1000,), grace=10)
    both = read("weight_decay=1e-5:1e-3,lr=0.05:0.5")
    assert both.bounds == (("lr", 0.05, 0.5), ("weight_decay", 1e-5, 1e-3))
    assert both.label == "lr=0.05:0.5,weight_decay=1e-05:0.001 budget=8 seeds=1000"
    assert both.first == {"lr": 0.1, "weight_decay": 0.0}
    assert search_of(json.loads(json.dumps(both.record()))) == both
    assert read("lr=0.012345678:1").label == "lr=0.012345678:1 budget=8 seeds=1000"  # no two searches have one text


def test_the_first_candidates_are_spread_over_the_bounds() -> None:
    """In decades from the middle: -0.5, 0.5, -0.75, 0.25 …, and at the middle the protocol's own value."""
    protocol, *others = read("lr").starts()
    assert protocol == {"lr": 0.1} and len(others) == 7
    decades = [math.log10(other["lr"] / 0.1) for other in others]
    assert decades == pytest.approx([-0.5, 0.5, -0.75, 0.25, -0.25, 0.75, -0.875])
    assert len(read("lr", budget=3).starts()) == 3 and len(read("lr", budget=30).starts()) == 10
    beyond = read("lr=0.2:2", budget=1).starts()  # they do not hold 0.1
    assert beyond == [{"lr": pytest.approx(0.2 * 10**0.25)}]
    assert read("weight_decay=1e-5:1e-3,lr").starts()[0] == {
        "lr": pytest.approx(0.01 * 100**0.25),
        "weight_decay": pytest.approx(1e-5 * 100 ** (2 / 3)),
    }


@pytest.mark.parametrize(
    ("search", "complaint"),
    [
        ("lrr", "did you mean lr"), ("lr=1:0.1", "0 < lo < hi"), ("lr=0:1", "0 < lo < hi"), ("lr=1", "lr=lo:hi"),
        ("lr=a:b", "lr=lo:hi"), ("lr,lr", "each field once"), ("", "unknown"),
        ("weight_decay", "weight_decay is 0, so it needs bounds"),
    ],
)  # fmt: skip
def test_what_is_no_search(search: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(search)


def test_a_budget_is_positive_and_seeds_are_disjoint() -> None:
    with pytest.raises(ValueError, match="budget 0"):
        read("lr", budget=0)
    with pytest.raises(ValueError, match="101 for every candidate: must be at most 100"):
        read_search("lr", 8, range(101), PROTOCOL)
    check_disjoint(SEARCH, [0, 1, 999])
    with pytest.raises(ValueError, match="seeds 1001: the hyper-parameters were chosen on them"):
        check_disjoint(SEARCH, [0, 1001])


def test_the_key_of_a_cell_knows_neither_seed_nor_what_is_searched() -> None:
    cell = spec("freeze", "0.9", tuning=SEARCH)
    assert replace(cell, seed=7, lr=0.03).cell_key == cell.cell_key
    others = [
        replace(cell, rate=Decimal("0.95")), replace(cell, epochs=2), spec("snip", "0.9", tuning=SEARCH),
        replace(cell, tuning=replace(SEARCH, budget=3)), replace(cell, weight_decay=0.0), spec("freeze", "0.9"),
    ]  # fmt: skip
    assert cell.cell_key not in {other.cell_key for other in others}
    assert spec("freeze", "0.9").cell_key == spec("freeze", "0.9").group_key
    assert "tuning" not in spec("freeze", "0.9").record()


def test_the_best_candidate() -> None:
    tried = [
        Tried({"lr": 0.1}, [0.5, 0.7]), Tried({"lr": 0.2}, [0.6, 0.8]), Tried({"lr": 0.3}, [0.6, 0.8]),
        Tried({"lr": 0.4}, [0.99]), Tried({"lr": 0.5}, [0.9, 0.9], names.DIVERGED, "loss nan"),
    ]  # fmt: skip
    assert best(tried, 2) is tried[1]  # the first of equals; the last two did not train to the end
    assert best(tried[3:], 2) is None


def advanced(candidate: Candidate, epochs: int) -> list[float]:
    return [candidate.advance() for _ in range(epochs)]


def test_a_candidate_is_its_trials_side_by_side() -> None:
    """Mean over the seeds of what each trial's own training measures; the process's settings are put back."""
    cell = spec("freeze", "0.9", epochs=3, tuning=SEARCH)
    specs = specs_of(cell, SEARCH, {"lr": 0.02})
    assert [(s.seed, s.lr) for s in specs] == [(1000, 0.02), (1001, 0.02)]
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    accuracies = advanced(candidate := Candidate(specs, images(), "cpu"), 3)
    candidate.close()
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32) == before
    alone = [train([one], images(), "cpu")[0].epochs for one in specs]
    assert accuracies == [sum(epochs[n]["validation_accuracy"] for epochs in alone) / 2 for n in (1, 2, 3)]
    assert candidate.epoch == 3 and not candidate.reason


@pytest.mark.parametrize(
    ("model", "pack"), [("lenet-300-100", "single"), ("lenet-5-caffe", "vmap"), ("lenet-5-caffe", "unfold")]
)
def test_a_candidate_that_diverges_says_so(model: str, pack: str) -> None:
    given = spec(epochs=3, tuning=SEARCH, model=model, pack=pack)
    candidate = Candidate(specs_of(given, SEARCH, {"lr": 1e30}), images(), "cpu")
    assert candidate.advance() == 0.0
    assert candidate.outcome == names.DIVERGED and candidate.reason
    candidate.close()


@pytest.mark.parametrize("pack", ["single", "vmap", "unfold"])
def test_the_test_images_are_withheld(pack: str) -> None:
    """Whatever they are, a candidate's figures are the same: they are not there."""
    data = images()
    other = replace(data, test_images=255 - data.test_images, test_labels=(data.test_labels + 1) % 10)
    assert len(without_test(data).test_images) == len(without_test(data).test_labels) == 0
    specs = specs_of(spec("freeze", "0.9", epochs=2, pack=pack, tuning=SEARCH), SEARCH, {"lr": 0.05})
    assert advanced(Candidate(specs, data, "cpu"), 2) == advanced(Candidate(specs, other, "cpu"), 2)


def test_neither_candidate_nor_worker_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ImageData] = []

    def untrained(pack: object, data: ImageData, device: str, unrecorded: str) -> Iterator[Epoch]:
        given.append(data)
        return iter(())

    monkeypatch.setattr("bench.engine.candidates.train_epochs", untrained)
    Candidate(specs_of(spec(tuning=SEARCH), SEARCH, {"lr": 0.05}), images(), "cpu")

    class Seen(Exception):
        """What a worker's candidate is given."""

    def noting(specs: object, data: ImageData, device: str, unrecorded: str) -> None:
        given.append(data)
        raise Seen

    monkeypatch.setattr(asha, "Candidate", noting)
    worker = asha._Trainable.__new__(asha._Trainable)
    worker.config = {asha.CELL: 0, asha.NUMBER: 0, "lr": 0.05}
    worker.setup(worker.config, job=schedule.dumps(([spec(tuning=SEARCH)], SEARCH, images)))
    with pytest.raises(Seen):
        worker.step()
    assert len(given) == 3 and {len(data.test_images) for data in given} == {0}
    assert {len(data.train_images) for data in given} == {len(images().train_images)}


def test_the_rung_is_that_of_the_search() -> None:
    """At 10 of 30 epochs; the first one there goes on, and so do the best third."""
    search = read("lr")
    scheduler = asha._Halvings([spec(epochs=30)], search)
    trials = [SimpleNamespace(trial_id=str(n), config={asha.CELL: 0}) for n in range(4)]
    for trial in trials:
        scheduler.on_trial_add(None, trial)

    def decision(trial: SimpleNamespace, epoch: int, accuracy: float) -> str:
        return scheduler.on_trial_result(None, trial, {asha.TIME: epoch, asha.METRIC: accuracy})

    assert [decision(trials[0], epoch, 0.5) for epoch in range(1, 30)] == ["CONTINUE"] * 29
    assert decision(trials[1], 10, 0.6) == "CONTINUE" and decision(trials[2], 9, 0.1) == "CONTINUE"
    assert decision(trials[2], 10, 0.55) == "STOP"  # 2/3 of the way between 0.5 and 0.6 is 0.5667
    assert decision(trials[3], 10, 0.7) == "CONTINUE"
    assert [decision(trials[3], epoch, 0.1) for epoch in range(11, 30)] == ["CONTINUE"] * 19  # there is no other rung


def test_each_cell_has_a_search_of_its_own() -> None:
    """The cells in turn, the same first candidates in each, the protocol's own value at the head where it is within."""
    for bounds, head in (((0.01, 1.0), [0.1]), ((0.2, 1.0), [])):
        search = replace(read("lr"), bounds=(("lr", *bounds),), budget=4)
        searches = asha._Searches([spec(), spec("snip")], search)
        asked = [searches.suggest(str(n)) for n in range(9)]
        assert [(one[asha.CELL], one[asha.NUMBER]) for one in asked[:8]] == [(c, n) for c in range(2) for n in range(4)]
        values = [one["lr"] for one in asked[:8]]
        assert values[:4] == values[4:] and values[: len(head)] == head and len(set(values)) == 4
        assert asked[8] == "FINISHED"


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ([Tried({}, [0.9]), Tried({}, [], names.FAILED, "OSError: disk")],
         "1 of 2 candidates failed (OSError: disk); the same command tries again"),
        ([Tried({}, []), Tried({}, [], names.DIVERGED, "loss nan")],
         "no candidate trained to the end, 1 diverged (loss nan), 1 were stopped early"),
    ],
)  # fmt: skip
def test_a_cell_without_its_whole_budget_has_no_choice(
    tried: list[Tried], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure may be the machine's: what was tried is then less than other cells had. To diverge is a result."""
    arguments = ["--rates", "0.9", "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(asked_of_run(*arguments))
    chooser = Chooser(sweep, "nowhere://", "t", "")
    chooser.chosen(spec("freeze", "0.9", epochs=1, tuning=SEARCH), tried)
    assert chooser.without == ["freeze 0.9"] and said in capsys.readouterr().err
