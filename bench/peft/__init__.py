"""A bridge to Hugging Face PEFT's SHiRA, sparse adapters of a pre-trained network. Torch is imported at first use.

masks           the criteria as mask functions, which say where an adapter's values are
adapter         an adapter as few bytes: its indices by the mask codec, its values by the value codec
adapter_header  what the header of these bytes says, and its checks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.peft.adapter import compress, decompress
    from bench.peft.masks import mask_fn

__all__ = ["compress", "decompress", "mask_fn"]

_LAZY = {"compress": "bench.peft.adapter", "decompress": "bench.peft.adapter", "mask_fn": "bench.peft.masks"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
