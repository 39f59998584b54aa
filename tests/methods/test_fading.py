"""How a background fades: the scale after each step by hand, which methods have it, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from typing import Any, get_args

import pytest

from bench import names
from bench.canonical import canonical_json
from bench.methods import METHODS, FreezeNet, Method
from bench.methods.fading import PATHS, SETTINGS, fades, last_epoch, scale_after
from bench.methods.identity.described import Describer
from bench.methods.identity.identify import identify
from bench.methods.types import Fade
from bench.trial.plugins import Catalogue

CATALOGUE = Catalogue()


def scales(steps: int = 4, **fields: Any) -> list[float]:
    return [scale_after(FreezeNet(**fields), done, steps) for done in range(steps + 2)]


def test_linear_by_hand() -> None:
    assert scales(fade="linear") == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert scales(fade="linear", fade_to=0.5) == [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]
    assert scales(fade="linear", scale=2, fade_to=1) == [2.0, 1.75, 1.5, 1.25, 1.0, 1.0]


def test_cosine_by_hand() -> None:
    """(1 + cos(π·t)) / 2 at t = 0, 1/4, 1/2, 3/4: 1, (2 + √2)/4, 1/2, (2 − √2)/4."""
    by_hand = [1.0, (2 + sqrt(2)) / 4, 0.5, (2 - sqrt(2)) / 4]
    assert scales(fade="cosine") == pytest.approx([*by_hand, 0.0, 0.0], abs=1e-15)
    of_half = [0.1 + 0.4 * left for left in by_hand]
    assert scales(fade="cosine", scale=0.5, fade_to=0.1) == pytest.approx([*of_half, 0.1, 0.1], abs=1e-15)


@pytest.mark.parametrize("fade", ["linear", "cosine"])
@pytest.mark.parametrize(("scale", "end"), [(1.0, 0.0), (0.3, 0.1), (0.7, 0.6), (9.999999, 0.000001)])
def test_it_begins_and_ends_exactly_and_falls_between(fade: Any, scale: float, end: float) -> None:
    every = scales(997, fade=fade, scale=scale, fade_to=end)
    assert every[0] == scale and every[-2:] == [end, end] and end < every[-3]
    assert all(later < earlier for earlier, later in pairwise(every[:-1]))


def test_what_does_not_fade_keeps_its_scale() -> None:
    assert [scale_after(METHODS[name], 3, 4) for name in ("freeze", "snip", "dense")] == [1.0, 0.0, 1.0]
    assert scales() == [1.0] * 6 and scales(scale=0.25) == [0.25] * 6


def test_the_epoch_at_whose_end_it_has_faded() -> None:
    method = FreezeNet(fade="linear")
    assert [last_epoch(method, epochs) for epochs in (1, 2, 3, 4, 30)] == [1, 2, 2, 3, 23]  # 22.5: the later
    assert last_epoch(replace(method, fade_until=1), 30) == 30
    assert last_epoch(replace(method, fade_until=0.000001), 30) == 1


def test_the_record() -> None:
    plain = METHODS["freeze"].record()
    assert FreezeNet(fade="linear").record() == plain | {"fade": "linear"}
    assert FreezeNet(fade="cosine", fade_to=0.25, fade_until=1).record() == plain | {
        "fade": "cosine", "fade_to": 0.25, "fade_until": 1.0,
    }  # fmt: skip
    assert FreezeNet(fade="none", fade_to=0, fade_until=0.75).record() == plain
    assert not any(SETTINGS.keys() & method.record().keys() for method in METHODS.values())


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("freeze:fade=linear", "freeze:fade=linear"),
        ("snip-freeze:fade=linear:fade_to=0:fade_until=0.75", "freeze:fade=linear"),
        ("freeze:scale=1:fade=cosine", "freeze:fade=cosine"),
        ("snip:scale=0.5:fade=cosine:fade_to=0.1", "freeze:scale=0.5:fade=cosine:fade_to=0.1"),
        ("freeze:fade_until=1:fade_to=0.000001:fade=linear", "freeze:fade=linear:fade_to=0.000001:fade_until=1"),
        ("random-er-freeze:fade=linear", "random-er-freeze:fade=linear"),
        ("grasp:fade=linear:scale=2", "grasp-freeze:scale=2:fade=linear"),
        ("lt-sft:fade=linear", "lt-sft:fade=linear"),
        ("freeze:control=redraw:fade=linear", "freeze:control=redraw:fade=linear"),
        ("freeze:fade=none", "freeze"),
    ],
)
def test_what_a_method_that_fades_is_called(given: str, called: str) -> None:
    name, method = CATALOGUE.parse(given)
    assert name == called
    assert canonical_json(CATALOGUE.parse(name)[1].record()) == canonical_json(method.record())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("snip:fade=linear", "fade linear of SNIP: must be none; its dead weights are 0 from the start"),
        ("freeze:scale=0:fade=linear", "fade linear of FreezeNet: must be none; its dead weights are 0 from the start"),
        ("freeze:fade=step", "fade 'step': must be one of none, linear, cosine"),
        ("freeze:fade=linear:fade_to=1", "fade_to 1 of FreezeNet: must be below its scale 1"),
        ("freeze:scale=0.5:fade=linear:fade_to=0.6", "fade_to 0.6 of FreezeNet: must be below its scale 0.5"),
        ("freeze:fade=linear:fade_to=-0.1", "fade_to -0.1: must be a number of at most 6 decimals, at least 0"),
        ("freeze:fade=linear:fade_to=nan", "fade_to nan: must be a number of at most 6 decimals"),
        ("freeze:fade=linear:fade_to=0.0000001", "fade_to 1e-07: must be a number of at most 6 decimals"),
        ("freeze:fade=linear:fade_until=0", "fade_until 0.0: must be 0 < fade_until <= 1"),
        ("freeze:fade=linear:fade_until=1.1", "fade_until 1.1: must be 0 < fade_until <= 1"),
        ("freeze:fade_to=0.5", "fade_to 0.5 of FreezeNet: must be left out without fade"),
        ("freeze:fade_until=0.5", "fade_until 0.5 of FreezeNet: must be left out without fade"),
        ("dense:fade=linear", "fade 'linear' of Dense: must be 'none'"),
        ("biases:fade=linear", "fade 'linear' of Biases: must be 'none'"),
        ("last-layer:fade=linear", "fade 'linear' of LastLayer: must be 'none'"),
        ("rigl-freeze:fade=linear", "fade linear of SparseTraining: must be none; its masks change while training"),
        ("edge-popup:fade=linear", "fade linear of EdgePopup: must be none; its masks change while training"),
        ("random-channels:fade=linear", "fade linear of RandomChannels: must be none; it cuts channels out"),
        ("small-dense:fade=linear", "fade linear of SmallDense: must be none; it cuts channels out"),
    ],
)
def test_what_is_refused_in_one_line(given: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        CATALOGUE.parse(given)
    assert str(error.value).startswith(f"method {given!r}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"fade": True}, {"fade_to": "0.5"}, {"fade_to": True}, {"fade_until": None}])
def test_what_is_no_value_of_its_type_is_refused_in_python_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"fade.*: must be"):
        FreezeNet(**{"fade": "linear", **wrong})


@dataclass(frozen=True, kw_only=True)
class Own(Method):
    """A method with a field of this name of its own."""

    fade_to: float = 0.5


def test_a_class_has_no_field_of_this_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="field fade_to of Own: must have another name; Method has one"):
        identify(Own(criterion="snip", background="freeze", fade="linear"))


def test_the_source_of_a_plug_in_that_holds_a_method_is_what_it_was() -> None:
    describe = Describer(users=lambda module: False, folder="")
    assert "fade" not in canonical_json(describe(FreezeNet()))
    assert describe(FreezeNet(fade="linear")) != describe(FreezeNet(fade="cosine"))


def test_criteria_are_not_given_it() -> None:
    assert FreezeNet(fade="linear", fade_to=0.5).parameters() == {}
    assert fades(FreezeNet(fade="linear")) and FreezeNet(fade="linear").at_initialisation


def test_the_ways_have_one_set_of_names() -> None:
    """What reads a stored record does not import methods."""
    assert tuple(PATHS) == names.FADES and get_args(Fade) == (SETTINGS["fade"], *names.FADES)
