"""Small trials followed while they are trained, on `small_trials.images`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from small_trials import images

from bench import names
from bench.datasets.images import ImageData
from bench.engine.member import Epoch, Member
from bench.engine.setup.prepare import prepare, residents
from bench.engine.train import Training, train
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


@cache
def data() -> ImageData:
    """The images that they are trained on."""
    return images()


def result_of(s: TrialSpec) -> TrialResult:
    """The result of a trial, which is done."""
    (result,) = train([s], data(), "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


def member_of(s: TrialSpec) -> Member:
    """A trial before its first step."""
    member = Member(s)
    member.begin(prepare(s, data(), "cpu", residents(s, data(), "cpu")))
    return member


def after_epochs(member: Member) -> Iterator[int]:
    """Train to the end; after each epoch, before training too, its number."""
    for event in Training([member]).events():
        if isinstance(event, Epoch):
            yield event.epoch
