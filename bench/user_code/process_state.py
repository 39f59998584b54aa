"""What a process has that code can change, and that other code then computes with: a row per setting.

Imports neither NumPy nor torch: their settings are looked at once something has loaded them.
"""

from __future__ import annotations

import decimal
import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

KEEP: Final = object()  # the neutral value of a setting that a trial takes as it is, or sets by itself
UNREADABLE: Final = object()
VARIABLES, FILTERS = "environment variables", "warnings filters"


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of the process; what `read` gives compares by ==."""

    words: str  # as messages name it
    read: Callable[[], Any]
    write: Callable[[Any], object]
    neutral: Any = KEEP  # what every trial runs with
    told: bool = True  # whether a change is worth a word: what draws from a generator changes it rightfully
    of_thread: bool = False  # whether each thread has its own

    def now(self) -> Any:
        """Its value; UNREADABLE if the library refuses to say, as torch does of TF32 that was set in two ways."""
        try:
            return self.read()
        except (OSError, RuntimeError):
            return UNREADABLE


def _set_environment(variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in variables.items() if os.environ.get(name) != value})


def _set_filters(state: tuple[list[Any], Any]) -> None:
    warnings.resetwarnings()  # also has every module look at its filters again
    warnings.filters[:], warnings.showwarning = state  # type: ignore[index]


def _decimal() -> tuple[int, str]:
    return decimal.getcontext().prec, decimal.getcontext().rounding


def _set_decimal(state: tuple[int, str]) -> None:
    context = decimal.getcontext()
    context.prec, context.rounding = state


def _set_signal(number: signal.Signals, handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():  # no other one can
        signal.signal(number, handler)


def _set_stream(name: str, stream: Any) -> None:
    setattr(sys, name, stream)


PYTHON: Sequence[Setting] = (
    Setting(VARIABLES, lambda: dict(os.environ), _set_environment),
    Setting("the working folder", os.getcwd, os.chdir),
    Setting(FILTERS, lambda: (list(warnings.filters), warnings.showwarning), _set_filters),
    Setting("decimal arithmetic", _decimal, _set_decimal, of_thread=True),
    Setting("the locale", partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
    Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("sys.stdout", lambda: sys.stdout, partial(_set_stream, "stdout")),
    Setting("sys.stderr", lambda: sys.stderr, partial(_set_stream, "stderr")),
    *(
        Setting(f"the handler of {number.name}", partial(signal.getsignal, number), partial(_set_signal, number))
        for number in (signal.SIGINT, signal.SIGTERM)
    ),
    Setting("random's generator", random.getstate, random.setstate, told=False),
)


@cache
def _numpy() -> Sequence[Setting]:
    import numpy as np

    def drawn() -> tuple[Any, ...]:
        name, keys, *rest = np.random.get_state()
        return (name, np.asarray(keys).tobytes(), *rest)

    def set_drawn(state: tuple[Any, ...]) -> None:
        name, keys, *rest = state
        np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))

    def set_errors(errors: dict[str, Any]) -> None:
        np.seterr(**errors)

    return (
        Setting("NumPy's handling of floating-point errors", np.geterr, set_errors, of_thread=True),
        Setting("NumPy's global generator", drawn, set_drawn, told=False),
    )


def process_settings() -> Sequence[Setting]:
    """The settings of Python, and of NumPy if it is loaded."""
    return (*PYTHON, *_numpy()) if "numpy" in sys.modules else PYTHON
