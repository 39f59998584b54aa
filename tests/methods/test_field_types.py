"""Fields that Python gives are as exact as those of the command line; two spellings of one method have one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bench.methods import METHODS, DropBack, GradualMagnitude, IterativeSNIP, Method, ProsPr, SparseTraining
from bench.trial.plugins import Catalogue


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: SparseTraining(every=1.5), "every 1.5 of SparseTraining: must be a whole number"),
        (lambda: DropBack(every=2.0), "every 2.0 of DropBack: must be a whole number"),
        (lambda: GradualMagnitude(every="2"), "every '2' of GradualMagnitude: must be a whole number"),
        (lambda: IterativeSNIP(rounds=1.5), "rounds 1.5 of IterativeSNIP: must be a whole number"),
        (lambda: IterativeSNIP(rounds=True), "rounds True of IterativeSNIP: must be a whole number"),
        (lambda: ProsPr(inner_steps=1.0), "inner_steps 1.0 of ProsPr: must be a whole number"),
        (
            lambda: SparseTraining(scope="filter"),
            "scope filter: must be global, uniform, er or erk; weights change places one by one",
        ),
    ],
)
def test_another_type_is_refused(make: Callable[[], Method], complaint: str) -> None:
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == complaint


def test_a_class_from_outside_takes_what_it_takes() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Mine(SparseTraining):
        often: int = 1

    wide: dict[str, Any] = {"often": 1.5}
    assert Mine(**wide).often == 1.5


@pytest.mark.parametrize("name", ["rigl", "set"])
def test_of_a_pruned_network_magnitude_is_the_distance(name: str) -> None:
    catalogue = Catalogue()
    assert catalogue.parse(f"{name}:importance=magnitude")[0] == name
    assert catalogue.parse(f"{name}:importance=magnitude")[1].record() == METHODS[name].record()
    frozen = catalogue.parse(f"{name}-freeze:importance=magnitude")
    assert frozen[0] == f"{name}-freeze:importance=magnitude"
    assert frozen[1].record() != METHODS[f"{name}-freeze"].record()
