"""How a spec's numbers are computed: precision, threads, determinism; never by what the process had before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from bench.trial.outside.rows import all_ours
from bench.trial.spec import TrialSpec
from bench.trial.streams import SEED_LIMIT
from bench.user_code.bindings import bindings, replaced
from bench.user_code.guard import seed_globals, values_of, write_back
from bench.user_code.process_state import KEEP, Setting, process_settings
from bench.user_code.torch_state import ARITHMETIC, TORCH

DTYPES = {"float32": torch.float32, "bfloat16": torch.float32, "float64": torch.float64}  # of the stored weights


def autocast(precision: str, device: str) -> torch.autocast:
    """The arithmetic of a spec's precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within it, torch computes with `count` threads."""
    previous = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


class Arithmetic:
    """The settings that are in force while trials are trained.

    Of a network from outside also all that its code could change of the process, and what the functions are that
    everybody calls.
    """

    def __init__(self, further: Sequence[Setting] = (), *, functions: bool = False) -> None:
        self._values, self._further = values_of(ARITHMETIC), values_of(further)
        self._bindings = bindings() if functions else {}

    def put_back(self) -> list[str]:
        """Set all of them again; the words of what trials compute with and something has changed since.

        Not of the further ones: in a notebook other threads of the process may have set them.
        """
        changed = [*write_back(self._values), *replaced(self._bindings)]
        write_back(self._further)
        return changed


@contextmanager
def settings(spec: TrialSpec) -> Iterator[Arithmetic]:
    """The process-wide settings of a spec, whatever they were before; restored afterwards, generators too."""
    foreign = not all_ours(spec.values())
    generators = [setting for setting in process_settings() if foreign or not setting.told]
    before = Arithmetic([*TORCH[len(ARITHMETIC) :], *generators], functions=foreign)
    try:
        write_back({setting: setting.neutral for setting in ARITHMETIC if setting.neutral is not KEEP})
        torch.set_num_threads(spec.threads)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = spec.tf32
        torch.backends.cudnn.deterministic = spec.deterministic
        told = [setting for setting in process_settings() if setting.told] if foreign else []
        yield Arithmetic(told, functions=foreign)
    finally:
        before.put_back()


def seed_generators(stream: np.random.RandomState) -> None:
    """Seed the global generators from a trial's stream: what a network or a criterion draws from them follows."""
    seed_globals(int(stream.randint(SEED_LIMIT, dtype=np.int64)))
