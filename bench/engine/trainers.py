"""How the trials of a pack are trained and measured: one alone, or all in one batched step.

P trials of a pack; n images of the training split; B images of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.datasets.loader import Resident
from bench.engine.measures.evaluate import classified_right, fraction
from bench.engine.measures.gradients import Measured, gradient_figures, stacked_figures
from bench.engine.setup.precision import DTYPES, autocast
from bench.engine.setup.prepare import PROBE, Trial
from bench.engine.steps.batched_networks import BatchedNetworks, losses_of
from bench.engine.steps.carried_state import carry_over, forget
from bench.engine.steps.cuda_graph import GraphedStep, is_recorded
from bench.engine.steps.fading import Fading
from bench.engine.steps.kept_network import holding, tensors_of
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.network import network_of
from bench.methods.maskable import maskable
from bench.storage.checkpoint import OptimizerState
from bench.trial.spec import TrialSpec

Scales = Callable[[int], Sequence[float]]  # steps done of an epoch -> of each trial, the scale of its background


class Trainer(Protocol):
    """The trials of a pack while they are trained."""

    def epoch(
        self,
        orders: Sequence[Tensor],
        moves: Sequence[Tensor | None],
        rate: Callable[[int], float],
        scales: Scales | None = None,
    ) -> list[float]:
        """Train for one pass over the training split; returns each trial's mean loss over the images.

        Args: orders: of each trial, a permutation of places in its training split. moves: of each trial, the move of
              each image in that order (`bench.datasets.augment`), or None. rate: step -> learning rate. scales: the
              scales of the backgrounds, if one of them fades.
        """

    def gradients(self) -> list[Measured]:
        """Each trial's gradient figures on its probe."""

    def right(self, split: str) -> list[Tensor]:
        """Whether each trial classifies each image right, bool [images], of the "validation" or the "test" images."""

    def note_best(self, better: Sequence[bool]) -> None:
        """Keep a copy of the network of each of these trials as it is now, instead of an earlier one."""

    def right_at_best(self) -> list[Tensor]:
        """What each trial classifies right of the test images with the network that was kept; if none, as it is now."""

    def keep(self, staying: Sequence[int]) -> None:
        """Let all trials but these leave the pack."""

    def states(self) -> list[OptimizerState]:
        """Each trial's state of the optimizer; a later step leaves it as it is."""

    def resume(self, states: Sequence[OptimizerState]) -> None:
        """Go on with these states of the optimizer."""

    def write_back(self) -> None:
        """Bring the trials' models up to date."""


def accuracies(trainer: Trainer, split: str) -> list[float]:
    """Each trial's fraction of the images of a split that it classifies right."""
    return [fraction(right) for right in trainer.right(split)]


def trainer_of(spec: TrialSpec, trials: Sequence[Trial], *, recorded: bool = True) -> Trainer:
    """The trainer of the spec's pack kind, on trials at their effective initial weights.

    Args: recorded: whether its steps are recorded as CUDA graphs where they can be.
    """
    return Alone(spec, trials[0], recorded) if spec.pack == "single" else Together(spec, trials, recorded)


def _graphed(spec: TrialSpec, device: torch.device, recorded: bool) -> GraphedStep | None:
    """What records and replays steps; None = they run as they are."""
    return GraphedStep(device) if recorded and is_recorded(spec, device.type) else None


