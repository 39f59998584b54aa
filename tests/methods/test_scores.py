"""Scores of every type: exactly the weights of highest score, or a refusal in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.methods import Method
from bench.methods.counts import live_count
from bench.methods.maskable import maskable
from bench.methods.rounds.loop import in_rounds
from bench.methods.scopes import FLOATING, SCOPES, WHOLE
from bench.methods.types import Masks, Scope

MODEL = nn.Sequential(nn.Linear(3, 2), nn.Linear(4, 1))
SHAPES = {name: tuple(w.shape) for name, w in maskable(MODEL).items()}  # 6 weights and 4
FIRST, SECOND = SHAPES
GIVEN: dict[str, Any] = {}
FLOATS = {torch.float16: 16, torch.bfloat16: 16, torch.float32: 32, torch.float64: 64}


def as_given(model: Any, batches: Any, loss: Any, generator: Any) -> Any:
    return GIVEN["scores"]


def select(scores: Any, rate: str = "0.5", **fields: Any) -> Masks:
    GIVEN["scores"] = scores
    method = Method(criterion=as_given, background="freeze", **fields)
    return method.select(MODEL, [], torch.nn.functional.cross_entropy, Fraction(rate), np.random.RandomState(0))


def highest(values: list[Any], k: int) -> list[bool]:
    """The k highest of exact numbers; of equal ones the earlier."""
    order = sorted(range(len(values)), key=lambda i: (-Fraction(values[i]), i))
    return [i in order[:k] for i in range(len(values))]


def flat(masks: Masks) -> list[bool]:
    return [live for mask in masks.values() for live in mask.flatten().tolist()]


@st.composite
def scores_of_any_type(draw: Callable[..., Any]) -> dict[str, torch.Tensor]:
    types = draw(st.lists(st.sampled_from(sorted(FLOATING | WHOLE, key=str)), min_size=2, max_size=2))
    mixed = {*types} & FLOATING and {*types} & WHOLE
    scores = {}
    for (name, shape), dtype in zip(SHAPES.items(), types, strict=True):
        if dtype in FLOATS:
            values = st.floats(width=FLOATS[dtype], allow_nan=False, allow_infinity=False)
        elif dtype == torch.bool:
            values = st.booleans()
        else:
            ends = torch.iinfo(dtype)
            low, high = (max(ends.min, -(2**53)), min(ends.max, 2**53)) if mixed else (ends.min, ends.max)
            values = st.integers(low, high) | st.sampled_from([low, low + 1, high - 1, high])
        size = shape[0] * shape[1]
        scores[name] = torch.tensor(draw(st.lists(values, min_size=size, max_size=size)), dtype=dtype).view(shape)
    return scores


@settings(max_examples=60, deadline=None)
@given(scores_of_any_type(), st.sampled_from(["0", "0.3", "0.5", "0.95"]), st.booleans())
def test_the_highest_of_all_layers(scores: dict[str, torch.Tensor], rate: str, inverted: bool) -> None:
    values = [Fraction(v) for s in scores.values() for v in s.flatten().tolist()]
    masks = select(scores, rate, control="invert" if inverted else "none")
    expected = highest([-v for v in values] if inverted else values, live_count(Fraction(rate), len(values)))
    assert flat(masks) == expected


@settings(max_examples=40, deadline=None)
@given(scores_of_any_type(), st.sampled_from(["uniform", "er", "erk"]), st.booleans())
def test_the_highest_of_each_layer(scores: dict[str, torch.Tensor], scope: Scope, inverted: bool) -> None:
    masks = select(scores, "0.5", scope=scope, control="invert" if inverted else "none")
    assert sum(flat(masks)) == 5
    for name, s in scores.items():
        values = [-Fraction(v) if inverted else Fraction(v) for v in s.flatten().tolist()]
        assert masks[name].flatten().tolist() == highest(values, int(masks[name].sum()))


def one_layer(values: list[Any], dtype: torch.dtype, **fields: Any) -> list[bool]:
    """The live weights of the second layer of four, the first all equal to the lowest."""
    scores = {
        FIRST: torch.full(SHAPES[FIRST], min(values), dtype=dtype),
        SECOND: torch.tensor([values], dtype=dtype),
    }
    return select(scores, "0.5", scope="uniform", **fields)[SECOND].flatten().tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-128, 127, -127, 0], torch.int8),  # -(-128) is -128 in eight bits
        ([0, 255, 1, 128], torch.uint8),  # -1 is 255 in eight bits without sign
        ([False, True, False, True], torch.bool),
        ([2**53, 2**53 + 1, -(2**63), 2**63 - 1], torch.int64),  # float64 has no 2^53 + 1
    ],
)
def test_whole_numbers_in_both_orders(values: list[Any], dtype: torch.dtype) -> None:
    assert one_layer(values, dtype) == highest(values, 2)
    assert one_layer(values, dtype, control="invert") == highest([-int(v) for v in values], 2)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormal numbers")
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_denormal_numbers_are_no_ties_where_they_are_flushed(dtype: torch.dtype) -> None:
    tiny = 1e-40 if dtype == torch.float32 else 1e-310
    scores = {FIRST: torch.full(SHAPES[FIRST], -1.0, dtype=dtype), SECOND: torch.zeros(1, 4, dtype=dtype)}
    scores[SECOND][0] = torch.tensor([-tiny, 0.0, tiny, 2 * tiny], dtype=dtype)
    with denormals_flushed():
        assert select(scores, scope="uniform")[SECOND].tolist() == [[False, False, True, True]]
        assert select(scores, scope="uniform", control="invert")[SECOND].tolist() == [[True, True, False, False]]


def test_minus_zero_is_zero() -> None:
    assert one_layer([-0.0, 0.0, -0.0, 0.0], torch.float32) == [True, True, False, False]


def test_ties_are_broken_in_the_models_order_whatever_the_order_of_the_scores() -> None:
    scores = {name: torch.zeros(shape) for name, shape in reversed(SHAPES.items())}
    masks = select(scores)
    assert list(masks) == [FIRST, SECOND] and flat(masks) == [True] * 5 + [False] * 5


def test_scores_may_be_views_and_may_need_a_gradient() -> None:
    scores = {FIRST: torch.arange(6.0).view(3, 2).T, SECOND: torch.ones(1, requires_grad=True).expand(1, 4)}
    assert not scores[FIRST].is_contiguous()
    assert flat(select(scores)) == [False, True, True, True, True, True, False, False, False, False]


def valid() -> dict[str, Any]:
    return {name: torch.zeros(shape) for name, shape in SHAPES.items()}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([torch.zeros(2, 3)], "scores are a list: must be a dict of name -> tensor"),
        (None, "scores are a NoneType: must be a dict of name -> tensor"),
        ({}, "scores of 0.weight: none; must be of shape (2, 3)"),
        ({**valid(), "0.bias": torch.zeros(2)}, "scores of 0.bias: the model has no such maskable weights"),
        ({**valid(), FIRST: torch.zeros(3, 2)}, "scores of 0.weight: of shape (3, 2); must be of shape (2, 3)"),
        ({**valid(), FIRST: torch.zeros(6)}, "scores of 0.weight: of shape (6,); must be of shape (2, 3)"),
        ({**valid(), FIRST: torch.tensor(1.0)}, "scores of 0.weight: of shape (); must be of shape (2, 3)"),
        ({**valid(), FIRST: np.zeros((2, 3))}, "scores of 0.weight: ndarray; must be a tensor"),
        ({**valid(), FIRST: [[1.0] * 3] * 2}, "scores of 0.weight: list; must be a tensor"),
        (
            {**valid(), FIRST: torch.zeros(2, 3, dtype=torch.complex64)},
            "scores of 0.weight: complex64, strided, cpu; must be real numbers in a dense tensor",
        ),
        (
            {**valid(), FIRST: torch.zeros(2, 3).to_sparse()},
            "scores of 0.weight: float32, sparse_coo, cpu; must be real numbers in a dense tensor",
        ),
        (
            {**valid(), FIRST: torch.zeros(2, 3, device="meta")},
            "scores of 0.weight: float32, strided, meta; must be real numbers in a dense tensor",
        ),
        (
            {**valid(), FIRST: torch.zeros(2, 3, dtype=torch.float8_e4m3fn)},
            "scores of 0.weight: float8_e4m3fn, strided, cpu; must be real numbers in a dense tensor",
        ),
        (
            {**valid(), FIRST: torch.full((2, 3), 2**53 + 1)},
            "scores of 0.weight: whole numbers beyond 2^53 beside others; must be of one type",
        ),
        (
            {**valid(), FIRST: torch.tensor([[1.0, float("-inf"), 0], [float("nan"), 0, 0]])},
            "scores of 0.weight: 2 of 6 are NaN or infinite; scores must be finite",
        ),
    ],
)
@pytest.mark.parametrize("control", ["none", "invert"])
def test_other_scores_are_refused(changed: Any, said: str, control: str) -> None:
    with pytest.raises(ValueError) as error:
        select(changed, control=control)
    assert str(error.value) == said


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_takes_whole_numbers_of_a_methods_own_select(scope: Scope) -> None:
    scores = {"a": -torch.arange(6).view(2, 3), "b": torch.zeros(4, dtype=torch.bool)}
    masks = SCOPES[scope](scores, Fraction(1, 2))
    assert sum(flat(masks)) == {"filter": 4}.get(scope, 5) and all(m.dtype == torch.bool for m in masks.values())
    assert masks["a"].flatten().tolist() == [True] * int(masks["a"].sum()) + [False] * (6 - int(masks["a"].sum()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8, torch.int64])
def test_a_removed_weight_loses_to_a_live_one_of_any_score(dtype: torch.dtype) -> None:
    """In the second round all scores are negative, and those of the removed weights the highest."""
    weights = {name: torch.ones(shape) for name, shape in SHAPES.items()}
    first = torch.tensor([[0, 0, 0], [9, 9, 9]], dtype=dtype)
    second = torch.tensor([[-1, -1, -1], [-9, -8, -7]], dtype=dtype)
    rounds = iter([first, second])
    low = -100 if dtype != torch.int64 else -(2**63)
    masks = in_rounds(
        weights, [3, 2], lambda _: {FIRST: next(rounds), SECOND: torch.full(SHAPES[SECOND], low, dtype=dtype)}
    )
    assert flat(masks) == [False] * 4 + [True] * 2 + [False] * 4


def test_rounds_without_a_way_back_do_not_grow() -> None:
    weights = {name: torch.ones(shape) for name, shape in SHAPES.items()}
    with pytest.raises(ValueError, match="a round of 4 live weights after one of 3: must be at most as many"):
        in_rounds(weights, [3, 4], lambda masked: {n: w.detach() for n, w in masked.items()})
