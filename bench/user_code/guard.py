"""Running code from outside: what it changes of the process is put back and named, and it cannot end the process."""

from __future__ import annotations

import importlib
import pkgutil
import random
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TypeVar

from bench import methods
from bench.user_code.bindings import bindings, replaced
from bench.user_code.process_state import FILTERS, KEEP, UNREADABLE, VARIABLES, Setting, process_settings

Result = TypeVar("Result")
Values = Mapping[Setting, Any]


class Ended(RuntimeError):
    """Code from outside tried to end the process."""


def values_of(settings: Sequence[Setting]) -> dict[Setting, Any]:
    """What the settings are now."""
    return {setting: setting.now() for setting in settings}


def write_back(values: Values) -> list[str]:
    """Set the settings that are no longer what they were; the words of those of which a change is told."""
    readable = {setting: value for setting, value in values.items() if value is not UNREADABLE}
    changed = [setting for setting, value in readable.items() if setting.now() != value]
    for setting, value in readable.items() if changed else ():
        if setting.now() != value:  # looked at again, because torch keeps some settings in two ways
            setting.write(value)
    return [setting.words for setting in changed if setting.told]


@contextmanager
def settings_kept() -> Iterator[None]:
    """Put back the settings that our own code in here changes, as a training does torch's number of threads.

    Those of a library that is loaded only in here stay as it sets them, so load first what will be needed.
    """
    before = values_of(_all_settings())
    try:
        yield
    finally:
        write_back(before)


@contextmanager
def kept(changed: list[str]) -> Iterator[None]:
    """Put back what the code in here changes of the process, and add its names to `changed`.

    What it prints goes to stderr: stdout is for results. Modules it imports stay, and so does the path they come from;
    of filters and variables that libraries set as they load nothing is said.
    """
    before, names, threads = values_of(_all_settings()), bindings(), set(threading.enumerate())
    modules = set(sys.modules)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        loaded = {s: s.neutral for s in _all_settings() if s not in before and s.neutral is not KEEP}
        told = [*write_back({**before, **loaded}), *replaced(names)]
        told += [
            f"a thread that goes on ({t.name})" for t in threading.enumerate() if t not in threads and not _runs(t)
        ]
        by_library = any(map(_is_installed, sys.modules.keys() - modules))
        changed += [words for words in told if not by_library or words not in (VARIABLES, FILTERS)]


def _runs(thread: threading.Thread) -> bool:
    """Whether an installed library runs the thread for itself, as tqdm its monitor."""
    target = getattr(thread, "_target", None) or type(thread)
    return _is_installed(str(getattr(target, "__module__", "")))


def _is_installed(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return any(Path(file).is_relative_to(sysconfig.get_path(scheme)) for scheme in ("purelib", "platlib"))


def load_methods() -> None:
    """Import torch and our methods, before `kept`: only what is there can be compared with what is there later."""
    for module in pkgutil.iter_modules(methods.__path__):
        importlib.import_module(f"{methods.__name__}.{module.name}")


def _all_settings() -> Sequence[Setting]:
    if "torch" not in sys.modules:
        return process_settings()
    from bench.user_code.torch_state import TORCH

    return (*TORCH, *process_settings())  # torch's first: setting them back can set environment variables


def apart(call: Callable[[], Result]) -> tuple[Result, list[str]]:
    """What `call` returns, and the words of what it changed of the process and is put back.

    It runs in a thread of its own: torch's modes belong to a thread, and end with it. So a KeyboardInterrupt is the
    user's if it is raised here, and the code's own if it is raised there. What belongs to the process is put back by
    this thread, so that code which goes on after an interrupt has nothing more to put back.
    Raises: what `call` raises; Ended if that would end the process.
    """
    changed: list[str] = []
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        before = values_of([setting for setting in _all_settings() if setting.of_thread])
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        changed.extend(write_back(before))  # the number of threads is also that of later ones

    thread = threading.Thread(target=run, name="apart", daemon=True)
    with kept(changed):
        thread.start()
        thread.join()
    if errors:
        raise failure(errors[0])
    return results[0], changed


def seed_globals(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch: code from outside may draw from them."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def not_ending() -> Iterator[None]:
    """Turn what would end the process into Ended; an interrupt by the user stays one."""
    interrupted = threading.Event()
    with _noting_interrupt(interrupted):
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if interrupted.is_set():
                raise
            raise failure(error) from error


@contextmanager
def _noting_interrupt(interrupted: threading.Event) -> Iterator[None]:
    """Set the event at SIGINT, which otherwise has its usual effect."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return

    def note(number: int, frame: Any) -> None:
        interrupted.set()
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        with suppress(TypeError):
            signal.signal(signal.SIGINT, handler)


def failure(error: BaseException) -> Exception:
    """The error, if it is one; else what says that it would have ended the process."""
    if isinstance(error, Exception):
        return error
    code = f" with {error.code!r}" if isinstance(error, SystemExit) and error.code is not None else ""
    return Ended(f"{type(error).__name__}{code}: it must not end the process").with_traceback(error.__traceback__)
