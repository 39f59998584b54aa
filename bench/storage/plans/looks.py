"""A look at the results of a plan, as a tag of its run: the same trials give the same tag, so they are one look."""

from __future__ import annotations

import json
import time
from collections.abc import Collection

from bench import names
from bench.messages import folded, shortened, store_error

COMMAND_LENGTH = 1_000  # of a command line that is kept with a look


def record_look(uri: str, run: str, data: str, *, seeds: Collection[int], trials: int, command: str) -> str:
    """Tag the run of a plan with a look; returns "", or why the store does not take it, as one that is read-only.

    Args: data: what tells these trials from others. seeds: those that every comparison has. trials: that have ended.
    """
    from bench.storage.mlflow_store import Store

    shown = shortened(command, COMMAND_LENGTH)
    look = {"time": time.time(), "seeds": len(seeds), "at": sorted(seeds), "trials": trials, "command": shown}
    try:
        Store(uri).tag(run, names.LOOK + data, json.dumps(look, sort_keys=True))
    except (OSError, ValueError) as error:
        return folded(error)
    except Exception as error:
        if (reason := store_error(error)) is None:
            raise
        return reason
    return ""
