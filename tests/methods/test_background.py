"""The scale of the background: which are allowed, and which method, record and name each of them is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bench.canonical import canonical_json
from bench.methods import METHODS, SNIP, FreezeNet, Method
from bench.methods.identity.described import Describer
from bench.methods.identity.identify import identify
from bench.trial.plugins import Catalogue

CATALOGUE = Catalogue()
CHOOSE_ALIKE: dict[str, dict[str, str]] = {}  # what chooses -> background -> the first name
for known, method in METHODS.items():
    alike = CHOOSE_ALIKE.setdefault(canonical_json(method.record() | {"background": ""}), {})
    alike.setdefault(method.background, known)
TWINS = [(pair["freeze"], pair["prune"]) for pair in CHOOSE_ALIKE.values() if len(pair) == 2]


def test_the_twins_are_those_of_the_page() -> None:
    assert ("freeze", "snip") in TWINS and ("rigl-freeze", "rigl") in TWINS and len(TWINS) == 30


@pytest.mark.parametrize(("frozen", "pruned"), TWINS)
def test_scale_1_is_freeze_and_scale_0_is_prune(frozen: str, pruned: str) -> None:
    for name in (frozen, pruned):
        for scale, same in ((1, frozen), (0, pruned), (1.0, frozen), (-0.0, pruned)):
            scaled = replace(METHODS[name], scale=scale)
            assert canonical_json(scaled.record()) == canonical_json(METHODS[same].record())
            assert scaled.scale is None and scaled.background_scale == scale


def test_the_scales_of_ours() -> None:
    assert (METHODS["freeze"].background_scale, METHODS["snip"].background_scale) == (1.0, 0.0)
    assert FreezeNet(scale=0.25).background_scale == 0.25
    assert FreezeNet(scale=2).background_scale == 2.0  # a whole number is the float
    assert FreezeNet(scale=0.25).record() == {
        "criterion": "snip", "scope": "global", "background": 0.25, "select": "one-shot",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["freeze:scale=0.25", "snip:scale=0.25", "snip-freeze:scale=0.250", "snip:scale=25e-2"]
)
def test_between_them_both_names_are_one_method(name: str) -> None:
    called, method = CATALOGUE.parse(name)
    assert called == "freeze:scale=0.25"
    assert canonical_json(method.record()) == canonical_json(SNIP(scale=0.25).record())


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("freeze:scale=0", "snip"),
        ("snip:scale=1", "freeze"),
        ("random-er-prune:scale=0.5", "random-er-freeze:scale=0.5"),
        ("filter-snip-prune:scale=0.000001", "filter-snip-freeze:scale=0.000001"),
        ("lth:scale=10", "lth:scale=10"),
        ("rigl:scale=1", "rigl-freeze"),
        ("dense:scale=1", "dense"),
        ("snip:scale=none", "snip"),
    ],
)
def test_what_a_method_of_a_scale_is_called(given: str, called: str) -> None:
    name, method = CATALOGUE.parse(given)
    assert name == called
    assert canonical_json(CATALOGUE.parse(name)[1].record()) == canonical_json(method.record())


RANGE = "must be 0 <= scale <= 10, of at most 6 decimals"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("freeze:scale=nan", f"scale nan: {RANGE}"),
        ("freeze:scale=inf", f"scale inf: {RANGE}"),
        ("freeze:scale=-0.25", f"scale -0.25: {RANGE}"),
        ("freeze:scale=10.5", f"scale 10.5: {RANGE}"),
        ("freeze:scale=0.0000001", f"scale 1e-07: {RANGE}"),
        ("freeze:scale=half", "scale 'half': must be none or a number"),
        ("freeze:scale=0.5:background=prune", "must have background or scale, not both: 1 is freeze, 0 is prune"),
        ("rigl-freeze:scale=0.5", "scale 0.5 of SparseTraining: must be left out; its masks change while training"),
        ("uniform-width:scale=0.5", "scale 0.5 of UniformWidth: must be left out; it cuts channels out"),
        ("dense:scale=0.5", "scale 0.5 of Dense: must be left out; it has no dead weights"),
        ("biases:scale=0", "background 'prune' of Biases: must be 'freeze'"),
        ("snip:scal=0.5", "unknown field 'scal': must be one of criterion, scope, background, scale, fade, "),
    ],
)
def test_what_is_refused_in_one_line(given: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        CATALOGUE.parse(given)
    assert str(error.value).startswith(f"method {given!r}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scale", [True, "0.5", float("nan"), 3 + 0j])
def test_what_is_no_number_in_range_is_refused_in_python_too(scale: object) -> None:
    with pytest.raises(ValueError, match="must be 0 <= scale <= 10"):
        FreezeNet(scale=scale)  # type: ignore[arg-type]


def test_a_name_is_not_that_of_other_fields() -> None:
    name, _ = CATALOGUE.parse("grasp:temperature=1:scale=0.5")
    assert name == "grasp:temperature=1:scale=0.5"


@dataclass(frozen=True, kw_only=True)
class Own(Method):
    """A method with a field of this name of its own."""

    scale: float | None = 0.5


def test_a_class_has_no_field_of_this_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="field scale of Own: must have another name; Method has one"):
        identify(Own(criterion="snip", background="freeze"))


def test_the_source_of_a_plug_in_that_holds_a_method_is_what_it_was() -> None:
    """Without a scale a method in a global is described as before there were scales; with one it is another."""
    describe = Describer(users=lambda module: False, folder="")
    assert "scale" not in canonical_json(describe(SNIP()))
    assert describe(FreezeNet(scale=0.5)) != describe(FreezeNet(scale=0.25))


def test_the_order_of_the_settings_does_not_matter() -> None:
    described = ("snip:scale=0.5:control=redraw", "snip:control=redraw:scale=0.5")
    (_, one), (_, other) = map(CATALOGUE.parse, described)
    assert one == other and one.record()["background"] == 0.5 and one.control == "redraw"
