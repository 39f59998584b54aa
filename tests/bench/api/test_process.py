"""`bench.compare` leaves the process as it was: its folder, variables, warnings, loggers, generators and torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import small_store

CODE = """
import locale, logging, os, random, signal, sys, threading, warnings
import matplotlib
import numpy as np
import torch
import bench

torch.set_num_threads(2)
torch.manual_seed(3)
random.seed(3)
np.random.seed(3)
torch.set_default_dtype(torch.float64)
warnings.filterwarnings("error", message="mine")
logging.basicConfig(level=logging.WARNING)
logging.getLogger("mlflow").setLevel(logging.DEBUG)
before_import = set(sys.modules)

def state():
    return {
        "folder": os.getcwd(), "variables": dict(os.environ), "path": list(sys.path),
        "threads": torch.get_num_threads(), "dtype": torch.get_default_dtype(), "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(), "torch": torch.get_rng_state().tolist(),
        "python": random.getstate(), "numpy": np.random.get_state()[1].tolist(),
        "filters": list(warnings.filters), "show": warnings.showwarning,
        "loggers": {
            name: (logger.level, list(logger.handlers), logger.propagate, logger.disabled)
            for name, logger in [("", logging.getLogger()), ("mlflow", logging.getLogger("mlflow"))]
        },
        "back end": matplotlib.rcParams._get("backend"), "font": matplotlib.rcParams["font.size"],
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "streams": (sys.stdout, sys.stderr), "locale": locale.setlocale(locale.LC_ALL),
    }

before = state()
comparison = bench.compare(rates=0.9, seeds=1, epochs=1, store=sys.argv[1])
comparison.table(), comparison.answer, comparison.curves, comparison.plot("gradients"), comparison._repr_html_()
bench.frame(sys.argv[1])
after = state()
print([name for name in before if before[name] != after[name]], set(comparison.frame["outcome"]))
print("ray" in sys.modules, [t.name for t in threading.enumerate() if not t.daemon])
"""


def test_the_process_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(small_store.empty())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MPL"))}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300,
    )  # fmt: skip
    assert done.stdout == "[] {'done'}\nFalse ['MainThread']\n", done.stderr
