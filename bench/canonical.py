"""One text of a record, and the key that follows from it. Imports nothing of ours: every room may import it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(record: Mapping[str, Any]) -> str:
    """The one text of a record: sorted keys, no spaces, no NaN."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


def group_key_of(record: Mapping[str, Any]) -> str:
    """The key of a trial's record without its seed: what a table cell aggregates."""
    return key_of({name: value for name, value in record.items() if name != "seed"})
