"""Where Python looks for modules: a checkout comes last, because its `datasets/` has another package's name."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LAST: set[Path] = set()  # other folders that come last in this process


def checkout_last() -> None:
    """Put the checkout's folder at the end of `sys.path`, if it is there, and those of LAST; in an install these alone.

    `python -m bench` in a checkout puts the folder first, and Ray puts the folder a sweep is started from first in its
    workers. There, `import datasets` in a library would mean this project's folder, not Hugging Face's package.
    The folder is not taken off: a process of multiprocessing's finds `bench` by it, a plug-in the files beside it.
    """
    # In an install the rooms lie in the package.
    linked = Path(__file__).with_name("datasets").resolve().parent == CHECKOUT
    last = LAST | ({CHECKOUT} if linked else set())
    entries = [entry for entry in sys.path if Path(entry).resolve() in last]
    sys.path[:] = [entry for entry in sys.path if entry not in entries] + entries


def working_folder_if_absent() -> str:
    """The working folder, if this process does not look for modules there; else ""."""
    listed = {Path(entry).resolve() for entry in sys.path}
    return "" if Path.cwd().resolve() in listed else str(Path.cwd())
