"""The command line of the first contact, and what a process does that has one step. Needs torch, torchvision, numpy."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from bench.disk import write_whole
from bench.speed.first_contact.driver import STEPS, carry_out, is_right


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 if all that was tried went well, 1 if not, 2 if nothing could be tried."""
    given = _parser().parse_args(arguments)
    if given.step:
        return _one(given)
    names = given.only.split(",") if given.only else list(STEPS)
    if unknown := [name for name in names if name not in STEPS]:
        print(f"error: step {unknown[0]!r}: must be one of {', '.join(STEPS)}", file=sys.stderr)
        return 2
    if given.device == "cuda" and not _has_cuda():
        print("error: device cuda: torch finds none here; --device cpu --tiny tries the steps", file=sys.stderr)
        return 2
    passed = ["--device", given.device, *(["--tiny"] if given.tiny else [])]
    passed += ["--data-root", str(given.data_root)] if given.data_root else []
    known = carry_out(names, given.json, given.minutes, passed)
    return 0 if is_right(known) else 1


def _parser() -> argparse.ArgumentParser:
    root = os.environ.get("BENCH_DATA_ROOT")
    parser = argparse.ArgumentParser(prog="python -m bench.speed.first_contact", description=_WORDS)
    parser.add_argument("--json", type=Path, required=True, help="the file of the figures, up to date after each one")
    parser.add_argument("--minutes", type=float, default=8.0, help="of all steps together (default: 8)")
    parser.add_argument("--only", default="", help=f"these steps, a comma list of {', '.join(STEPS)}")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small sizes: whether the steps run, not how fast")
    parser.add_argument(
        "--data-root", type=Path, default=Path(root) if root else None, help="where MNIST lies, if it does"
    )
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60.0, help=argparse.SUPPRESS)
    return parser


_WORDS = "What of the engine works on a card, and how fast: one process for each question, one file for the answers."


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _one(given: argparse.Namespace) -> int:
    """Take one step in this process."""
    from bench.speed.first_contact.scene import Scene

    def keep(figures: dict[str, Any]) -> None:
        write_whole(given.json, json.dumps(figures).encode())

    until = time.time() + given.seconds
    scene = Scene(device=given.device, tiny=given.tiny, data_root=given.data_root, until=until, keep=keep)
    resolve_name(STEPS[given.step].work)(scene)
    return 0


if __name__ == "__main__":
    sys.exit(main())
