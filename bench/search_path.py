"""Where Python looks for modules: a checkout comes last, because its `datasets/` has another package's name."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def checkout_last() -> None:
    """Put the checkout's folder at the end of `sys.path`, if it is there; in an install do nothing.

    `python -m bench` in a checkout puts the folder first, and Ray puts the folder a sweep is started from first in its
    workers. There, `import datasets` in a library would mean this project's folder, not Hugging Face's package.
    The folder is not taken off: a process of multiprocessing's finds `bench` by it, a plug-in the files beside it.
    """
    if Path(__file__).with_name("datasets").resolve().parent != CHECKOUT:  # in an install it lies in the package
        return
    entries = [entry for entry in sys.path if Path(entry).resolve() == CHECKOUT]
    sys.path[:] = [entry for entry in sys.path if entry not in entries] + entries
