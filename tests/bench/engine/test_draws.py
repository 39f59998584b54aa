"""The order of the images and their moves: of a seed's own streams, once for all trials of a pack at that seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_packs import DATA, pack_of

from bench.datasets.augment import MOVES
from bench.engine.draws import Draws
from bench.engine.train import train
from bench.engine.trainers import Together
from bench.trial.streams import stream

CPU = torch.device("cpu")


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("asked", [[1, 2, 3, 4], [3, 4], [4]])  # from the start, and resumed
def test_an_epoch_has_its_draws_whenever_it_is_asked_for(asked: list[int], moved: bool) -> None:
    order, moves = stream(5, "order"), stream(5, "augmentation")
    expected = [(order.permutation(30), moves.randint(0, MOVES, 30, dtype=np.int64)) for _ in range(4)]
    draws = Draws(5, 30, CPU, moved=moved)
    for epoch in asked:
        drawn, its_moves = draws.of_epoch(epoch)
        assert np.array_equal(drawn.numpy(), expected[epoch - 1][0])
        assert (its_moves is not None) == moved
        if its_moves is not None:
            assert np.array_equal(its_moves.numpy(), expected[epoch - 1][1])
        again, _ = draws.of_epoch(epoch)
        assert again is drawn


def test_trials_of_one_seed_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pack's seeds 0, 0, 1 and 2: three permutations an epoch."""
    given: list[tuple[list[int], list[bool]]] = []
    epoch = Together.epoch

    def noted(self: Any, orders: Any, moves: Any, *rest: Any) -> list[float]:
        given.append(([id(order) for order in orders], [move is not None for move in moves]))
        losses: list[float] = epoch(self, orders, moves, *rest)
        return losses

    monkeypatch.setattr(Together, "epoch", noted)
    train(pack_of("vmap", epochs=2, augmentation="flip-translate"), DATA, "cpu")
    assert len(given) == 2
    for orders, moves in given:
        assert orders[0] == orders[1] and len(set(orders)) == 3
        assert moves == [True] * 4
