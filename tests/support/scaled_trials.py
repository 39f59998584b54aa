"""Hand-made trials whose dead weights hold a scale of their value at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trial_frames import METHODS, trial

LEVELS: Mapping[float, float] = {0.25: 0.98, 0.5: 0.99, 2.0: 0.9}


def scaled(
    criterion: str = "freeze", levels: Mapping[float, float] = LEVELS, rate: str = "0.9"
) -> list[dict[str, Any]]:
    """Trials of these scales, their accuracy by seed 0.001 apart."""
    record = METHODS["freeze" if criterion == "freeze" else criterion]
    return [
        trial(f"{criterion}:scale={scale:g}", rate, seed, level + 0.001 * seed, record={**record, "background": scale})
        for scale, level in levels.items()
        for seed in range(5)
    ]
