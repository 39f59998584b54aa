"""One thread per process: what a trial trains with by default, and no test then waits for another's core."""

from pathlib import Path

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
