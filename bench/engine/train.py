"""The training engine: packs of trials in, results out. Knows nothing of Ray and MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from math import isfinite

from torch import Tensor

from bench import names
from bench.datasets.checks import check_counts
from bench.datasets.images import ImageData
from bench.datasets.loader import Resident
from bench.engine.draws import Draws
from bench.engine.measures.evaluate import fraction
from bench.engine.measures.moment import is_measured
from bench.engine.member import Epoch, Member
from bench.engine.needs import NONE, Needs
from bench.engine.outcome import Diverged
from bench.engine.setup.memory import FILL, free_bytes, is_out_of_memory, peak_bytes, release, reset_peak
from bench.engine.setup.precision import Arithmetic, seed_generators, settings
from bench.engine.setup.prepare import residents
from bench.engine.shaping import Shaping, shapes
from bench.engine.steps.batched_networks import trial_bytes
from bench.engine.steps.cuda_graph import RecordingFailed, is_recorded
from bench.engine.steps.learning_rate import learning_rate
from bench.engine.trainers import Alone, Scales, accuracies, trainer_of
from bench.messages import one_line
from bench.methods.fading import fades
from bench.storage.checkpoint import Checkpoints
from bench.trial.outside.rows import all_ours
from bench.trial.packs import packs_of, parts
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream
from bench.user_code.guard import failure

ERRORS = (Exception, SystemExit)  # the second is raised by code from outside


def train(
    pack: Sequence[TrialSpec],
    data: ImageData,
    device: str,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    checkpoints: Checkpoints | None = None,
    needs: Needs = NONE,
) -> list[TrialResult]:
    """Train a pack of trials, calling `on_epoch` after every epoch of each; see `train_epochs`.

    Raises: DataError if there are no test images: every trial would fail once it is trained.
    """
    check_counts(data.name, len(data.train_labels), len(data.test_labels))
    results: dict[str, TrialResult] = {}
    for event in train_epochs(pack, data, device, checkpoints, needs):
        if isinstance(event, Epoch):
            on_epoch(event)
        else:
            results[event.run_key] = event
    return [results[spec.run_key] for spec in pack]


def train_epochs(
    pack: Sequence[TrialSpec],
    data: ImageData,
    device: str,
    checkpoints: Checkpoints | None = None,
    needs: Needs = NONE,
    unrecorded: str = "",
) -> Generator[Epoch | TrialResult, None, None]:
    """Train the trials of a pack; yields after every epoch of each, and each one's result as soon as it ends.

    Trials that cannot share a step are trained one after the other. A trial that diverges or raises becomes a result
    that says so, and does not disturb the others. A trial with a checkpoint resumes from there.

    Args:   needs: the networks that trials of the pack need.
            unrecorded: why steps are not recorded as CUDA graphs; "" = they are, where they can be.
    Raises: RecordingFailed: the process must end. The trials can be trained in another one, unrecorded.
    """
    for together in packs_of(pack, 1):
        with settings(together[0]) as arithmetic:
            for trials in parts(together, -(-len(together) // _fitting(together[0], data, device))):
                for event in train_together(trials, data, device, checkpoints, arithmetic, needs, unrecorded):
                    if checkpoints and isinstance(event, TrialResult) and event.outcome == names.FAILED:
                        checkpoints.remove([event.run_key])  # it may hold the cause: the trial starts again
                    yield event


def _fitting(spec: TrialSpec, data: ImageData, device: str) -> int:
    """How many trials like this one fit into the free memory; at least one is tried."""
    if spec.pack == "single":
        return 1
    try:
        needed = trial_bytes(spec, tuple(data.train_images.shape[1:]), data.classes)
    except Exception:  # each trial meets it again, and has it as its outcome
        return 1
    return max(1, int(FILL * free_bytes(device) / needed))


def train_together(
    specs: Sequence[TrialSpec],
    data: ImageData,
    device: str,
    checkpoints: Checkpoints | None,
    arithmetic: Arithmetic,
    needs: Needs = NONE,
    unrecorded: str = "",
) -> Iterator[Epoch | TrialResult]:
    """Train these trials together; if memory runs out, train those that are still running again, in two halves.

    Trials that resume after different epochs do not share steps.
    """
    retry = yield from _attempt(specs, data, device, checkpoints, arithmetic, needs, unrecorded)
    for half in parts(retry, 2) if retry else ():
        release(device)
        yield from train_together(half, data, device, checkpoints, arithmetic, needs, unrecorded)


def _attempt(
    specs: Sequence[TrialSpec],
    data: ImageData,
    device: str,
    checkpoints: Checkpoints | None,
    arithmetic: Arithmetic,
    needs: Needs,
    unrecorded: str,
) -> Generator[Epoch | TrialResult, None, list[TrialSpec]]:
    """Train these trials together; returns those for which the memory was too small.

    A function of its own, so that its networks go with its frame before a smaller pack is tried.
    """
    members = [Member(spec) for spec in specs]
    for member in members if unrecorded and is_recorded(specs[0], device) else ():
        member.tags[names.UNRECORDED] = unrecorded
    reset_peak(device)
    try:
        yield from _prepare(members, data, device, checkpoints, needs)
        for together in _by_epoch([member for member in members if not member.ended]):
            yield from Training(together, checkpoints, arithmetic, recorded=not unrecorded).events()
    except RecordingFailed:
        raise
    except ERRORS as error:  # a second name of it would outlive the block, and with it the memory of its frames
        running = [member for member in members if not member.ended]
        if len(running) > 1 and is_out_of_memory(failure(error)):
            return [member.spec for member in running]
        for member in running:
            yield member.result(peak_bytes(device) / len(members), failure(error))
    return []


def _by_epoch(members: Sequence[Member]) -> list[list[Member]]:
    """The trials in groups that resume after the same epoch."""
    groups: dict[int, list[Member]] = {}
    for member in members:
        groups.setdefault(len(member.epochs), []).append(member)
    return [*groups.values()]


def _prepare(
    members: Sequence[Member], data: ImageData, device: str, checkpoints: Checkpoints | None, needs: Needs
) -> Iterator[TrialResult]:
    """Prepare each trial, or resume it at its checkpoint, on shared images; yields the result of one that raises."""
    images = residents(members[0].spec, data, device)
    for member in members:
        try:
            if not (checkpoints and _resumed(member, checkpoints, data, device, images)):
                member.prepare(data, device, images, needs)
        except ERRORS as error:
            if len(members) > 1 and is_out_of_memory(failure(error)):
                raise
            yield member.result(peak_bytes(device) / len(members), failure(error))


def _resumed(
    member: Member, checkpoints: Checkpoints, data: ImageData, device: str, images: tuple[Resident, Resident]
) -> bool:
    """Resume a trial at its checkpoint; returns whether it has one that fits, else it says why."""
    checkpoint = checkpoints.read(member.spec.run_key)
    if checkpoint is None:
        return False
    try:
        member.resume(checkpoint, data, device, images)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        member.tags[names.RESTARTED] = one_line(error)  # the network is built differently by now
        return False
    return True


class Training:
    """Prepared trials of one protocol, all after the same epoch, trained together in place."""

    def __init__(
        self,
        members: Sequence[Member],
        checkpoints: Checkpoints | None = None,
        arithmetic: Arithmetic | None = None,
        *,
        recorded: bool = True,
    ) -> None:
        self.members = list(members)
        self._arithmetic = Arithmetic() if arithmetic is None else arithmetic
        self._spec, trials = members[0].spec, [member.trial for member in members]
        self._steps = -(-len(trials[0].train_indices) // self._spec.batch_size)  # of an epoch
        device, moved = trials[0].train_indices.device, self._spec.augmentation != "none"
        self._device, images = device.type, len(trials[0].train_indices)
        self._draws = {m.spec.seed: Draws(m.spec.seed, images, device, moved=moved) for m in members}
        self._size = len(members)
        self._trainer = trainer_of(self._spec, trials, recorded=recorded)
        self._checkpoints, self._saved = checkpoints, time.monotonic()
        if members[0].epochs:
            self._trainer.resume([member.update for member in members])
        for member in members:
            member.update = {}
        self._shaping = self._shaped()

    def events(self) -> Iterator[Epoch | TrialResult]:
        """Train to the end; see `train_epochs`."""
        try:
            yield from self._events()
        except RecordingFailed:  # the device may be of no more use
            raise
        except ERRORS as error:
            if not is_out_of_memory(failure(error)):
                with suppress(*ERRORS):  # what a failed trial was worth is told if it can be
                    self._evaluate_best()
            raise

    def _events(self) -> Iterator[Epoch | TrialResult]:
        first = self.members[0].epoch
        self._arithmetic.put_back()  # what building the network has changed
        self._seed(first)
        if not self.members[0].epochs:
            yield from self._measure([None] * self._size)
        for epoch in range(first, self._spec.epochs):
            if self.members:
                losses = self._train(epoch)
                if changed := self._arithmetic.put_back():
                    raise RuntimeError(f"{', '.join(changed)} changed during training, by other code in this process")
                self._revise(losses)
                yield from self._measure(losses)
                self._note_best()
                self._save()
        yield from self._finish()

    def _seed(self, epoch: int) -> None:
        """What a network or a metric draws from global generators follows from the first trial's seed. Ours: none."""
        if not all_ours(vars(self._spec)) or is_measured("epoch"):
            seed_generators(stream(self._spec.seed, "global", str(epoch)))

    def _save(self) -> None:
        """Write a checkpoint of each trial, if the last ones are old enough."""
        if self._checkpoints is None or time.monotonic() - self._saved < self._checkpoints.seconds:
            return
        self._evaluate_best()
        self._trainer.write_back()
        for member, state in zip(self.members, self._trainer.states(), strict=True):
            member.tags.pop(names.UNSAVED, None)
            try:
                self._checkpoints.write(member.saved(state))
            except OSError as error:  # training can continue
                member.tags[names.UNSAVED] = one_line(error)
        self._saved = time.monotonic()

    def _train(self, epoch: int) -> list[float]:
        """Train one epoch; the training losses."""
        self._seed(epoch + 1)
        start, steps = time.perf_counter(), self._spec.epochs * self._steps
        drawn = [self._draws[member.spec.seed].of_epoch(epoch + 1) for member in self.members]
        losses = self._trainer.epoch(
            [order for order, _ in drawn],
            [moves for _, moves in drawn],
            lambda step: learning_rate(self._spec, epoch * self._steps + step, steps),
            self._scales(epoch),
        )
        for member in self.members:
            member.seconds += (time.perf_counter() - start) / len(self.members)
        return losses

    def _scales(self, epoch: int) -> Scales | None:
        """The scales of the backgrounds in an epoch; None if none fades."""
        if not any(fades(member.spec.method) for member in self.members):
            return None
        before, steps = epoch * self._steps, self._steps
        return lambda done: [member.scale_after(before + done, steps) for member in self.members]

    def _shaped(self) -> Shaping | None:
        """What the method does after each step up to its last moment, begun; None if that is nothing."""
        (member, *others), method = self.members, self._spec.method
        if others or not (member.is_changing and shapes(method)):
            return None
        assert isinstance(self._trainer, Alone)
        shaping = Shaping(self._spec, member.trial, member.epoch * self._steps, self._spec.epochs * self._steps)
        self._trainer.after_step = shaping.after_step
        return shaping

    def _revise(self, losses: Sequence[float]) -> None:
        """Have the method choose masks again, if it does at the end of this epoch; of a diverged trial, no more."""
        for member, loss in zip(self.members, losses, strict=True):
            if isfinite(loss) and member.revise():
                assert isinstance(self._trainer, Alone)  # such trials are trained one by one
                self._trainer.revise(member.trial)
                if self._shaping and member.is_at_last_moment:
                    self._shaping.end()
                    self._trainer.after_step, self._shaping = None, None

    def _measure(self, losses: Sequence[float | None]) -> Iterator[Epoch | TrialResult]:
        """Measure the trials after an epoch; those that diverged, or whose own metric raises, leave."""
        figures, validation = self._trainer.gradients(), accuracies(self._trainer, "validation")
        if is_measured("epoch"):  # of each trial by itself, on its own model
            self._trainer.write_back()
        staying = []
        for index, member in enumerate(self.members):
            try:
                yield member.measured(figures[index], validation[index], losses[index])
                staying.append(index)
            except ERRORS as error:
                if not isinstance(error, Diverged) and is_out_of_memory(failure(error)):
                    raise
                self._evaluate_best()
                yield self._result(member, failure(error))
        if len(staying) < len(self.members):
            self.members = [self.members[index] for index in staying]
            self._trainer.keep(staying)

    def _note_best(self) -> None:
        """Keep the networks that are the best so far: test images are seen once, by the best of all.

        What a network from outside computes may follow from more than its tensors, as from what it draws: it sees them
        at once.
        """
        better = [member.is_best() for member in self.members]
        if any(better) and all_ours(self._spec.values()):
            self._trainer.note_best(better)
        elif any(better):
            self._tell_best(self._trainer.right("test"))

    def _evaluate_best(self) -> None:
        """Have each trial know the test accuracy of its best epoch so far, all in one pass."""
        if any(member.owes_best for member in self.members):
            self._tell_best(self._trainer.right_at_best())

    def _tell_best(self, right: Sequence[Tensor]) -> None:
        for member, of_member in zip(self.members, right, strict=True):
            member.tell_best(fraction(of_member))

    def _finish(self) -> Iterator[TrialResult]:
        self._evaluate_best()
        self._trainer.write_back()
        for member, right in zip(self.members, self._trainer.right("test"), strict=True):
            try:
                member.finish(right)
            except ERRORS as error:
                yield self._result(member, failure(error))
            else:
                yield self._result(member)

    def _result(self, member: Member, error: Exception | None = None) -> TrialResult:
        return member.result(peak_bytes(self._device) / self._size, error)
