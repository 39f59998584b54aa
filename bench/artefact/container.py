"""The container of a stored network, a `.frz` file: a header and three parts of bytes, sealed by a checksum.

    magic (8 bytes) · format version (u16) · length of the packed header (u32) · header · mask · live values · others ·
    SHA-256 of all before (32 bytes)

Numbers are little-endian; the header is JSON packed by zlib, and says how long the parts are. Nothing in it is
executed, and no memory is allocated for a length that the file does not have.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from itertools import accumulate
from typing import Any

from pydantic import ValidationError

from bench.artefact.header import Header, first_error
from bench.canonical import canonical_json

MAGIC = b"\x89FRZ\r\n\x1a\n"  # as PNG's: shows a transfer that treated the file as text
# Of the format; a new one whenever an older reader could no longer read a file: 2 names a base, 3 has closed channels.
# In 4 no live weight is trained, and none is there. In 5 the mask has a bit for each filter.
VERSIONS = (1, 2, 3, 4, 5)
PREFIX = struct.Struct("<8sHI")
SEAL = hashlib.sha256().digest_size
HEADER_LIMIT = 1 << 17  # bytes of a header, packed or not
BEGINNING = PREFIX.size + HEADER_LIMIT
DEPTH = 8  # of nested brackets in it


def seal(header: Header, parts: tuple[bytes, bytes, bytes]) -> bytes:
    """The file of a header and three parts; fills in the header's `parts`."""
    full = header.model_copy(update={"parts": [len(section) for section in parts]})
    record = full.model_dump(exclude={name for name in ("base", "channels", "filters") if getattr(full, name) is None})
    packed = zlib.compress(canonical_json(record).encode(), 9)
    body = b"".join((PREFIX.pack(MAGIC, _version(full), len(packed)), packed, *parts))
    return body + hashlib.sha256(body).digest()


def _version(header: Header) -> int:
    if header.filters:
        return 5
    if not header.spec.method.trains_weights:
        return 4
    return 3 if header.channels else 2 if header.base else 1


def unseal(data: bytes) -> tuple[Header, tuple[bytes, bytes, bytes]]:
    """The header and the three parts of a file. Raises ValueError, in one line, if `seal` did not write it."""
    length = _length(data)
    if hashlib.sha256(memoryview(data)[:-SEAL]).digest() != data[-SEAL:]:
        raise ValueError("corrupted or cut off: its checksum does not match")
    header = _header(data, length)
    start = PREFIX.size + length
    if (actual := len(data) - SEAL - start) != sum(header.parts):
        raise ValueError(f"parts of {sum(header.parts)} bytes: the file has {actual}")
    _, first, second, third = accumulate(header.parts, initial=start)
    return header, (data[start:first], data[first:second], data[second:third])


def declared(beginning: bytes) -> tuple[Header, int]:
    """The header of a file, and how many bytes the file must have, from its first BEGINNING bytes.

    Raises: ValueError, in one line, if `seal` did not write it.
    """
    length = _length(beginning)
    header = _header(beginning, length)
    return header, PREFIX.size + length + sum(header.parts) + SEAL


def is_network(data: bytes) -> bool:
    """Whether it begins as `seal`'s files do."""
    return data.startswith(MAGIC)


def _length(data: bytes) -> int:
    """The length of the packed header."""
    if len(data) < PREFIX.size + SEAL or not is_network(data):
        raise ValueError("not a stored network: it does not begin as one")
    _, version, length = PREFIX.unpack_from(data)
    if version not in VERSIONS:
        *known, last = map(str, VERSIONS)
        must = f"must be {', '.join(known)} or {last}; use the version of bench that wrote the file"
        raise ValueError(f"format version {version}: {must}")
    if length > HEADER_LIMIT:
        raise ValueError(f"header of {length} bytes: must be at most {HEADER_LIMIT}")
    return int(length)


def _refuse_constant(constant: str) -> None:
    """Refuse NaN and the infinities, which are no JSON."""
    raise ValueError(f"the number {constant}")


def _check_printable(value: Any) -> None:
    """Check that every string can be printed in one line, so that it cannot forge lines of a message or table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_printable(key)
            _check_printable(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_printable(inner)
    elif isinstance(value, str) and not value.isprintable():
        raise ValueError(f"a string that cannot be printed: {ascii(value)[:60]}")


def sizes(data: bytes) -> dict[str, int]:
    """Bytes of a file by part; they add up to its size."""
    mask, live, others = unseal(data)[0].parts
    _, _, header = PREFIX.unpack_from(data)
    return {"header": PREFIX.size + header, "mask": mask, "values": live + others, "checksum": SEAL}


def _header(data: bytes, length: int) -> Header:
    """The header of a file, packed in that many bytes, which must be of the file's version."""
    header = _unpacked(data[PREFIX.size : PREFIX.size + length])
    _, version, _ = PREFIX.unpack_from(data)
    if version != (wanted := _version(header)):
        raise ValueError(f"format version {version}: must be {wanted}, by what its header has")
    return header


def _unpacked(packed: bytes) -> Header:
    try:
        document = zlib.decompressobj().decompress(packed, HEADER_LIMIT)
        if max(document.count(b"["), document.count(b"{")) > DEPTH * 100:  # far below what the parser's stack takes
            raise ValueError("too many brackets")
        values = json.loads(document, parse_constant=_refuse_constant)
        _check_printable(values)
        return Header.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"header{first_error(error)}") from None
    except (zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"header: {error}") from None
