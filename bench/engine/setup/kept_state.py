"""What a method may keep of a trial: what a checkpoint gives back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.methods.types import State

PLAIN = (bool, int, float, str, bytes, type(None))
WORDS = "a tensor, a number, text, bytes, true or false, None, or a list, tuple or dict of these"


def check_state(method: object, state: State, device: torch.device) -> None:
    """Raise ValueError, which names the key, if a checkpoint would not give a value back as it is.

    Called after every epoch, so that a trial fails in the same way whether a checkpoint is due or not.
    """
    for key, value in state.items():
        if type(key) is not str:
            raise ValueError(f"state {key!r} of {type(method).__name__}: its key must be a text")
        for member in members(value):
            if complaint := _complaint(member, device):
                raise ValueError(f"state {key!r} of {type(method).__name__}: {complaint}")


def _complaint(value: object, device: torch.device) -> str:
    if type(value) in (Tensor, nn.Parameter):
        on = value.device.type  # type: ignore[attr-defined]
        return "" if on == device.type else f"a tensor on {on}; must be on {device.type}, as the network is"
    return "" if type(value) in PLAIN else f"{type(value).__name__}; must be {WORDS}"


def members(value: Any) -> Iterator[object]:
    """The value, or what is in it."""
    if type(value) is dict:
        for key, member in value.items():
            yield key
            yield from members(member)
    elif type(value) in (list, tuple):
        for member in value:
            yield from members(member)
    else:
        yield value


def on_device(state: Mapping[str, Any], device: str) -> State:
    """The state of a checkpoint, its tensors on the device of the network."""
    return {key: _moved(value, device) for key, value in state.items()}


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if type(value) is dict:
        return {key: _moved(member, device) for key, member in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(member, device) for member in value)
    return value
