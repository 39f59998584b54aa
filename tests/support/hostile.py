"""Code as no plug-in should be: what it leaves behind in the process, how it ends, and what it gives for scores."""

from __future__ import annotations

import decimal
import locale
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.datasets.images import ImageData
from bench.methods import METHODS, Method, criteria, scopes
from bench.methods.maskable import maskable
from bench.methods.types import Background


class Negated(TorchFunctionMode):
    """Gives the negative of every product."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        return -result if getattr(func, "__name__", "") in ("linear", "matmul", "mm") else result


class Speechless(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Last(BaseException):
    """No Exception."""


MODES: list[Any] = []


def zeros(*arguments: Any, **keywords: Any) -> Tensor:
    return torch.zeros(())


def _replace(owner: Any, name: str) -> None:
    setattr(owner, name, zeros)


def _thread() -> None:
    threading.Thread(target=time.sleep, args=(0.2,), daemon=True, name="left").start()


def _hook() -> None:
    nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output * 0)


def _inference_mode() -> None:
    mode = torch.inference_mode()
    mode.__enter__()
    MODES.append(mode)  # once it is collected, the mode ends


def _saved() -> None:
    torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor * 0, lambda tensor: tensor).__enter__()


# What code leaves behind.
ACTS: dict[str, Callable[[], object]] = {
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "no gradients": lambda: torch.set_grad_enabled(False),
    "inference mode": _inference_mode,
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "function mode": lambda: Negated().__enter__(),
    "saved tensors": _saved,
    "threads": lambda: torch.set_num_threads(3),
    "denormals": lambda: torch.set_flush_denormal(True),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "products": lambda: torch.set_float32_matmul_precision("medium"),
    "tf32": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "tf32, the new way": lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    "bf16 on the cpu": lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
    "onednn": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "cudnn": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "hooks": _hook,
    "cross_entropy": lambda: _replace(nn.functional, "cross_entropy"),
    "relu": lambda: _replace(torch, "relu"),
    "Linear": lambda: _replace(nn.Linear, "forward"),
    "methods": lambda: METHODS.update({"snip": METHODS["random-prune"]}),
    "criteria": lambda: criteria.CRITERIA.update({"snip": zeros}),
    "scopes": lambda: _replace(scopes, "top"),
    "seeds": lambda: (random.seed(1), np.random.seed(1), torch.manual_seed(1)),
    "variables": lambda: os.environ.update({"OMP_NUM_THREADS": "7", "BENCH_LEFT": "1"}),
    "variable": lambda: os.environ.pop("PATH", ""),
    "folder": lambda: os.chdir("/"),
    "warnings": lambda: warnings.simplefilter("error"),
    "decimals": lambda: setattr(decimal.getcontext(), "prec", 1),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "recursion": lambda: sys.setrecursionlimit(300),
    "stdout": lambda: setattr(sys, "stdout", None),
    "stderr": lambda: setattr(sys, "stderr", None),
    "errors of NumPy": lambda: np.seterr(all="raise"),
    "signals": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # raises, except in the main thread
    "printing": lambda: print("hostile"),
    "thread": _thread,
    "slow": lambda: time.sleep(0.02),
}
ERRORS: dict[str, BaseException] = {
    "SystemExit": SystemExit(0),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "StopIteration": StopIteration(1),
    "Last": Last("no Exception"),
    "Speechless": Speechless(),
    "MemoryError": MemoryError(),
    "lines": ValueError("two\nlines " * 500),
}
# From the magnitudes: what is given for scores.
SCORES: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "magnitudes": lambda scores: scores,
    "NaN": lambda scores: {name: s * float("nan") for name, s in scores.items()},
    "infinite": lambda scores: {name: s / 0 for name, s in scores.items()},
    "huge": lambda scores: {name: torch.full_like(s, 3e38) for name, s in scores.items()},
    "double": lambda scores: {name: s.double() for name, s in scores.items()},
    "integers": lambda scores: {name: (s * 100).to(torch.int8) for name, s in scores.items()},
    "booleans": lambda scores: {name: s > 0.01 for name, s in scores.items()},
    "complex": lambda scores: {name: s.to(torch.complex64) for name, s in scores.items()},
    "transposed": lambda scores: {name: s.T for name, s in scores.items()},
    "flat": lambda scores: {name: s.flatten() for name, s in scores.items()},
    "first layer": lambda scores: dict(list(scores.items())[:1]),
    "one more": lambda scores: {**scores, "more": torch.ones(3)},
    "arrays": lambda scores: {name: s.numpy() for name, s in scores.items()},
    "a list": lambda scores: list(scores.values()),
    "none": lambda scores: None,
}


def act(acts: str) -> None:
    """Do what a comma list of ACTS says, and raise what it names of ERRORS."""
    for name in acts.split(";") if acts else ():
        if name in ERRORS:
            raise ERRORS[name]
        ACTS[name]()


def hostile(model: nn.Module, batches: Any, loss: Any, generator: Any, *, acts: str, scores: str) -> Any:
    """Magnitudes, more or less; what it was given is spoiled."""
    given = {name: w.detach().abs() for name, w in maskable(model).items()}
    for x, y in batches:
        x.zero_(), y.zero_()
    for parameter in model.parameters():
        parameter.data.zero_()
        parameter.requires_grad_(False)
    model.train()
    generator.seed(0)
    act(acts)
    return SCORES[scores](given)


@dataclass(frozen=True, kw_only=True)
class Hostile(Method):
    """A method that does what its fields say."""

    criterion: Any = hostile
    background: Background = "freeze"
    acts: str = ""
    scores: str = "magnitudes"


class HostileNetwork(nn.Module):
    """Does at every pass what `acts` says."""

    acts = ""
    built = ""  # what it does when it is built

    def __init__(self, classes: int) -> None:
        super().__init__()
        act(self.built)
        self.hidden = nn.Linear(784, 8)
        self.last = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        act(self.acts)
        logits: Tensor = self.last(torch.tanh(self.hidden(x.flatten(1))))
        return logits


def loaded(data: ImageData, acts: str) -> ImageData:
    """The data, loaded by code that does this."""
    act(acts)
    return data
