"""A local Ray that gives up while it starts is started once more."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_line import environment

pytestmark = pytest.mark.slow  # starts Ray
TWICE = """
import io, sys
from bench.execution.ray_machine import ray_options, ray_process

class Stderr(io.TextIOWrapper):
    def write(self, text):
        if "once more" in text:
            ray_options.OBJECT_STORE_BYTES = 100 * 2**20
        return super().write(text)

sys.stderr = Stderr(open(2, 'wb', closefd=False), write_through=True)
ray_options.OBJECT_STORE_BYTES = 1  # which Ray refuses
ray_process.wait(None)
import ray
print(ray.is_initialized(), len(ray.nodes()))
"""


def test_a_start_that_ray_gives_up_is_tried_once_more() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout == "True 1\n", done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "once more" in line]
    assert line.startswith("Ray at this machine does not start: ValueError: ")
    assert line.endswith("; --executor local trains without Ray; it is tried once more")
