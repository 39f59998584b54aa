"""Where a trial ran: hardware, versions and the state of this project's source, as tags."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import names

PACKAGES = ("torch", "torchvision", "timm", "numpy", "ray", "mlflow")
SOURCE = Path(__file__).parents[2]
ROOMS = ("bench", "datasets", "methods", "models", "results")  # the folders of the source
GIT_SECONDS = 5.0  # the longest wait for git, as on a slow disk


def environment() -> dict[str, str]:
    """Tag -> value. The graphics card is named if torch is loaded and has one."""
    return {**_fixed(), **_gpu()}


@cache
def _fixed() -> dict[str, str]:
    tags = {
        "bench.host": platform.node(),
        "bench.os": platform.platform(),
        "bench.cpu": _cpu(),
        "bench.cores": str(os.cpu_count() or 0),
        "bench.python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            tags[f"bench.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return {**tags, **_git(SOURCE)}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _gpu() -> dict[str, str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return {"bench.gpu": str(torch.cuda.get_device_name()), "bench.gpu_runtime": str(torch.version.cuda)}


def _git(folder: Path) -> dict[str, str]:
    """Commit and state of the checkout whose top is `folder`; nothing if it is none, as in an installed package."""
    top = _ask_git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return {}
    commit = _ask_git(folder, "rev-parse", "HEAD")
    changes = _ask_git(folder, "status", "--porcelain", "--", *ROOMS)  # a store or a report beside them does not count
    if commit is None or changes is None:
        return {}
    return {names.GIT_COMMIT: commit, names.GIT_DIRTY: str(bool(changes)).lower()}


def _ask_git(folder: Path, *arguments: str) -> str | None:
    # Optional locks off: reading must not disturb a commit made at the same time.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