class Alone:
    """One trial, with the step kind of its spec."""

    def __init__(self, spec: TrialSpec, trial: Trial, recorded: bool = True) -> None:
        self.spec, self._recorded = spec, recorded
        self.after_step: Callable[[], None] | None = None  # what the method does to the network after each step
        self._take(trial)

    def _take(self, trial: Trial) -> None:
        self.trial, self.network = trial, network_of(self.spec, trial)
        self.optimizer = LiveOptimizer(trial.model, trial.masks, self.spec, self.network.values, trial.fixed)
        self.fading = Fading(maskable(trial.model), trial.masks, trial.unscaled)
        self._best: dict[str, Tensor] = {}
        # A recording is of the tensors of this optimizer.
        self.replayed = _graphed(self.spec, trial.train_indices.device, self._recorded)

    def hold(self, scale: float) -> None:
        """Give the background this scale."""
        self.fading.hold(scale)
        self.network.hold(scale)

    def revise(self, trial: Trial) -> None:
        """Go on with other masks: what stays live keeps its state of the optimizer, unless it is restarted; what comes
        alive has none yet.
        """
        before, state = self.trial, self.states()[0]
        self._take(trial)
        masks = [{**one.masks, **one.fixed} for one in (before, trial)]
        carry_over(self.optimizer, state, *masks)
        forget(self.optimizer, trial.restarted, masks[1])
        self.optimizer.take_in()

    def epoch(
        self,
        orders: Sequence[Tensor],
        moves: Sequence[Tensor | None],
        rate: Callable[[int], float],
        scales: Scales | None = None,
    ) -> list[float]:
        """Train for one pass over the training split; see `Trainer`."""
        (order,), (moved,) = orders, moves
        losses, sizes = [], []
        if scales is not None:
            self.hold(*scales(0))
        for i, (loss, images) in enumerate(self.steps(order, moved, rate)):
            if self.after_step is not None:
                self.after_step()
                self.optimizer.take_in()
            if scales is not None:
                self.hold(*scales(i + 1))
            losses.append(loss)
            sizes.append(images)
        self.network.write_back()
        return [_mean(torch.stack(losses), sizes).item()]

    def steps(self, order: Tensor, moves: Tensor | None, rate: Callable[[int], float]) -> Iterator[tuple[Tensor, int]]:
        """Take a step on each batch of an epoch; yields its loss and its number of images."""
        if self.replayed is not None and self.after_step is None:
            yield from self._replayed_steps(self.replayed, order, moves, rate)
            return
        one = torch.ones((), dtype=DTYPES[self.spec.precision], device=order.device)  # else each backward makes its own
        for i, (loss, images) in enumerate(self.network.losses(order, self.spec.batch_size, moves)):
            loss.backward(one)  # type: ignore[no-untyped-call]
            self.optimizer.step(rate(i))
            yield loss.detach(), images

    def _replayed_steps(
        self, replayed: GraphedStep, order: Tensor, moves: Tensor | None, rate: Callable[[int], float]
    ) -> Iterator[tuple[Tensor, int]]:
        indices = self.trial.train_indices[order]
        samples = torch.stack([indices] if moves is None else [indices, moves], dim=-1)
        for i, batch in enumerate(samples.split(self.spec.batch_size)):  # type: ignore[no-untyped-call]
            yield replayed(self.one_step, batch, rate(i)), len(batch)

    def one_step(self, samples: Tensor, lr: float | Tensor) -> Tensor:
        """One dense step on `samples` [B, 1 or 2], the index of each image and its move; the loss."""
        model = self.trial.model.train()
        parameters = list(model.parameters())
        x, y = self.trial.train.batch(*samples.unbind(-1))
        with autocast(self.spec.precision, x.device.type):
            loss = cross_entropy(model(x), y)
        _leave_gradients(loss, parameters)
        self.optimizer.step(lr)
        return loss.detach()

    def gradients(self) -> list[Measured]:
        """The trial's gradient figures on its probe."""
        return [gradient_figures(self.trial.model, self.trial.masks, *self.trial.probe)]

    def right(self, split: str) -> list[Tensor]:
        """What the trial classifies right; see `Trainer`."""
        return [classified_right(self.trial.model, *images_of(self.trial, split), self.spec.precision)]

    def note_best(self, better: Sequence[bool]) -> None:
        """Keep a copy of the network; see `Trainer`."""
        if better[0]:
            self._best = {name: tensor.clone() for name, tensor in tensors_of(self.trial.model).items()}

    def right_at_best(self) -> list[Tensor]:
        """What the network that was kept classifies right; see `Trainer`."""
        with holding(self.trial.model, self._best):
            return self.right("test")

    def keep(self, staying: Sequence[int]) -> None:
        """Nothing to do: a pack of one is left as a whole."""

    def states(self) -> list[OptimizerState]:
        """The trial's state of the optimizer; see `Trainer`."""
        return [{name: [t.clone() for t in tensors] for name, tensors in self.optimizer.state().items()}]

    def resume(self, states: Sequence[OptimizerState]) -> None:
        """Go on with this state of the optimizer."""
        self.optimizer.resume(states[0])

    def write_back(self) -> None:
        """Nothing to do: the model itself is trained."""


