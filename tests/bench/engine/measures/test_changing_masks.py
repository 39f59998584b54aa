"""What is measured of trials whose masks change: counts at every moment, all else once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_trials import images, spec
from torch import Tensor, nn

from bench import names
from bench.engine.measures.moment import Moment
from bench.engine.measures.training_cost import over_training
from bench.engine.member import Member
from bench.engine.setup.prepare import prepare, residents
from bench.engine.train import train
from bench.metrics import METRICS, Metric

DATA = images()


def test_a_figure_of_the_start_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Metric(name="weight_norm", when="start", words="Norm", function="small_trials:weight_norm")
    monkeypatch.setitem(METRICS, "weight_norm", row)
    s = spec("gmp", epochs=4)
    member = Member(s)
    member.begin(prepare(s, DATA, "cpu", residents(s, DATA, "cpu")))
    (result,) = train([s], DATA, "cpu")
    assert result.metrics["weight_norm"] == member.metrics["weight_norm"]
    assert member.metrics[names.LIVE_WEIGHTS] == 266_200 and result.metrics[names.LIVE_WEIGHTS] == 26_620


class Counted(nn.Module):
    """Counts how often a network is run, copies of it too."""

    runs = 0

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        Counted.runs += 1
        result: Tensor = self.inner(x)
        return result


@pytest.mark.parametrize(("revisions", "runs"), [([0], 1), ([0, 3, 6], 3)])
def test_a_network_is_counted_once_for_each_of_its_masks(revisions: list[int], runs: int) -> None:
    s = spec("gmp", epochs=30)
    trial = prepare(s, DATA, "cpu", residents(s, DATA, "cpu"))
    model = Counted(trial.model)
    layers = {
        f"inner.{name}": {names.REVISIONS: [{"epoch": epoch, "live": mask.numel() - epoch} for epoch in revisions]}
        for name, mask in trial.masks.items()
    }
    moment = Moment(spec=s, trial=replace(trial, model=model), epochs=[{}] * 31, layers=layers)
    Counted.runs = 0
    costs = over_training(moment)
    assert Counted.runs == runs
    lost = sum(max((r for r in revisions if r < epoch), default=0) for epoch in range(1, 31)) * len(layers) / 30
    assert costs[names.MEAN_LIVE_WEIGHTS] == pytest.approx(266_200 - lost)
