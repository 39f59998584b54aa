"""What is said of a sweep whose trials have ended: what is worth a word, and the trials that did not end well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bench import names
from bench.channels.budgets import FILLED
from bench.messages import counted
from bench.trial.needs import need_words
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

# The tags of a result that `remarks` looks at.
REMARKS = (names.UNSAVED, names.UNRECORDED, names.CHANGED, names.BUDGET_SLACK)


def remarks(sweep: Sweep, results: Mapping[TrialSpec, TrialResult]) -> list[str]:
    """What is stored, and yet worth a word."""
    lines = []
    if unsaved := [r.tags[names.UNSAVED] for r in results.values() if names.UNSAVED in r.tags]:
        lines.append(f"{len(unsaved)} trials could not write their checkpoints: {unsaved[0]}")
    if unrecorded := [r.tags[names.UNRECORDED] for r in results.values() if names.UNRECORDED in r.tags]:
        lines.append(f"{counted(len(unrecorded), 'trial')} trained without CUDA graphs, more slowly: {unrecorded[0]}")
    tagged = ((sweep.name_of(s.method), r.tags[names.CHANGED]) for s, r in results.items() if names.CHANGED in r.tags)
    for (method, words), trials in Counter(tagged).items():
        lines.append(f"{method} changed {words} while it chose its weights; put back: {counted(trials, 'trial')}")
    lines += _slack(sweep, results)
    return lines


def _slack(sweep: Sweep, results: Mapping[TrialSpec, TrialResult]) -> list[str]:
    """The methods and rates whose networks fill neither of their budgets, a line for each."""
    shares: dict[str, list[str]] = {}
    for spec, result in results.items():
        if slack := result.tags.get(names.BUDGET_SLACK):
            shares.setdefault(f"{sweep.name_of(spec.method)} {spec.rate}", []).append(slack.partition(":")[0])
    return [
        f"{trials} fills neither budget to {FILLED:.0%}: {counted(len(of), 'trial')}, {max(of)} of both left at most"
        for trials, of in shares.items()
    ]


def not_done(
    sweep: Sweep, trials: Sequence[TrialSpec], ended: Mapping[str, str], results: Mapping[TrialSpec, TrialResult]
) -> list[str]:
    """The trials that failed or diverged, now or before, a line for each reason; those that others need first.

    Args: ended: run key -> why it diverged, or "", of those that needed no training. results: of the others.
    """
    bad = {s: f"{names.DIVERGED}: {ended[s.run_key]}" for s in trials if ended.get(s.run_key)}
    bad |= {s: f"{r.outcome}: {r.reason}" for s, r in results.items() if r.outcome != names.DONE}
    of_sweep = {spec.run_key for spec in trials}
    needs = {spec: reason for spec, reason in bad.items() if spec.run_key not in of_sweep}
    asked = {spec: reason for spec, reason in bad.items() if spec.run_key in of_sweep}
    lines = _lines(needs, need_words, "of the trials that they need")
    return lines + _lines(asked, partial(_words, sweep), "of the sweep's trials")


def _words(sweep: Sweep, spec: TrialSpec) -> str:
    return f"{sweep.name_of(spec.method)} {spec.rate} seed {spec.seed}"


def _lines(reasons: Mapping[TrialSpec, str], words_of: Callable[[TrialSpec], str], group: str) -> list[str]:
    """A line for each reason, with the trials that have it."""
    by_reason: dict[str, list[str]] = {}
    for spec, reason in reasons.items():
        by_reason.setdefault(reason, []).append(words_of(spec))
    return [f"{reason}: {len(of)} {group}: {', '.join(of)}" for reason, of in by_reason.items()]