class Together:
    """All trials of a pack in one batched step; they share architecture and protocol, each has its own images."""

    def __init__(self, spec: TrialSpec, trials: Sequence[Trial], recorded: bool = True) -> None:
        self.spec, self._recorded = spec, recorded
        self._take(trials)

    def _take(self, trials: Sequence[Trial]) -> None:
        self.trials, self.images = trials, trials[0].train
        self.stack = BatchedNetworks([trial.model for trial in trials], self.spec.pack)
        self.masks = {name: torch.stack([trial.masks[name] for trial in trials]) for name in trials[0].masks}
        self.optimizer = LiveOptimizer(self.stack.module, self.masks, self.spec)
        self.replayed = _graphed(self.spec, self.images.labels.device, self._recorded)
        weights = {name: weight.detach() for name, weight in self.stack.module.named_parameters()}
        self.fading = [
            Fading({name: weights[name][index] for name in trial.unscaled}, trial.masks, trial.unscaled)
            for index, trial in enumerate(trials)
        ]
        self._best: dict[str, Tensor] = {}  # [P, ...] each, once a trial is best

    def _hold(self, scales: Sequence[float]) -> None:
        """Give the backgrounds these scales."""
        for fading, scale in zip(self.fading, scales, strict=True):
            fading.hold(scale)

    def step(self, samples: Tensor, lr: float) -> Tensor:
        """`one_step`; recorded and replayed where it can be."""
        return self.replayed(self.one_step, samples, lr) if self.replayed else self.one_step(samples, lr)

    def one_step(self, samples: Tensor, lr: float | Tensor) -> Tensor:
        """One step on `samples` [P, B, 1 or 2], the index of each image and its move; the loss of each trial [P]."""
        parameters = list(self.stack.module.parameters())
        x, y = _batches(self.images, *samples.unbind(-1))
        with autocast(self.spec.precision, x.device.type):
            losses = losses_of(self.stack(x, training=True), y)
        _leave_gradients(losses.sum(), parameters)
        self.optimizer.step(lr)
        return losses.detach()

    def epoch(
        self,
        orders: Sequence[Tensor],
        moves: Sequence[Tensor | None],
        rate: Callable[[int], float],
        scales: Scales | None = None,
    ) -> list[float]:
        """Train for one pass over the training split; see `Trainer`."""
        batches = self.samples(orders, moves).split(self.spec.batch_size, dim=1)  # type: ignore[no-untyped-call]
        losses = []
        if scales is not None:
            self._hold(scales(0))
        for i, batch in enumerate(batches):
            losses.append(self.step(batch, rate(i)))
            if scales is not None:
                self._hold(scales(i + 1))
        means: list[float] = _mean(torch.stack(losses), [batch.shape[1] for batch in batches]).tolist()
        return means

    def samples(self, orders: Sequence[Tensor], moves: Sequence[Tensor | None]) -> Tensor:
        """Each trial's images in its order [P, images, 1 or 2]: the index of each and, if it has one, its move."""
        indices = torch.stack([t.train_indices[order] for t, order in zip(self.trials, orders, strict=True)])
        moved = [move for move in moves if move is not None]
        return torch.stack([indices, torch.stack(moved)] if moved else [indices], dim=-1)

    def gradients(self) -> list[Measured]:
        """Each trial's gradient figures on its probe."""
        x, y = (torch.stack(parts) for parts in zip(*(trial.probe for trial in self.trials), strict=True))
        return stacked_figures(self.stack, self.masks, x, y)

    @torch.no_grad()
    def right(self, split: str) -> list[Tensor]:
        """What each trial classifies right; see `Trainer`."""
        images = images_of(self.trials[0], split)[0]
        indices = torch.stack([images_of(trial, split)[1] for trial in self.trials])
        parts = []
        for part in indices.split(PROBE, dim=1):  # type: ignore[no-untyped-call]
            x, y = images.batch(part[0]) if split == "test" else _batches(images, part)
            with autocast(self.spec.precision, x.device.type):
                parts.append(self.stack(x, training=False).argmax(2) == y)
        return list(torch.cat(parts, dim=1).unbind())

    @torch.no_grad()
    def note_best(self, better: Sequence[bool]) -> None:
        """Keep a copy of the network of each of these trials; see `Trainer`."""
        now = tensors_of(self.stack.module)
        if not self._best:
            self._best = {name: tensor.clone() for name, tensor in now.items()}
        indices = torch.tensor(better, device=self.images.labels.device).nonzero().view(-1)
        for name, tensor in now.items():
            self._best[name].index_copy_(0, indices, tensor.index_select(0, indices))

    def right_at_best(self) -> list[Tensor]:
        """What each network that was kept classifies right, all in one pass; see `Trainer`."""
        with holding(self.stack.module, self._best):
            return self.right("test")

    def keep(self, staying: Sequence[int]) -> None:
        """Let all trials but these leave the pack; the others' weights and update states go on as they are."""
        self.write_back()
        states = self.states()
        self._take([self.trials[index] for index in staying])
        self.resume([states[index] for index in staying])

    def states(self) -> list[OptimizerState]:
        """Each trial's state of the optimizer; see `Trainer`."""
        states: list[OptimizerState] = [{} for _ in self.trials]
        for name, tensors in self.optimizer.state().items():
            split = [self._of_each(name, tensor) for tensor in tensors]
            for index, state in enumerate(states):
                state[name] = [of_trials[index] for of_trials in split]
        return states

    def _of_each(self, name: str, tensor: Tensor) -> list[Tensor]:
        """Each trial's part of a tensor of the optimizer's state."""
        size = len(self.trials)
        if tensor.ndim == 0:  # Adam's number of steps, the same for all
            return [tensor.clone() for _ in range(size)]
        live = self.masks[name].flatten(1).sum(1).tolist() if name in self.masks else [tensor.numel() // size] * size
        return [part.clone() for part in tensor.flatten().split(live)]  # type: ignore[no-untyped-call]

    def resume(self, states: Sequence[OptimizerState]) -> None:
        """Go on with these states of the optimizer."""
        for name, mine in self.optimizer.state().items():
            having = [state[name] for state in states if name in state]  # a weight without live entries has none
            for tensor, parts in zip(mine, zip(*having, strict=True), strict=True):
                if tensor.ndim == 0:
                    tensor.copy_(parts[0])
                else:
                    tensor.view(-1).copy_(torch.cat([part.flatten() for part in parts]))

    def write_back(self) -> None:
        """Bring the trials' models up to date."""
        self.stack.write_back([t.model for t in self.trials])


def _leave_gradients(loss: Tensor, parameters: Sequence[Tensor]) -> None:
    """Leave in each parameter the loss's gradient, as a step that is recorded can."""
    # Not `backward`, which would add to gradients on the stream that first saw the parameter.
    for parameter, g in zip(parameters, torch.autograd.grad(loss, list(parameters)), strict=True):
        parameter.grad = g.contiguous()  # a batched product may leave it transposed


def _batches(images: Resident, indices: Tensor, moves: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The images [P, B, C, H, W] and labels [P, B] at `indices` [P, B], moved by `moves` [P, B]."""
    x, y = images.batch(indices.flatten(), None if moves is None else moves.flatten())
    return x.view(*indices.shape, *x.shape[1:]), y.view(indices.shape)


def images_of(trial: Trial, split: str) -> tuple[Resident, Tensor]:
    """The images of a split, and the places of the trial's own among them."""
    if split == "validation":
        return trial.train, trial.validation_indices
    return trial.test, torch.arange(len(trial.test.labels), device=trial.test.labels.device)


def _mean(losses: Tensor, sizes: Sequence[int]) -> Tensor:
    """The mean over the images, in float64, of the losses [steps] or [steps, P] of batches of these sizes."""
    weights = torch.tensor(sizes, device=losses.device).view(-1, *[1] * (losses.ndim - 1))
    # Added one after the other, so that no library's order of adding counts; reading it waits for the device.
    return (losses * weights).double().cumsum(0)[-1] / sum(sizes)
