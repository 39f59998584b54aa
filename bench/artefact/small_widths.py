"""The file beside the state of a smaller network: which network it is of, and the width of every group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bench.artefact.header import Count, Strict, first_error
from bench.channels.counts import counts
from bench.channels.groups import Channels
from bench.channels.selection import Open, first_open
from bench.messages import nearest, one_line

WIDTHS = ".widths.json"  # ends the name of the file
SUFFIXES = (".safetensors", ".pt", ".onnx")  # of the state beside it


class Widths(Strict):
    """What `load_small` needs besides the state."""

    model: str
    classes: Annotated[int, Field(ge=2, le=1 << 16)]
    image_shape: Annotated[list[Annotated[int, Field(ge=1, le=512)]], Field(min_length=3, max_length=3)]  # C, H, W
    precision: str
    stream: bool  # whether residual streams have groups
    widths: dict[str, Annotated[int, Field(ge=1)]]  # group -> its channels
    parameters: Count
    macs: Count


def read_widths(path: Path) -> Widths:
    """The widths in a file. Raises ValueError, in one line, if they are not complete; OSError if it cannot be read."""
    try:
        return Widths.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        raise ValueError(f"widths{first_error(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a file of widths: {one_line(error)}") from None


def open_by(widths: Widths, channels: Channels) -> Open:
    """As many channels of every group of the network as the file says.

    Raises: ValueError, in one line, if it is of other groups, or counts another network.
    """
    for name, width in widths.widths.items():
        if name not in channels.groups:
            raise ValueError(nearest("group", name, list(channels.groups)))
        if width > (size := channels.widths[name]):
            raise ValueError(f"width {width} of group {name}: must be at most {size}")
    if missing := [name for name in channels.groups if name not in widths.widths]:
        raise ValueError(f"width of group {missing[0]}: must be there")
    counted = counts(channels, widths.widths)
    for noun, declared, by_widths in (
        ("parameters", widths.parameters, counted.parameters),
        ("macs", widths.macs, counted.macs),
    ):
        if declared != by_widths:
            raise ValueError(f"{noun} {declared:,}: must be {by_widths:,}, by the widths of the groups")
    return first_open(channels, widths.widths)
