"""How Ray is started: quiet, small, and finding this project from any folder. Imports no Ray."""

from __future__ import annotations

import logging
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.search_path import working_folder_if_absent
from bench.storage.ownership.working_folder import new_folder

ROOT = str(Path(__file__).parents[3])  # the folder that contains the package
OBJECT_STORE_BYTES = 512 * 2**20  # only specs and results with their networks pass through; Ray's default is 30 %
# Environment variables of the driver: an experiment that keeps no files, prints nothing and leaves signals alone.
DRIVER_SWITCHES = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",  # resuming is the store's business
    "TUNE_WARN_THRESHOLD_S": "1e9",
}
WORKER_VARIABLES = {
    "OMP_NUM_THREADS": "1",  # torch's own count is set per pack
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def temporary_base() -> Path:
    """Where a local Ray's folder is made: in the temporary folder, if its path is short.

    Ray adds some 65 characters for its sockets, and a socket's path has at most 107.
    """
    base = tempfile.gettempdir()
    return Path(base if len(base) < 25 else "/tmp")


def temporary_folder() -> Path:
    """A new folder for a local Ray's logs, sockets and token.

    Our own, because Ray's shared one may belong to another user or to a sweep that is ending.
    """
    return new_folder(temporary_base())


def init_options(address: str | None, folder: Path | None) -> dict[str, Any]:
    """The arguments of `ray.init`: to join the cluster at `address`, or for a new local Ray in `folder`."""
    environment = {
        "env_vars": {**WORKER_VARIABLES},
        "worker_process_setup_hook": _find_bench(ROOT, working_folder_if_absent()),
    }
    options: dict[str, Any] = {
        "address": address or "local",  # not None, which joins whatever cluster Ray finds on this machine
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "runtime_env": environment,
    }
    if folder is not None:
        environment |= {"py_executable": shlex.quote(sys.executable)}  # Ray hands its own, unquoted, to a shell
        options |= {"_temp_dir": str(folder), "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    return options


def _find_bench(root: str, absent: str) -> Callable[[], None]:
    """What a worker does first: import this package, before Ray puts the driver's working folder on its path.

    That folder may well hold a bench.py of its own. A nested function, because Ray would import another one by name.
    The path is restored: beside the package there may be a checkout's folders, with names that others use too.

    Args: absent: the driver's working folder if the driver does not look there, so that a library finds no other
          `datasets` in a worker than in the driver; or "".
    """

    def find() -> None:
        import sys

        sys.path.insert(0, root)
        from pathlib import Path

        from bench.search_path import LAST

        LAST.update({Path(absent).resolve()} if absent else ())
        sys.path.remove(root)

    return find
