"""What `bench.compare` is given: Python's values mean what texts mean on the command line; errors are one line."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.api.arguments import methods_of, protocol_of, rates_of, seeds_of
from bench.api.command import call_text
from bench.api.stored import address_of
from bench.methods import METHODS, FreezeNet, Method, SmallDense
from bench.trial.plugins import Catalogue
from bench.trial.protocol import ROWS


def largest_weight(model: nn.Module, batches: Any, loss: Any, generator: Any) -> dict[str, torch.Tensor]:
    """A criterion."""
    return {name: weight.abs() for name, weight in model.named_parameters() if weight.ndim > 1}


OTHER = Method(criterion="magnitude", scope="erk", background="prune")


@pytest.mark.parametrize(
    ("methods", "names"),
    [
        ("freeze,snip", ["freeze", "snip"]),
        ("freeze, snip-prune", ["freeze", "snip"]),  # an alias prints as what it is
        (["freeze,snip", "grasp"], ["freeze", "snip", "grasp"]),
        ("prospr:inner_steps=2", ["prospr:inner_steps=2"]),
        (SmallDense(equal="bytes"), ["small-dense:equal=bytes"]),  # as on the command line
        ([SmallDense(), SmallDense(equal="bytes")], ["small-dense", "small-dense:equal=bytes"]),
        (replace(METHODS["rigl-freeze"], fraction=0.2), ["rigl-freeze:fraction=0.2"]),
        (METHODS["snip"], ["snip"]),
        (OTHER, ["magnitude-prune-erk"]),
        (replace(OTHER, scale=0.5), ["magnitude-scale-0.5-erk"]),
        (replace(METHODS["snip"], scale=0.5), ["freeze:scale=0.5"]),
        (replace(OTHER, scale=0.5, fade="linear"), ["magnitude-scale-0.5-fade-linear-erk"]),
        (FreezeNet(fade="linear"), ["freeze:fade=linear"]),
        ("freeze:scale=0.5,snip:scale=0.5", ["freeze:scale=0.5"]),
        (largest_weight, ["largest-weight-freeze", "largest-weight-prune"]),
        ([largest_weight, "snip"], ["largest-weight-freeze", "largest-weight-prune", "snip"]),
        ({"mine": OTHER}, ["mine"]),
        (["snip", "snip"], ["snip"]),
    ],
)
def test_methods(methods: Any, names: list[str]) -> None:
    assert list(methods_of(methods, Catalogue())) == names


def test_a_criterion_is_frozen_and_pruned() -> None:
    frozen, pruned = methods_of(largest_weight, Catalogue()).values()
    assert frozen.criterion is pruned.criterion is largest_weight
    assert (frozen.background, pruned.background) == ("freeze", "prune")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("frezee", "unknown method 'frezee': must be one of "),
        ([], "methods: must name at least one"),
        ([3], "method 3: must be a name, a bench.methods.Method or the function of a criterion"),
        ({"mine": "snip"}, "method 'mine' is 'snip': must be a bench.methods.Method"),
        ({"a,b": OTHER}, "method 'a,b': its name must be 1 to 100 characters, none of , : |"),
        (lambda model, batches, loss, generator: {}, "criterion .*<lambda>: must be a named function"),
        (
            [OTHER, Method(criterion="magnitude", scope="erk", background="prune", control="invert"), {}],
            "method {}: must be a name",
        ),
    ],
)
def test_methods_that_are_none(methods: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as error:
        methods_of(methods, Catalogue())
    assert "\n" not in str(error.value)


def test_two_methods_of_one_name() -> None:
    class Mine(Method):
        pass

    two = [Mine(criterion="magnitude", background=background) for background in ("freeze", "prune")]
    with pytest.raises(ValueError, match=r"^two methods are called 'Mine': must be given as a mapping of name"):
        methods_of(two, Catalogue())


@pytest.mark.parametrize(
    ("rates", "texts"),
    [
        ("0.9:0.995", ["0.9", "0.95", "0.98", "0.99", "0.995"]),
        (0.9, ["0.9"]),
        (0, ["0"]),
        ([0.99, 0.9, 0.99], ["0.9", "0.99"]),
        ([Decimal("0.995"), "0.5"], ["0.5", "0.995"]),
        (np.array([0.9, 0.95]), ["0.9", "0.95"]),
        (np.float32(0.9), ["0.9"]),
        (1e-05, ["0.00001"]),
        (Decimal("0.30000000000000004"), ["0.30000000000000004"]),
    ],
)
def test_rates(rates: Any, texts: list[str]) -> None:
    assert [format(rate, "f") for rate in rates_of(rates)] == texts


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (0.1 + 0.2, r"^rate 0\.30000000000000004: has more digits than a float that was written; did you mean 0\.3\?"),
        ([0.9, 1.0], r"^rate 1\.0: must be 0 <= rate < 1$"),
        (float("nan"), "^rate nan: must be 0 <= rate < 1$"),
        ([], r"^rates \[\]: must be a number in \[0, 1\)"),
        (True, "^rate True: must be a number"),
        ([None], "^rate None: must be a number"),
        (Fraction(9, 10), "^rates '9/10': '9/10' is not a number"),
    ],
)
def test_rates_that_are_none(rates: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rates_of(rates)


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (3, [0, 1, 2]),
        ("3:5", [3, 4, 5]),
        (range(2, 4), [2, 3]),
        ([5], [5]),
        ((7, 1, 7), [1, 7]),
        (np.int64(2), [0, 1]),
        (np.arange(2, 5), [2, 3, 4]),
    ],
)
def test_seeds(seeds: Any, expected: list[int]) -> None:
    assert seeds_of(seeds) == expected


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "^seeds '0': must be a count"),
        ([], r"^seeds \[\]: must be a count"),
        (2.0, "^seeds 2.0: must be a count"),
        (True, "^seeds True: must be a count"),
        ([1, 2.5], "^seed 2.5: must be a whole number$"),
        ([-1], "'-1' is not a whole number from 0"),
    ],
)
def test_seeds_that_are_none(seeds: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seeds_of(seeds)


def test_protocol() -> None:
    default = protocol_of({}, ())
    assert set(default) <= {name for name, row in ROWS.items() if row.flag}
    assert (default["epochs"], default["lr"], default["step"]) == (30, 0.1, "auto")
    given = {"epochs": np.int64(3), "lr": np.float32(0.5), "weight_decay": 0, "schedule": "step", "milestones": [0.5]}
    fields = protocol_of(given, ())
    assert {name: fields[name] for name in given} == {
        "epochs": 3, "lr": 0.5, "weight_decay": 0.0, "schedule": "step", "milestones": (0.5,),
    }  # fmt: skip
    assert all(type(fields[name]) in (int, float, str, tuple) for name in given)
    assert protocol_of({"schedule": "step", "milestones": "0.5,0.75"}, ())["milestones"] == (0.5, 0.75)
    assert protocol_of({"epochs": None}, ()) == default  # not given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "^unknown argument 'epoch': must be one of .*; did you mean epochs?"),
        ({"rate": 0.9}, "did you mean rates?"),
        ({"epochs": "3"}, "^epochs '3': must be a whole number$"),
        ({"epochs": 2.5}, "^epochs 2.5: must be a whole number$"),
        ({"epochs": True}, "^epochs True: must be a whole number$"),
        ({"lr": "fast"}, "^lr 'fast': must be a number$"),
        ({"nesterov": 1}, "^nesterov 1: must be True or False$"),
        ({"optimizer": 3}, "^optimizer 3: must be a text$"),
        ({"optimizer": "adma"}, "^unknown optimizer 'adma': must be one of sgd, adam"),
        ({"milestones": ["a"], "schedule": "step"}, r"^milestones \['a'\]: must be numbers$"),
        ({"gamma": 0.5}, "^gamma with schedule cosine: the schedule must be step"),
    ],
)
def test_a_protocol_that_is_none(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        protocol_of(given, ["rates", "seeds"])


def test_the_call_as_a_line_of_python() -> None:
    def compare(
        *, methods: Any = "freeze", rates: Any = 0.9, seeds: Any = 5, store: Any = None, data: Any = "x"
    ) -> None:
        pass

    arguments = {
        "methods": [largest_weight, "snip"], "rates": 0.9, "seeds": range(3), "data": {"mine": (np.zeros(2), 1)},
        "store": "http://ann:secret@host:5000",
    }  # fmt: skip
    assert call_text(compare, arguments) == (
        "bench.compare(methods=[largest_weight, 'snip'], seeds=range(0, 3), data={'mine': (<ndarray>, 1)}, "
        "store='http://ann:***@host:5000')"
    )


def test_an_address_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^store '': must be an address, a folder or a file \.db"):
        address_of("")
    with pytest.raises(ValueError, match=r"unknown scheme 'htp'.*did you mean http\?"):
        address_of("htp://host:5000")
