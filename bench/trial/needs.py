"""The trials that others need: all of them, and what training that takes. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bench.trial.spec import TrialSpec


def needed_by(trials: Iterable[TrialSpec], ended: Collection[str] = ()) -> list[TrialSpec]:
    """What these trials need, and what that needs, each once and none of the trials themselves; not of what has ended.

    Args: ended: run keys.
    """
    first = list(trials)
    reached = {spec.run_key: spec for spec in first}
    waiting = [spec for spec in first if spec.run_key not in ended]
    while waiting:
        for need in waiting.pop().needs():
            if (key := need.run_key) not in reached:
                reached[key] = need
                waiting += [need] if key not in ended else []
    return list(reached.values())[len({spec.run_key for spec in first}) :]


def need_words(spec: TrialSpec) -> str:
    """What a message calls a trial that others need: "digits dense seed 0 (5d03d0b6c1f2)"."""
    return f"{spec.dataset} {f'rate {spec.rate}' if spec.rate else 'dense'} seed {spec.seed} ({spec.run_key[:12]})"


def training_epochs(spec: TrialSpec) -> int:
    """Epochs of a trial and of all that it needs, and that needs, each once."""
    return sum(each.epochs for each in (spec, *needed_by([spec])))
