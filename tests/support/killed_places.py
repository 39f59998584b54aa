"""Where a sweep is killed: a working folder, a store and a temporary folder of its own, and what is started there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
from command_line import COMMAND, called, environment
from kills import Kill
from stored_figures import Stored, of_database, of_folder

from bench.storage.ownership.working_folder import remove_abandoned

SWEEP = ("run", "--methods", "freeze,snip", "--rates", "0.9", "--seeds", "2", "--epochs", "12")
HANG_SECONDS = 400.0  # after which a command counts as one that never ends
ENDING_SECONDS = 60.0  # that the processes of a command that has ended may take to end
DATABASE = "mlflow.db"


class Place:
    """A working folder with a store and a temporary folder of its own, and the commands that are started there."""

    def __init__(self, folder: Path, kill: Kill) -> None:
        folder.mkdir(parents=True)
        self.folder, self.kill = folder, kill
        self.temporary = Path(tempfile.mkdtemp(prefix="k", dir="/tmp"))  # short: Ray's sockets lie there
        self.hangs, self.logs = 0, 0
        self.database = f"sqlite:///{folder}/{DATABASE}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.server = self._serve() if kill.store == "server" else None

    def variables(self) -> dict[str, str]:
        """The environment of its commands."""
        store = f"http://127.0.0.1:{self.port}" if self.kill.store == "server" else self.database
        own = {"MLFLOW_TRACKING_URI": store, "XDG_STATE_HOME": str(self.folder / "state")}
        return environment() | own | {"TMPDIR": str(self.temporary)}

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / name).open("ab") as log:
            return subprocess.Popen(
                arguments, cwd=self.folder, env=self.variables(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _serve(self) -> subprocess.Popen[bytes]:
        options = ("--host", "127.0.0.1", "--port", self.port, "--workers", "1")
        files = ("--backend-store-uri", self.database, "--artifacts-destination", str(self.folder / "files"))
        server = self._start("server.txt", sys.executable, "-m", "mlflow", "server", *options, *files)
        while server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                break
            time.sleep(0.1)
        return server

    def serve_again(self) -> None:
        """Start the server, which was hit, once more."""
        if self.server is not None:
            self.server.wait()
            time.sleep(1.0)
            self.server = self._serve()

    def sweep(self) -> subprocess.Popen[bytes]:
        """A driver of the sweep."""
        self.logs += 1
        kept = ("--executor", "local", "--offline", "kept")
        options = kept if self.kill.executor == "offline" else ("--executor", self.kill.executor)
        return self._start(f"{self.logs}.log", *COMMAND, *SWEEP, *options)

    def table(self) -> str:
        """The table of what is stored, which is the last thing that is asked for."""
        if self.kill.executor == "offline":
            called(self.folder, "import", "kept", **self.variables())
        table = called(self.folder, "table", **self.variables()).stdout
        if self.server is not None:
            kill_tree(self.server.pid)
            self.server.wait()
        return table

    def ended(self, process: subprocess.Popen[bytes]) -> int | None:
        """Its exit code; None if it had to be ended, as it hung."""
        try:
            return process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.hangs += 1
            kill_tree(process.pid)
            process.wait()
            return None

    def output(self) -> str:
        """What our commands have said."""
        return "\n".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log")))

    def stored(self) -> Stored:
        """What the store, or the offline folder, has."""
        if self.kill.executor == "offline":
            return of_folder(self.folder / "kept")
        return of_database(self.folder / DATABASE)

    def left_over(self) -> int:
        """Processes of its commands that do not end, and our folders in its temporary one that no next start removes.

        Both end here. Ray's last processes end some seconds after a killed driver.
        """
        deadline = time.monotonic() + ENDING_SECONDS
        while (processes := [p for p in psutil.process_iter() if self._is_ours(p)]) and time.monotonic() < deadline:
            time.sleep(0.5)
        remove_abandoned(self.temporary)
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        folders = list(self.temporary.glob("bench-*"))
        shutil.rmtree(self.temporary, ignore_errors=True)
        return len(processes) + len(folders)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("TMPDIR") == str(self.temporary) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def kill_tree(pid: int) -> None:
    """Kill a process and all that it has started."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                each.kill()
