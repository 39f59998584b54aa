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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.datasets.images import ImageData
from bench.methods import METHODS, Method, scopes
from bench.methods.maskable import maskable
from bench.methods.types import Background, Scores


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


def zeros(*arguments: Any, **keywords: Any) -> Tensor:
    return torch.zeros(())


def _hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output * 0


class Acts:
    """What code leaves behind."""

    @staticmethod
    def autocast() -> None:
        torch.set_autocast_enabled("cpu", True)

    @staticmethod
    def no_gradients() -> None:
        torch.set_grad_enabled(False)

    @staticmethod
    def inference_mode() -> None:
        mode = torch.inference_mode()
        mode.__enter__()
        vars(torch).setdefault("_left", []).append(mode)  # once it is collected, the mode ends

    @staticmethod
    def dtype() -> None:
        torch.set_default_dtype(torch.float64)

    @staticmethod
    def device() -> None:
        torch.set_default_device("meta")

    @staticmethod
    def function_mode() -> None:
        Negated().__enter__()

    @staticmethod
    def saved_tensors() -> None:
        torch.autograd.graph.saved_tensors_hooks(zeros, zeros).__enter__()

    @staticmethod
    def threads() -> None:
        torch.set_num_threads(3)

    @staticmethod
    def denormals() -> None:
        torch.set_flush_denormal(True)

    @staticmethod
    def deterministic() -> None:
        torch.use_deterministic_algorithms(True)

    @staticmethod
    def anomaly() -> None:
        torch.autograd.set_detect_anomaly(True)

    @staticmethod
    def products() -> None:
        torch.set_float32_matmul_precision("medium")

    @staticmethod
    def tf32() -> None:
        torch.backends.cuda.matmul.allow_tf32 = True

    @staticmethod
    def tf32_the_new_way() -> None:
        torch.backends.cuda.matmul.fp32_precision = "tf32"

    @staticmethod
    def bf16_on_the_cpu() -> None:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"

    @staticmethod
    def onednn() -> None:
        torch.backends.mkldnn.enabled = False

    @staticmethod
    def cudnn() -> None:
        torch.backends.cudnn.benchmark = True

    @staticmethod
    def hooks() -> None:
        nn.modules.module.register_module_forward_hook(_hook)

    @staticmethod
    def cross_entropy() -> None:
        nn.functional.cross_entropy = zeros

    @staticmethod
    def relu() -> None:
        torch.relu = zeros

    @staticmethod
    def linear() -> None:
        nn.Linear.forward = zeros

    @staticmethod
    def methods() -> None:
        METHODS["snip"] = METHODS["random-prune"]

    @staticmethod
    def scopes() -> None:
        scopes.top = zeros

    @staticmethod
    def seeds() -> None:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)

    @staticmethod
    def variables() -> None:
        mock.patch.dict("os.environ", {"OMP_NUM_THREADS": "7", "BENCH_LEFT": "1"}).start()

    @staticmethod
    def variable() -> None:
        mock.patch.dict("os.environ", clear=True).start()

    @staticmethod
    def folder() -> None:
        os.chdir("/")

    @staticmethod
    def warnings() -> None:
        warnings.simplefilter("error")

    @staticmethod
    def decimals() -> None:
        decimal.getcontext().prec = 1

    @staticmethod
    def locale() -> None:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")

    @staticmethod
    def recursion() -> None:
        sys.setrecursionlimit(300)

    @staticmethod
    def stdout() -> None:
        sys.stdout = None

    @staticmethod
    def stderr() -> None:
        sys.stderr = None

    @staticmethod
    def errors_of_numpy() -> None:
        np.seterr(all="raise")

    @staticmethod
    def signals() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # raises, except in the main thread

    @staticmethod
    def printing() -> None:
        print("hostile")

    @staticmethod
    def thread() -> None:
        threading.Thread(target=time.sleep, args=(60.0,), daemon=True, name="left").start()

    @staticmethod
    def slow() -> None:
        time.sleep(0.02)


class Ends:
    """How code ends, other than by returning."""

    @staticmethod
    def exits() -> None:
        sys.exit(0)

    @staticmethod
    def interrupts() -> None:
        raise KeyboardInterrupt

    @staticmethod
    def closes() -> None:
        raise GeneratorExit

    @staticmethod
    def stops() -> None:
        raise StopIteration(1)

    @staticmethod
    def ends() -> None:
        raise Last("no Exception")

    @staticmethod
    def cannot_say() -> None:
        raise Speechless

    @staticmethod
    def is_out_of_memory() -> None:
        raise MemoryError

    @staticmethod
    def says_much() -> None:
        raise ValueError("two\nlines " * 500)


class Given:
    """What code gives for scores, from the magnitudes."""

    @staticmethod
    def magnitudes(scores: Scores) -> Any:
        return scores

    @staticmethod
    def nan(scores: Scores) -> Any:
        return {name: s * float("nan") for name, s in scores.items()}

    @staticmethod
    def infinite(scores: Scores) -> Any:
        return {name: s / 0 for name, s in scores.items()}

    @staticmethod
    def huge(scores: Scores) -> Any:
        return {name: torch.full_like(s, 3e38) for name, s in scores.items()}

    @staticmethod
    def double(scores: Scores) -> Any:
        return {name: s.double() for name, s in scores.items()}

    @staticmethod
    def integers(scores: Scores) -> Any:
        return {name: (s * 100).to(torch.int8) for name, s in scores.items()}

    @staticmethod
    def booleans(scores: Scores) -> Any:
        return {name: s > 0.01 for name, s in scores.items()}

    @staticmethod
    def complex(scores: Scores) -> Any:
        return {name: s.to(torch.complex64) for name, s in scores.items()}

    @staticmethod
    def transposed(scores: Scores) -> Any:
        return {name: s.T for name, s in scores.items()}

    @staticmethod
    def flat(scores: Scores) -> Any:
        return {name: s.flatten() for name, s in scores.items()}

    @staticmethod
    def first_layer(scores: Scores) -> Any:
        return dict(list(scores.items())[:1])

    @staticmethod
    def one_more(scores: Scores) -> Any:
        return {**scores, "more": torch.ones(3)}

    @staticmethod
    def arrays(scores: Scores) -> Any:
        return {name: s.numpy() for name, s in scores.items()}

    @staticmethod
    def listed(scores: Scores) -> Any:
        return list(scores.values())

    @staticmethod
    def nothing(scores: Scores) -> Any:
        return None


def names_of(table: type) -> list[str]:
    return [name for name in vars(table) if not name.startswith("_")]


def act(acts: str) -> None:
    """Do what a comma list of Acts says, or end as it names one of Ends."""
    for name in acts.split(",") if acts else ():
        (vars(Ends) if name in vars(Ends) else vars(Acts))[name]()


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
    return vars(Given)[scores](given)


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
