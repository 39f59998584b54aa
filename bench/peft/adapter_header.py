"""What the header of a compressed adapter says, as it is checked when the bytes are read."""

from __future__ import annotations

import zlib
from math import prod
from typing import Annotated, Self

from pydantic import AfterValidator, ValidationError, model_validator

from bench.artefact.header import Count, Strict, first_error
from bench.artefact.weights_file import TYPES
from bench.messages import one_of

HEADER_LIMIT = 1 << 24  # bytes of a header that is not packed: of some 100,000 tensors
LAYER_LIMIT = 1 << 32  # weights of a layer whose indices are a mask: reading takes a byte of memory for each
ZLIB_RATIO = 1100  # bytes that one byte of zlib's can stand for, and some more


def _known(of_type: str) -> str:
    if of_type not in TYPES:
        raise ValueError(one_of(TYPES))
    return of_type


def _small(shape: list[int]) -> list[int]:
    if prod(max(size, 1) for size in shape) >= 1 << 62:
        raise ValueError("must have fewer values")
    return shape


Type = Annotated[str, AfterValidator(_known)]
Shape = Annotated[list[Count], AfterValidator(_small)]
Box = tuple[Count, Count, Count]  # rows, columns and ones of a mask


class AdapterHeader(Strict):
    """Everything in a compressed adapter except its numbers."""

    tensors: list[tuple[str, Type, Shape]]
    masks: dict[str, Box]  # name -> mask, of the tensors that are stored as one
    mask: Count  # bytes of all masks
    numbers: dict[Type, Count]  # bytes of all numbers of a type

    def count(self, of_type: str) -> int:
        """How many numbers of a type are stored as such."""
        return sum(prod(shape) for name, other, shape in self.tensors if other == of_type and name not in self.masks)

    @model_validator(mode="after")
    def _check_tensors(self) -> Self:
        tensors = {name: (of_type, shape) for name, of_type, shape in self.tensors}
        if len(tensors) != len(self.tensors):
            raise ValueError("names of tensors must differ")
        for name, (rows, columns, ones) in self.masks.items():
            of_type, shape = tensors.get(name, ("", []))
            if "int" not in of_type or shape != [2, ones] or rows * columns > LAYER_LIMIT:
                raise ValueError(f"mask {ascii(name)[:60]}: must be of a tensor of indices, [2, {ones}]")
        if {of_type for name, (of_type, _) in tensors.items() if name not in self.masks} != self.numbers.keys():
            raise ValueError("numbers must be of the types of the tensors")
        for of_type, size in self.numbers.items():
            if (count := self.count(of_type)) > ZLIB_RATIO * size:
                raise ValueError(f"{count} numbers of {of_type} cannot be in {size} bytes")
        return self


def unpacked(packed: bytes) -> AdapterHeader:
    """The header in these bytes. Raises: ValueError in one line."""
    stream = zlib.decompressobj()
    try:
        document = stream.decompress(packed, HEADER_LIMIT)
        if not stream.eof:
            raise ValueError(f"is longer than {HEADER_LIMIT} bytes, or cut off")
        return AdapterHeader.model_validate_json(document)
    except ValidationError as error:
        raise ValueError(f"compressed adapter: header{first_error(error)}") from None
    except (zlib.error, ValueError) as error:
        raise ValueError(f"compressed adapter: header: {error}") from None
