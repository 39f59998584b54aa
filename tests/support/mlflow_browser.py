"""MLflow's pages as a user sees them: served by `ui`, opened at the addresses that it says, in a headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage")
ADDRESS = re.compile(r"^(runs|answer) of (.+): (http\S+)$")
SECONDS = 300.0  # for a server or a page, on a busy machine
RUNS_OF_A_CHART = r"""
    const traces = document.querySelector('.js-plotly-plot')?.data || [];
    return new Set(traces.map(trace => /\S+ \S+ seed \d+/.exec(trace.name)?.[0]).filter(Boolean)).size;
"""
ARTEFACT_BUTTONS = "button[data-component-id*='artifactview']"  # those of the artefact that a page shows
GROUP_SECONDS = 10.0  # for processes to be gone


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """`ui` in a folder with a store: "runs" and "answer" -> the address that it says of the latest sweep."""
    log = folder / "ui.log"
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "bench", "ui", "--port", str(free_port())]
        server = subprocess.Popen(command, cwd=folder, stderr=stream, stdout=stream, env=environment)
    try:
        yield _addresses(server, log)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(SECONDS)


def _addresses(server: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        lines = list(filter(None, map(ADDRESS.match, log.read_text().splitlines())))
        if {"runs", "answer"} <= {line.group(1) for line in lines}:
            return {line.group(1): line.group(3) for line in reversed(lines)}
        time.sleep(0.2)
    raise TimeoutError(log.read_text())


class Browser:
    """A page, and what is done with it."""

    def __init__(self, downloads: Path, width: int, height: int) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for argument in (*ARGUMENTS, f"--window-size={width},{height}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.processes = _family(self.driver.service.process.pid)

    def open(self, address: str) -> None:
        self.driver.get("about:blank")  # the same page at another address is loaded anew
        self.driver.get(address)

    def text(self) -> str:
        """The words of the page, on one line."""
        return " ".join(self.driver.find_element("tag name", "body").text.split())

    def wait_for(self, *words: str) -> str:
        """The page's text, once it has all these words."""
        end = time.monotonic() + SECONDS
        while not all(word in self.text() for word in words):
            if time.monotonic() > end:
                raise TimeoutError(f"no {words} in {self.text()}")
            time.sleep(0.2)
        return self.text()

    def columns(self) -> list[str]:
        """The columns of the list of runs, from the left."""
        cells = self.driver.find_elements("css selector", ".ag-header-cell")
        ordered = sorted(cells, key=lambda cell: cell.location["x"])
        return [str(cell.get_attribute("col-id")) for cell in ordered]

    def search_charts(self, pattern: str) -> None:
        """Show only the charts of these metrics."""
        self.driver.find_element("css selector", "input[placeholder='Search metric charts']").send_keys(pattern)

    def lines_of_a_chart(self) -> int:
        """How many lines the first chart has, once it has any."""
        end = time.monotonic() + SECONDS
        while not (lines := self._lines()) and time.monotonic() < end:
            time.sleep(0.2)
        return lines

    def _lines(self) -> int:
        """The runs that a chart shows: each is a line, or, hidden behind another, still a trace, or two of them."""
        return int(self.driver.execute_script(RUNS_OF_A_CHART))

    def download(self) -> None:
        """Download the artefact that the page shows, once it has the button: its one button, with an icon alone."""
        end = time.monotonic() + SECONDS
        while not (buttons := self.driver.find_elements("css selector", ARTEFACT_BUTTONS)) and time.monotonic() < end:
            time.sleep(0.2)
        (button,) = buttons
        button.click()

    def close_assistant(self) -> None:
        """Close the panel that MLflow opens beside a page."""
        self.driver.execute_script(
            "const panel = [...document.querySelectorAll('button')].filter(b => "
            "b.getBoundingClientRect().x > innerWidth - 60 && b.getBoundingClientRect().y < 60); panel.at(-1)?.click()"
        )
        time.sleep(1.0)

    def close(self) -> None:
        self.processes |= _family(self.driver.service.process.pid)
        self.driver.quit()


@contextmanager
def browser(downloads: Path, width: int = 1500, height: int = 900) -> Iterator[Browser]:
    """A headless browser; nothing of it is left afterwards."""
    page = Browser(downloads, width, height)
    try:
        yield page
    finally:
        page.close()


def running(processes: set[int]) -> set[int]:
    """Those of the processes that still run after a while."""
    end = time.monotonic() + GROUP_SECONDS
    while (left := {pid for pid in processes if _is_running(pid)}) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _family(pid: int) -> set[int]:
    """A process and all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return {pid}.union(*(_family(int(child)) for child in children))
