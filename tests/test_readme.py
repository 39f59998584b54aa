"""README.md is short, and what it shows does what it says, as it stands there."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import environment
from environments import Environment
from pages import README, ROOT, blocks
from PIL import Image

WORDS = 1_200
LINES = 10  # from a clean machine to a table and a PDF: fewer
NETWORK = """
from torch import nn


class CNN(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.last = nn.Linear(128, classes)

    def forward(self, x):
        return self.last(self.features(x))
"""


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip()]


def own() -> tuple[str, str]:
    """The plug-in, and the line of shell that uses it."""
    (plugin,) = blocks(README, "python")
    (command,) = (block for block in blocks(README, "sh") if "--plugin mine.py" in block)
    return plugin, command


def installing() -> str:
    (line,) = (line for block in blocks(README, "sh") for line in block.splitlines() if "pip install -q . " in line)
    return line.partition(" && .venv/bin/python -m bench")[0]


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").split()) <= WORDS


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README.read_text("utf-8"))
    assert len(links) > 10 and [link for link in links if not (ROOT / link).exists()] == []


def test_own_parts_take_few_lines() -> None:
    plugin, command = own()
    assert len([*lines(plugin), *lines(command), installing()]) < LINES


def test_what_is_installed_is_the_checkout_in_a_new_environment() -> None:
    assert installing() == "python3 -m venv .venv && .venv/bin/pip install -q ."


def images(folder: Path) -> None:
    """Images of 24 × 24 pixels in three classes that differ by their mean colour."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 10)):
        for channel, name in enumerate(("red", "green", "blue")):
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 160, (24, 24, 3), dtype=np.uint8)
                pixels[..., channel] += 90
                Image.fromarray(pixels).save(folder / part / name / f"{index}.png")


@pytest.mark.slow
def test_own_parts_from_a_clean_machine(tmp_path: Path, wheel: Path, record_property: pytest.RecordProperty) -> None:
    """Own network, images and criterion, to a table and a PDF: the lines as they stand, after an installation.

    Only torch and the other dependencies come from this environment, not from a network. How long it takes is noted.
    """
    folder = tmp_path / "reader"
    images(folder / "images")
    plugin, command = own()
    (folder / "net.py").write_text(NETWORK)
    (folder / "mine.py").write_text(plugin)
    start = time.monotonic()
    Environment(folder / ".venv").install(wheel)
    record_property("installation seconds", round(time.monotonic() - start, 1))
    ours = ("PYTHONPATH", "PYTHONSAFEPATH")  # of the tests, and not of a reader's shell
    variables = {k: v for k, v in environment().items() if k not in ours} | {"HOME": str(folder)}
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, cwd=folder, env=variables, capture_output=True, text=True, timeout=900)
    record_property("seconds", round(time.monotonic() - start, 1))
    assert done.returncode == 0, done.stderr
    table = (folder / "table.md").read_text()
    assert "small-freeze" in table and "small-prune" in table and "cnn" in table
    assert (folder / "difference.pdf").read_bytes().startswith(b"%PDF")
