"""Threats to validity that hold for this very store, by its trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from bench import names
from bench.messages import counted, left_out
from bench.results.frame.collect import Command
from bench.results.frame.conflicts import in_words
from bench.results.frame.sections import searched
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.near_chance import most_unseen
from bench.results.tables import reach
from bench.results.tables.protocol import HYPERPARAMETERS


def threats(analyses: Sequence[Analysis]) -> list[str]:
    """One sentence each, over all sections."""
    every = (_seeds, _mixed, _untrained, _tuning, _protocols, _lost, _controls, _scope, _source)
    return [sentence for of_one in every for sentence in of_one(analyses)]


def unfinished(frame: pd.DataFrame, commands: Sequence[Command]) -> list[str]:
    """The sweeps of which fewer trials have ended than a command of theirs asked for."""
    asked = {command.sweep: 0 for command in commands}
    for command in commands:
        asked[command.sweep] = max(asked[command.sweep], command.trials)
    ended = frame["sweeps"][frame["outcome"].isin([names.DONE, names.DIVERGED])]
    present = {sweep: int(ended.map(lambda sweeps, sweep=sweep: sweep in sweeps).sum()) for sweep in asked}
    return [
        f"An interim look: of {number:,} trials that sweep {sweep} asked for {present[sweep]:,} have ended. Who stops "
        "when the verdicts please has other error rates than the stated ones."
        for sweep, number in asked.items()
        if present[sweep] < number
    ]


def unreadable(noun: str, runs: Sequence[tuple[str, str]]) -> list[str]:
    """What of the store is in no table or figure, because its record is damaged, as (run, reason)."""
    return [f"{left_out(noun, runs)}."] if runs else []


def conflicting(frame: pd.DataFrame) -> list[str]:
    """Of which trials the store has results that disagree."""
    trials = frame[frame["conflict"] != ""]
    return [] if trials.empty else [f"{(words := in_words(trials))[0].upper()}{words[1:]}."]


def _seeds(analyses: Sequence[Analysis]) -> list[str]:
    pairs = [c for analysis in analyses for c in analysis.primary.comparisons]
    if not any(c.n > 1 for c in pairs):
        return ["No pair of a frozen and a pruned method has two seeds in common: nothing is tested."]
    lines = [_few(analysis, analyses) for analysis in analyses if _has_few(analysis)]
    if few := sum(c.n < 2 for c in pairs):
        lines.append(
            f"{counted(few, 'comparison')} {'have' if few > 1 else 'has'} fewer than two pairs and cannot be tested."
        )
    return lines


def _has_few(analysis: Analysis) -> bool:
    counts = reach.pair_counts(analysis.primary.comparisons)
    return bool(counts) and counts[0] < reach.FEW


def _few(analysis: Analysis, analyses: Sequence[Analysis]) -> str:
    """Why a section without a mark says little: by its own seeds and family."""
    pairs = analysis.primary.comparisons
    least, said = reach.pair_counts(pairs)[0], reach.reach(analysis, pairs)
    return f"{_title(analysis, analyses)}Few seeds: n = {least} at the least. {said} “open” says little."


def _tuning(analyses: Sequence[Analysis]) -> list[str]:
    untuned = [analysis.section.title for analysis in analyses if not searched(analysis.section.fields)]
    titles = f" ({', '.join(untuned)})" if len(untuned) < len(analyses) else ""
    lines = []
    if untuned:
        lines.append(
            "One set of hyper-parameters for all methods and rates, and for dense: a difference may be one of tuning"
            f"{titles}."
        )
    for analysis in analyses:
        if names_ := searched(analysis.section.fields):
            seeds = len(analysis.section.fields["tuning"]["seeds"])
            lines.append(
                f"Tuned is {' and '.join(HYPERPARAMETERS.get(n, n) for n in names_)} only, by validation accuracy at "
                f"{counted(seeds, 'seed')}: all else is one value for all methods and rates ({analysis.section.title})."
            )
    return lines


def _mixed(analyses: Sequence[Analysis]) -> list[str]:
    """Per section, in how many cells some seeds are near chance; and what the seeds of the others cannot rule out."""
    lines, counts = [], []
    for analysis in analyses:
        comparisons = [*analysis.primary.comparisons, *analysis.secondary.comparisons]
        if fallen := analysis.mixed(comparisons):
            counts += [c.n for c in comparisons if c.n > 1]
            cells = counted(len(fallen), "cell")
            lines.append(
                f"{_title(analysis, analyses)}Some, but not all, seeds of {cells} are near chance: see the warnings of "
                "the section."
            )
    if counts:
        least = min(counts)
        lines.append(
            f"If none of n = {least} seeds is near chance, up to {100 * most_unseen(least):.0f} % of all may be "
            "(95 % limit): such a mean is too good, and neither a t test nor an exact one sees it."
        )
    return lines


def _untrained(analyses: Sequence[Analysis]) -> list[str]:
    """The cells that are wholly at chance."""
    cells = _cells(analyses, lambda analysis, cell: cell.key in analysis.untrained)
    said = f"No seed trained: {cells}. A difference to these says at most that the other side trains."
    return [said] if cells else []


def _protocols(analyses: Sequence[Analysis]) -> list[str]:
    families: dict[str, set[str]] = {}
    starts: dict[str, str] = {}
    for analysis in analyses:
        section = analysis.section
        families.setdefault(f"{section.dataset} · {section.model}", set()).add(section.family)
        if len(analysis.starts) > 1:
            starts[section.title_of_family] = "; ".join(analysis.starts)
    several = [
        f"Several protocols of {name}: each has a family of its own." for name, of in families.items() if len(of) > 1
    ]
    return [*several, *(f"{title}: the starts ({words}) have one family together." for title, words in starts.items())]


def _lost(analyses: Sequence[Analysis]) -> list[str]:
    lines = []
    for outcome, effect in (
        (names.DIVERGED, "means are those of the seeds that trained"),
        (names.FAILED, "the same command trains them"),
    ):
        trials = sum(len(cell.seeds_lost(outcome)) for analysis in analyses for cell in analysis.cells)
        if trials:
            cells = _cells(analyses, partial(_lost_to, outcome))
            lines.append(f"{counted(trials, 'trial')} {outcome} ({cells}): {effect}.")
    missing = sum(len(cell.missing) for analysis in analyses for cell in analysis.cells)
    if missing:
        lines.append(f"{missing} trials that other cells have are not in the store: pairs are fewer there.")
    return lines


def _controls(analyses: Sequence[Analysis]) -> list[str]:
    lacking = [analysis.section.title for analysis in analyses if not analysis.controls]
    return [f"No sanity control was run: {', '.join(lacking)}."] if lacking else []


def _scope(analyses: Sequence[Analysis]) -> list[str]:
    datasets, models = ({getattr(analysis.section, what) for analysis in analyses} for what in ("dataset", "model"))
    lines = []
    if 1 in (len(datasets), len(models)):
        scope = f"{counted(len(datasets), 'data set')}, {counted(len(models), 'network')}"
        lines.append(f"{scope}: what is found holds for these.")
    if cut := _cells(analyses, lambda _, cell: bool(cell.disconnected) and cell.ends_pruned):
        lines.append(
            f"Pruned networks without a path of live weights from input to output ({cut}) answer every image alike: "
            "there freezing wins for another reason than its weights; see the table over other seeds."
        )
    if not analyses[0].view.shown_metric.is_accuracy:
        lines.append("The figure is no accuracy.")
    return lines


def _lost_to(outcome: str, _: Analysis, cell: Cell) -> bool:
    return bool(cell.seeds_lost(outcome))


def _cells(analyses: Sequence[Analysis], holds: Callable[[Analysis, Cell], bool]) -> str:
    """The cells of which something holds, with their section if there are several: snip 0.99, snip 0.999 (title)"""
    by_section = []
    for analysis in analyses:
        held = [f"{cell.label} {rate_text(cell.rate)}" for cell in analysis.cells if holds(analysis, cell)]
        if held:
            by_section.append(_title(analysis, analyses) + ", ".join(held))
    return "; ".join(by_section)


def _title(analysis: Analysis, analyses: Sequence[Analysis]) -> str:
    return f"{analysis.section.title}: " if len(analyses) > 1 else ""


def _source(analyses: Sequence[Analysis]) -> list[str]:
    frames = [analysis.section.frame for analysis in analyses]
    dirty = sum(int(frame["git_dirty"].fillna(False).astype(bool).sum()) for frame in frames)
    commits = {c for frame in frames for c in frame["git_commit"] if c}
    lines = [f"{dirty} trials ran from source with uncommitted changes."] if dirty else []
    if len(commits) > 1:
        lines.append(f"The trials ran from {len(commits)} commits; the run key vouches for what could change a number.")
    return lines
