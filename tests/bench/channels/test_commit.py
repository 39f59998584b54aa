"""Which channels stay open, from fixed scores."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bench.channels.budgets import Budget, budget_of
from bench.channels.commit import committed
from bench.channels.counts import counts
from bench.channels.groups import Channels
from bench.channels.selection import widths_of
from bench.models import build
from bench.models.channels.finding import channels_of

RESNET20 = channels_of(build("resnet20", 10), (3, 32, 32))
HALF = budget_of(RESNET20, Fraction(1, 2), Fraction(1, 2))


def pattern(channels: Channels) -> dict[str, list[float]]:
    return {
        name: [((c * 7_919 + g * 104_729) % 10_007) / 10_007 for c in range(size)]
        for g, (name, size) in enumerate(channels.widths.items())
    }


def closed_ones(flags: dict[str, list[bool]]) -> list[tuple[str, int]]:
    return [(name, i) for name, group in flags.items() for i, is_open in enumerate(group) if not is_open]


def test_within_both_budgets_and_no_closed_channel_fits() -> None:
    plan = committed(RESNET20, pattern(RESNET20), HALF)
    widths = widths_of(plan.open)
    assert plan.counts == counts(RESNET20, widths)
    assert plan.counts.parameters <= HALF.parameters and plan.counts.macs <= HALF.macs
    assert max(plan.counts.parameters / HALF.parameters, plan.counts.macs / HALF.macs) >= 0.99
    for name in {name for name, _ in closed_ones(plan.open)}:
        assert not HALF.allows(counts(RESNET20, {**widths, name: widths[name] + 1}))
    assert plan == committed(RESNET20, pattern(RESNET20), HALF)


def test_equal_scores_go_by_order_the_later_closed_first() -> None:
    scores = {name: [1.0] * size for name, size in RESNET20.widths.items()}
    channels = sum(RESNET20.widths.values())
    plan = committed(RESNET20, scores, Budget(parameters=269_721, macs=40_551_040))
    assert closed_ones(plan.open) == [("layer3.2.conv1", 63)]
    half = committed(RESNET20, scores, HALF)
    for name, flags in half.open.items():
        assert flags == sorted(flags, reverse=True), name
    assert 0 < len(closed_ones(half.open)) < channels


def test_of_channels_closed_before_the_best_are_opened_again() -> None:
    scores = pattern(RESNET20)
    before = {name: [score > 0.5 for score in group] for name, group in scores.items()}
    plan = committed(RESNET20, scores, budget_of(RESNET20, Fraction(1, 4)), before=before)
    opened = [scores[name][i] for name, i in plan.reopened]
    assert opened == sorted(opened, reverse=True) and len(opened) > 0
    assert all(plan.open[name][i] for name, group in before.items() for i, was in enumerate(group) if was)


def test_if_only_the_macs_are_over_what_costs_none_stays() -> None:
    free = Channels(groups=RESNET20.groups, layers=tuple(
        layer if "layer1" not in layer.name else _without_positions(layer) for layer in RESNET20.layers
    ), other_parameters=RESNET20.other_parameters, maskable=RESNET20.maskable, other_macs=0, fixed={})  # fmt: skip
    scores = {name: [0.0 if "layer1" in name else 1.0] * size for name, size in free.widths.items()}
    full = counts(free, free.widths)
    plan = committed(free, scores, Budget(parameters=full.parameters, macs=full.macs // 2))
    assert all(all(flags) for name, flags in plan.open.items() if "layer1" in name)


def _without_positions(layer):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(layer, positions=0)


def test_every_group_keeps_its_least() -> None:
    plan = committed(RESNET20, pattern(RESNET20), budget_of(RESNET20, Fraction("0.9")), least=2,
                     before={name: [False] * size for name, size in RESNET20.widths.items()})  # fmt: skip
    assert min(widths_of(plan.open).values()) == 2


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a budget of 1 parameters: must be at least 7,420"):
        committed(RESNET20, pattern(RESNET20), Budget(parameters=1, macs=10**9))
    with pytest.raises(
        ValueError, match=r"^scores of group layer1.0.conv1: 0; must be one for each of its 16 channels"
    ):
        committed(RESNET20, {}, HALF)
    with pytest.raises(ValueError, match=r"^scores of group layer1.0.conv1: nan; must be finite"):
        committed(RESNET20, {**pattern(RESNET20), "layer1.0.conv1": [float("nan")] * 16}, HALF)
