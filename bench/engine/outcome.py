"""What a trial that ended early came to."""

from __future__ import annotations

import traceback

from bench import names
from bench.messages import explained


class Diverged(Exception):
    """The loss, a gradient or a weight became NaN or infinite: an outcome, not an error."""


def outcome_of(error: Exception | None) -> tuple[str, str]:
    """Outcome and reason of a trial that ended with this error, or none."""
    if error is None:
        return names.DONE, ""
    if isinstance(error, Diverged):
        return names.DIVERGED, str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(explained(error).split())
    return names.FAILED, f"{type(error).__name__}: {message} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
