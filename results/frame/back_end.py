"""matplotlib without a back end: every figure of ours is a file."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def import_matplotlib() -> None:
    """Import matplotlib whatever MPLBACKEND names. Call it before anything that imports matplotlib.

    A notebook sets the variable for everything that it starts, and matplotlib cannot be imported if the back end it
    names is unknown here. One that is known stays the choice of the process, as our figures do not use it.
    """
    if "matplotlib" in sys.modules or (name := os.environ.pop("MPLBACKEND", None)) is None:
        return
    try:
        import matplotlib
    finally:
        os.environ["MPLBACKEND"] = name
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = name
