"""What a method does to the network of a trial at every step before its last moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

from bench.engine.outcome import Diverged
from bench.engine.setup.kept_state import members
from bench.engine.setup.prepare import Trial
from bench.engine.steps.learning_rate import learning_rate
from bench.messages import one_line
from bench.methods import Method
from bench.methods.changing.shaping import ShapedNetwork
from bench.models.channels.filters import filters_of
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream

SHAPE = "shape"  # the purpose of the stream of what a method attaches


@contextmanager
def diverged_if_not_finite(trial: Trial, when: str) -> Iterator[None]:
    """What a method raises while the network or its own state is NaN or infinite is Diverged.

    Only then is it looked at, so that a step need not wait for the device.
    """
    try:
        yield
    except Exception as error:
        named = [*trial.model.named_parameters(), *((f"state {key!r}", v) for key, v in trial.state.items())]
        for name, value in named:
            if not all(map(_is_finite, members(value))):
                raise Diverged(f"{name} NaN or infinite {when}; {one_line(error)}") from error
        raise


def _is_finite(value: object) -> bool:
    return not isinstance(value, Tensor) or bool(torch.isfinite(value.detach()).all())


class Shaping:
    """What a method does to the network of one trial at every step before its last moment."""

    def __init__(self, spec: TrialSpec, trial: Trial, done: int, steps: int) -> None:
        """Attach the method's hooks, after so many of the steps."""
        self._spec, self._trial, self._done = spec, trial, done
        self._at = ShapedNetwork(
            model=trial.model,
            channels=trial.channels,
            state=trial.state,
            initial=trial.initial,
            generator=stream(spec.seed, SHAPE),
            rate=Fraction(spec.rate),
            epochs=spec.epochs,
            steps=steps,
            filters=partial(filters_of, trial.model, trial.train.image_shape),
        )
        self._hooks = spec.method.attach(self._at)

    def after_step(self) -> None:
        """Have the method shape the network."""
        lr = learning_rate(self._spec, self._done, self._at.steps)
        self._done += 1
        with diverged_if_not_finite(self._trial, f"after step {self._done}"):
            self._spec.method.shape(self._at, self._done, lr)

    def end(self) -> None:
        """Remove the hooks."""
        for hook in self._hooks:
            hook.remove()


def shapes(method: Method) -> bool:
    """Whether a method does something at every step."""
    return (type(method).attach, type(method).shape) != (Method.attach, Method.shape)
