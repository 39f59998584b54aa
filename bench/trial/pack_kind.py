"""The pack kind of a trial: by itself, or how it is batched with others. Imports no torch.

On a CPU a pack is one trial: a batched step is no faster there (results/reports/packs.md). On a GPU one small network
leaves the card idle between two launches, so trials of one architecture and protocol share each launch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

Pack = Literal["single", "vmap", "unfold"]


def resolve_pack(
    asked: str,
    *,
    device: str,
    shapes: Mapping[str, tuple[int, ...]],
    obstacle: Callable[[], str] = lambda: "",
) -> Pack:
    """The pack kind of a trial: `asked`, or for "auto" the one of the device.

    A network without a convolution has one batched kind only, "vmap".

    Args:    shapes: weight name -> shape; four numbers if it is a convolution's.
             obstacle: why the network cannot be trained in packs; "" if it can.
    Raises:  ValueError if a batched kind is asked for and there is none.

    >>> resolve_pack("auto", device="cuda", shapes={"conv1.weight": (20, 1, 5, 5), "fc.weight": (10, 2880)})
    'unfold'
    >>> [resolve_pack(kind, device="cpu", shapes={"fc.weight": (10, 784)}) for kind in ("auto", "unfold")]
    ['single', 'vmap']
    """
    if asked == "single" or (asked == "auto" and device == "cpu"):
        return "single"
    if reason := obstacle():
        if asked == "auto":
            return "single"
        raise ValueError(f"pack {asked}: the network cannot be trained in packs ({reason}); must be single or auto")
    convolutional = any(len(shape) == 4 for shape in shapes.values())
    return "unfold" if asked != "vmap" and convolutional else "vmap"
