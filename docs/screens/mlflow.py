"""docs/img/mlflow-runs.png, mlflow-curves.png, mlflow-answer.png: MLflow's pages on a sweep, at the addresses of `ui`.

Trains a small sweep on digits in a temporary folder (about a minute), and needs Chromium with its driver.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "img"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from mlflow_browser import Browser, browser, served  # noqa: E402

SWEEP = ["run", "--methods", "freeze,snip", "--rates", "0.9,0.99", "--seeds", "3", "--epochs", "5"]

CURVES = "curve/(train|valid)"  # what is typed into the search of the charts
WITHOUT_TOOLS = "document.head.insertAdjacentHTML('beforeend', '<style>.modebar { display: none }</style>')"


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "bench", *SWEEP, "--executor", "local"]
        subprocess.run(command, cwd=folder, check=True)
        with served(folder) as addresses, browser(folder, 1400, 900) as page:
            write(page, addresses)


def write(page: Browser, addresses: dict[str, str]) -> None:
    """The list of runs, their curves, and the answer."""
    page.open(addresses["runs"])
    page.wait_for("test_accuracy", "freeze 0.9 seed 0")
    page.close_assistant()
    _save(page, "mlflow-runs.png")
    page.open(f"{addresses['runs']}&compareRunsMode=CHART")
    page.wait_for("accuracy (3)")
    page.search_charts(CURVES)
    page.driver.execute_script(WITHOUT_TOOLS)
    _save(page, "mlflow-curves.png")
    page.open(addresses["answer"])
    page.wait_for("Artifacts", "weights")
    _save(page, "mlflow-answer.png")


def _save(page: Browser, file: str) -> None:
    time.sleep(4.0)  # what is drawn late: charts, the ends of animations
    page.driver.save_screenshot(str(IMAGES / file))


if __name__ == "__main__":
    main()
