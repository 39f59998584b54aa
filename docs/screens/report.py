"""Draws docs/img/report-phone.png, report-dark.png and report-print.png: a report on digits in a real browser.

Trains the little store that it shows. Needs chromium, chromium-driver and pdftoppm (poppler-utils).

python docs/screens/report.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "img"
sys.path.insert(0, str(ROOT / "tests" / "support"))  # for `browser`

SWEEP = "run --executor local --name digits --methods freeze,snip,grasp-freeze,grasp-prune --rates 0.9,0.99,0.995 "
COMMANDS = (f"{SWEEP} --seeds 5 --epochs 3", "report -o report.html")
DARK = (1280, 1500)  # CSS pixels of the window
SHRUNK, COLOURS = 0.65, 256  # of the dark picture; of every picture


def bench(folder: Path, command: str) -> None:
    """Run a command in that folder, with a store there."""
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "bench", *command.split()], cwd=folder, env=os.environ | store, check=True)


def save(picture: Image.Image, name: str) -> None:
    """As a small PNG."""
    picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(
        FOLDER / f"report-{name}.png", optimize=True
    )


def first_pages(pdf: bytes, folder: Path) -> Image.Image:
    """The first two pages of a PDF, side by side."""
    (folder / "report.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "60", "-png", "-l", "2", "report.pdf", "page"], cwd=folder, check=True)
    pages = [Image.open(file) for file in sorted(folder.glob("page-*.png"))]
    both = Image.new("RGB", (sum(page.width + 8 for page in pages), pages[0].height), "#888888")
    for number, page in enumerate(pages):
        both.paste(page, (number * (page.width + 8), 0))
    return both


def main() -> None:
    """Write the pictures."""
    from browser import PHONE, browser

    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as name, browser() as window:
        folder = Path(name)
        for command in COMMANDS:
            bench(folder, command)
        window.show(folder / "report.html", PHONE)
        save(Image.open(BytesIO(window.picture())), "phone")
        window.show(folder / "report.html", DARK, dark=True)
        dark = Image.open(BytesIO(window.picture()))
        save(dark.resize((int(dark.width * SHRUNK), int(dark.height * SHRUNK)), Image.Resampling.LANCZOS), "dark")
        window.show(folder / "report.html", DARK)
        save(first_pages(window.printed(), folder), "print")


if __name__ == "__main__":
    main()
