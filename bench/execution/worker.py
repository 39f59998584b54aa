"""What a worker of the schedule does, and what it receives. Knows nothing of Ray."""

from __future__ import annotations

import gc
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from bench import names
from bench.messages import one_line
from bench.methods.identity.files import is_users
from bench.trial.outside.rows import rows_from_outside, take
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.user_code.guard import kept, load_methods

if TYPE_CHECKING:
    from bench.datasets.images import ImageData
    from bench.engine.member import Epoch
    from bench.storage.checkpoint import Checkpoints

    TrainingEvents = Iterator[Epoch | TrialResult]

TrainEpochs = Callable[[Sequence[TrialSpec], "ImageData", str], "TrainingEvents"]
Load = Callable[[], "ImageData"]

REPORT_SECONDS = 1.0  # between two reports of a worker: long enough to cost nothing, short enough to watch


@dataclass(frozen=True)
class Job:
    """What every worker needs, pickled piece by piece: a worker opens only the packs it trains."""

    packs: Sequence[bytes]
    functions: bytes  # (train_epochs, load)
    from_outside: bool  # whether code of a trial is from outside
    rows: bytes  # those from outside that the trials use (`bench.trial.outside.rows`), a list
    needs: Sequence[Mapping[str, Any]] = ()  # of each pack: key -> reference to a network; () = none of any
    gpu_share: float = 1.0  # of a GPU that a worker has, at most 1; its packs are sized by it


@dataclass(frozen=True)
class Report:
    """What happened in a pack since its last report."""

    epochs: Sequence[tuple[int, int, Mapping[str, float]]]  # position in the pack, epoch, its figures; in their order
    results: Sequence[TrialResult]  # of the trials that ended
    done: bool = False  # whether this is the pack's last report
    reason: str = ""  # one line, if the pack ended before all its trials did
    unrecorded: str = ""  # one line, if a step could not be recorded: the worker ends, the pack goes on in another


@dataclass
class Worker:
    """Trains one pack after another with one data set and one set of imports."""

    job: Job
    fetch: Callable[[Any], bytes]  # what a reference refers to
    _data: ImageData | None = None
    _pack: Sequence[TrialSpec] = field(default_factory=list)
    _training: TrainingEvents | None = None
    _index: int = -1  # of the open pack
    _changed: bool = False  # whether a plug-in of it changed the process
    _has_rows: bool = False  # whether the tables of this process have the job's rows
    _must_end: str = ""  # why this process can train no more

    def open(self, index: int, unrecorded: str = "") -> TrainingEvents:
        """Start training the pack at `index` from its first epoch."""
        self._index, self._training = -1, None
        with self._guarded():
            self._forget()
            self._take_rows()
            self._pack = pickle.loads(self.job.packs[index])
            train_epochs, load = pickle.loads(self.job.functions)
            if self._data is None:
                self._data = load()
        import torch

        torch.set_num_threads(self._pack[0].threads)
        if self.job.needs:
            needs = {key: self.fetch(reference) for key, reference in self.job.needs[index].items()}
            train_epochs = partial(train_epochs, needs=needs)
        if unrecorded:
            train_epochs = partial(train_epochs, unrecorded=unrecorded)
        if self._pack[0].device == "cuda" and self.job.gpu_share < 1:
            torch.cuda.set_per_process_memory_fraction(self.job.gpu_share)
        training: TrainingEvents = train_epochs(self._pack, self._data, self._pack[0].device)
        self._index, self._training = index, training
        return training

    def _take_rows(self) -> None:
        """Put the rows of plug-ins into the tables, before anything else is looked up there."""
        if not self._has_rows:
            take(pickle.loads(self.job.rows))
            self._has_rows = True

    def _guarded(self) -> AbstractContextManager[None]:
        """What keeps the process as it is: loading data may run code from outside, and so may unpickling, which
        imports the modules of installed plug-ins. Between packs of our own methods there is nothing to keep.
        """
        if self._data is not None and not self.job.from_outside:
            return nullcontext()
        load_methods()
        return kept([])

    def _forget(self) -> None:
        """Let go of the last pack: a mode of torch that its plug-in never left ends now, not amid a training."""
        self._pack = []
        if self._changed:
            gc.collect()
        self._changed = False

    def train(self, index: int, unrecorded: str = "") -> Report:
        """Train the pack at `index` for REPORT_SECONDS: a new one from its start, the open one from where it is.

        Args:   unrecorded: why its steps are not recorded as CUDA graphs; "" = they are, where they can be.
        Raises: RuntimeError if a step could not be recorded before: this ends the process, which CUDA may refuse.
        """
        if self._must_end:
            raise RuntimeError(self._must_end)
        epochs: list[tuple[int, int, Mapping[str, float]]] = []
        results: list[TrialResult] = []
        deadline = time.monotonic() + REPORT_SECONDS
        try:
            training = self._training if self._training and self._index == index else self.open(index, unrecorded)
            while time.monotonic() < deadline:
                event = next(training)
                if isinstance(event, TrialResult):
                    results.append(event)
                    self._changed |= names.CHANGED in event.tags
                else:
                    epochs.append((self._pack.index(event.spec), event.epoch, dict(event.figures)))
        except StopIteration:
            self._training = None
            return Report(epochs, results, done=True)
        except Exception as error:
            self._training = None
            if _is_failed_recording(error):
                self._must_end = str(error)
                return Report(epochs, results, unrecorded=str(error))
            return Report(epochs, results, done=True, reason=one_line(error))
        return Report(epochs, results)


def engine(
    pack: Sequence[TrialSpec],
    data: ImageData,
    device: str,
    checkpoints: Checkpoints | None = None,
    needs: Mapping[str, bytes] = MappingProxyType({}),
    unrecorded: str = "",
) -> TrainingEvents:
    """Our training engine. It is imported at the call, so that a driver needs no torch."""
    from bench.engine.needs import Needs
    from bench.engine.train import train_epochs

    return train_epochs(pack, data, device, checkpoints, Needs(needs), unrecorded)


def _is_failed_recording(error: Exception) -> bool:
    from bench.engine.steps.cuda_graph import RecordingFailed

    return isinstance(error, RecordingFailed)


def plug_ins(packs: Sequence[Sequence[TrialSpec]], *functions: Callable[..., Any]) -> list[ModuleType]:
    """The modules of plug-in methods, criteria, rows and functions: a worker may be unable to import them."""
    methods = [spec.method for pack in packs for spec in pack]
    classes_and_functions: set[Any] = {c for method in {type(m) for m in methods} for c in method.__mro__}
    classes_and_functions |= {m.criterion for m in methods if callable(m.criterion)}
    classes_and_functions |= {f.func if isinstance(f, partial) else f for f in functions}
    rows = rows_from_outside(spec for pack in packs for spec in pack)
    classes_and_functions |= {code for row in rows for code in row.code()}
    modules = sorted({c.__module__ for c in classes_and_functions})
    return [sys.modules[name] for name in modules if _is_foreign(name)]


def _is_foreign(name: str) -> bool:
    """Whether workers may lack a module. A library's never is, or its classes would be others there than their own."""
    module = sys.modules[name]
    if name == "__main__" or getattr(module, "__file__", None) is None:  # what __main__ defines is pickled by value
        return False
    return is_users(vars(module), ())
