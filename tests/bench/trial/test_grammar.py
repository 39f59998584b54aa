"""Rates and seeds: the grammar by example and by property, every error one line."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.trial.grammar import GRID, parse_rates, parse_seeds

rates = st.decimals(0, Decimal("0.999999"), places=6)


def rates_of(written: str) -> list[str]:
    return [str(r) for r in parse_rates(written)]


def test_rates_by_example() -> None:
    assert rates_of("0.9") == ["0.9"]
    assert rates_of("0.99,0.9, 0.9") == ["0.9", "0.99"]
    assert rates_of("0.9:0.995") == ["0.9", "0.95", "0.98", "0.99", "0.995"]
    assert rates_of("0.91:0.97") == ["0.91", "0.95", "0.97"]
    assert rates_of("0.9:0.9") == ["0.9"]
    assert rates_of("0.9:0.999:3") == ["0.9", "0.99", "0.999"]
    assert rates_of("0:0.99:3") == ["0", "0.9", "0.99"]
    assert rates_of("0.5,0.9:0.95") == ["0.5", "0.9", "0.95"]


@given(rates, rates)
def test_a_range_has_its_ends_and_the_grid_between(first: Decimal, second: Decimal) -> None:
    low, high = sorted((first, second))
    got = parse_rates(f"{low}:{high}")
    assert got[0] == low and got[-1] == high and got == sorted(set(got))
    assert set(got[1:-1]) == {r for r in GRID if low < r < high}


@given(rates, rates, st.integers(2, 12))
def test_a_counted_range_is_log_spaced_in_density(first: Decimal, second: Decimal, count: int) -> None:
    low, high = sorted((first, second))
    got = parse_rates(f"{low}:{high}:{count}")
    assert got[0] == low and got[-1] == high and got == sorted(set(got)) and len(got) <= count
    for i in range(count):
        point = 1 - float(1 - low) * (float(1 - high) / float(1 - low)) ** (i / (count - 1))
        assert min(abs(float(r) - point) for r in got) < 1.1e-6


@given(st.lists(rates, min_size=1, max_size=5))
def test_a_list_is_sorted_and_unique(items: list[Decimal]) -> None:
    assert parse_rates(",".join(map(str, items))) == sorted(set(items))


@pytest.mark.parametrize(
    "written",
    ["1.5", "-0.1", "abc", "0.9:", ":0.9", "0.995:0.9", "1", "nan", "inf", "", ",", "0.9,", "0.9:0.99:1", "0.9:0.99:x",
     "0.9:0.95:3:4", "0.9:1", "1e400"],
)  # fmt: skip
def test_bad_rates_name_the_value_and_what_it_must_be(written: str) -> None:
    with pytest.raises(ValueError, match=r"^rates? .*(must be|whole number)[^\n]*$"):
        parse_rates(written)


def test_seeds_by_example() -> None:
    assert parse_seeds("5") == [0, 1, 2, 3, 4]
    assert parse_seeds("3:8") == [3, 4, 5, 6, 7, 8]
    assert parse_seeds("1,4") == [1, 4]
    assert parse_seeds("4:4") == [4]
    assert parse_seeds("7,") == [7]
    assert parse_seeds("0:1,9") == [0, 1, 9]


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_a_seed_range_is_inclusive(first: int, more: int) -> None:
    last = min(first + more, 2**32 - 1)
    assert parse_seeds(f"{first}:{last}") == list(range(first, last + 1))


@pytest.mark.parametrize(
    "written", ["0", "-1", "abc", "", "8:3", "1.5", "4294967296,1", "1:", ":2", "1,,2", "٣", "0:99999999"]
)
def test_bad_seeds_name_the_value(written: str) -> None:
    with pytest.raises(ValueError, match=r"^seeds [^\n]*$"):
        parse_seeds(written)
