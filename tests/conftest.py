"""One thread per process: what a trial trains with by default, and no test then waits for another's core."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import postgresql
import pytest
import torch
from checkout import build, built_in_before

from bench.disk import locked

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built once for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if own.name.startswith("popen-") else own  # of xdist, or of this process
    with locked(folder, lambda: None):
        if not (built := list((folder / "wheel").glob("*.whl"))):
            return build("build_wheel", built_in_before(folder / "checkout of the wheel"), folder / "wheel")
    return built[0]


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of this process of the tests."""
    if reason := postgresql.why_not():
        pytest.skip(reason)
    with postgresql.server() as started:
        yield started


OPEN = "import sys; from bench.storage.mlflow_store import Store; print(Store(sys.argv[1]).experiment('here'))"


@pytest.fixture(scope="session")
def first_start(server: postgresql.Server) -> tuple[str, list[subprocess.CompletedProcess[str]]]:
    """A database whose tables two processes have made at once, and how these have ended."""
    uri = server.database()
    command = [sys.executable, "-c", OPEN, uri]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    said = [process.communicate() for process in processes]
    return uri, [subprocess.CompletedProcess(command, p.returncode, *s) for p, s in zip(processes, said, strict=True)]


@pytest.fixture
def database(server: postgresql.Server, first_start: tuple[str, object]) -> str:
    """The address of a store in PostgreSQL, without a trial."""
    return server.database(template=first_start[0])
