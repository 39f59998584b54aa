"""The stored network: a `.frz` file, and the network from it. `load`, and torch with it, is imported at its first use.

artefact         write and read a trained network: what must be stored of it, and nothing else
network_file     the file of a stored network, opened
base             the network that a stored one started from, which its file only names
weights_file     weights from outside as tensors by name: .safetensors, a state dict, those of torchvision
outside_weights  what trials start from of these: read, and tried on their network
container        the file: a header and three parts of bytes, sealed by a checksum
header           what a header says, and its checks
header_model     the network that the header of a file names
tensor_order     the numbers of a network in the order in which a file holds them
channel_bits     the mask of a network with closed channels as bytes
shrink           the proof that such a network with smaller tensors is the same
small_files      that network as files of other programs
small_widths     the file of its widths
mask_part        the masks in a file: a bit for each weight, or for each filter
mask_codec       a mask as bytes: a range coder, with each weight tensor's density as its model
value_codec      numbers as bytes, without loss of a bit
value_types      the types in which live values are stored
narrow           a stored network in a narrower type, and what that costs in accuracy
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.artefact.network_file import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from bench.artefact import network_file

        return network_file.load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
