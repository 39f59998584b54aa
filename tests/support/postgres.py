"""A PostgreSQL server of the tests' own, where one is installed: without a password, on a socket in its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POSTGRES = shutil.which("postgres")
LACKING = "" if POSTGRES and shutil.which("initdb") else "needs PostgreSQL's initdb and postgres"
USER = "postgres" if os.getuid() == 0 else None  # it does not run as root


@contextmanager
def server() -> Iterator[str]:
    """A running server with an empty database; its address."""
    with tempfile.TemporaryDirectory(prefix="bench-postgres-") as name:
        folder = Path(name)
        if USER:
            shutil.chown(folder, USER)
        data, programs = folder / "data", Path(os.path.realpath(POSTGRES or "")).parent
        options: dict[str, Any] = {"cwd": folder, "user": USER, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([programs / "initdb", "--no-sync", "-A", "trust", "-U", "bench", "-D", data], **options)
        control = [programs / "pg_ctl", "-D", data, "-w"]
        settings = f"-k {folder} -c listen_addresses= -c fsync=off"
        subprocess.run([*control, "-l", folder / "log", "-o", settings, "start"], **options)
        try:
            yield f"postgresql://bench@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **options)
