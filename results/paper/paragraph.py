"""A paragraph on the methods of a store, in plain English: every sentence is computed of its trials.

Pieces of text are joined as LaTeX; `cited` adds what a piece is cited by, and `Cites` notes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench import names
from bench.messages import counted, decimal_text
from bench.results.frame.collect import DENSE
from bench.results.frame.display_names import MODELS, data_set_name, method_name
from bench.results.frame.margin import OfErrors
from bench.results.frame.method_record import BASELINES, CHANGING, TO_BUDGET, TRAINED_FIRST
from bench.results.frame.sections import searched
from bench.results.frame.starts import SCRATCH
from bench.results.frame.words import ranges, rates_text
from bench.results.paper import sources
from bench.results.parts.latex_words import escaped
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.stats import FLIPS
from bench.results.tables import captions
from bench.results.tables.marks import NOT_JUDGED
from bench.results.tables.planned.plan_words import plan_words
from bench.results.tables.protocol import environment, protocol
from bench.results.tables.tuned import how

Sentences = Iterator[str]
Cite = Callable[[str, Iterable[str]], str]  # text and keys -> LaTeX; it notes the keys


def paragraph(analyses: Sequence[Analysis], cite: Cite) -> str:
    """The sentences, as LaTeX."""
    cells = [cell for analysis in analyses for cell in analysis.shown if cell.rated]
    from_base = any(analysis.section.start != SCRATCH for analysis in analyses)
    said = [*_question(cells, cite, "values at the start" if from_base else "initial values"), *_choices(cells, cite)]
    for analysis in analyses:
        said += [*_trained(analysis, cite), *_trials(analysis)]
    if any(cell.background == DENSE for analysis in analyses for cell in analysis.shown):
        said.append("The dense baseline trains every weight.")
    if floors := [analysis.biases for analysis in analyses if analysis.biases is not None]:
        said.append(f"The floor, {cite('biases alone', sources.choice(floors[0].record))}, trains no weight.")
    said += [*_controls(analyses, cite), *_paired(), *_statistics(analyses, cite)]
    return " ".join(said)


def _question(cells: Sequence[Cell], cite: Cite, values: str) -> Sentences:
    held: dict[str, Callable[[], str]] = {
        "freeze": lambda: f"kept at their {values} ({cite('freezing', sources.BACKGROUNDS['freeze'])})",
        "prune": lambda: "set to zero (pruning)",
    }
    used = [words() for background, words in held.items() if any(cell.background == background for cell in cells)]
    if scales := sorted({cell.record.scale or 0.0 for cell in cells if cell.record.is_scaled}):
        used.append(f"kept at {', '.join(map(decimal_text, scales))} times these values")
    if fading := sorted({cell.background for cell in cells if cell.rated and cell.record.fades}):
        used.append(f"scaled, while the network is trained, from {', '.join(fading)} times these values")
    if used:
        yield (
            "At a rate $q$, the fraction $1-q$ of the weights of all convolutional and linear layers is trained; the "
            f"others are {' or '.join(used)}. Biases and the scale and shift of BatchNorm are always trained."
        )


def _choices(cells: Sequence[Cell], cite: Cite) -> Sentences:
    """The methods at initialisation, then those that other trainings choose for."""
    if methods := _methods([cell for cell in cells if cell.record.at_initialisation], cite):
        yield f"Which weights are trained is chosen before training. The methods are: {methods}."
    if changing := _methods([cell for cell in cells if cell.record.group == CHANGING], cite):
        yield (
            "Which weights are trained changes while they are trained, and so in no comparison with methods at "
            f"initialisation, for: {changing}."
        )
    if small := _methods([cell for cell in cells if cell.record.group == TO_BUDGET], cite):
        yield (
            "Whole channels, or the filters that are trained, are chosen within budgets of parameters and of "
            f"multiply-accumulates, and so in no comparison with methods that choose weights, for: {small}."
        )
    if baselines := _methods([cell for cell in cells if cell.record.group == BASELINES], cite):
        yield f"Baselines, in no comparison of freezing and pruning, are: {baselines}."
    if later := _methods([cell for cell in cells if cell.record.group == TRAINED_FIRST], cite):
        yield (
            "Which weights are trained is chosen by other trainings of the same network, and so in no comparison with "
            f"methods at initialisation, for: {later}."
        )


def _methods(cells: Sequence[Cell], cite: Cite) -> str:
    """The names of their methods, each with what it is cited by."""
    keys: dict[str, list[str]] = {}
    for cell in cells:
        keys.setdefault(method_name(cell.label), sources.choice(cell.record))
    return "; ".join(cite(name, keys[name]) for name in sorted(keys))


def _trained(analysis: Analysis, cite: Cite) -> Sentences:
    section, fields = analysis.section, analysis.section.fields
    network = cite(MODELS.get(section.model, section.model), sources.MODELS.get(section.model, ()))
    data = cite(data_set_name(section.dataset), sources.data_set(section.dataset))
    words = protocol(fields).removeprefix("Protocol: ").replace(" tuned, see below", " tuned")
    yield f"We trained {network} on {data}: {escaped(words)}"
    if "dataset" in (start := fields.get("start") or {}):
        whose = "each seed's base" if start["seed"] == "own" else "the base of all seeds"
        yield f"The dense training of {whose} was on {_data_of(start, cite)}."
    tables: dict[str, tuple[str, Mapping[str, Sequence[str]]]] = {
        "initialiser": ("initial weights", sources.INITIALISERS),
        "optimizer": ("optimizer", sources.OPTIMIZERS),
        "schedule": ("learning-rate schedule", sources.SCHEDULES),
    }
    known = {noun: table.get(str(fields.get(name)), ()) for name, (noun, table) in tables.items()}
    if cited := [cite(noun, keys) for noun, keys in known.items() if keys]:
        yield f"Sources: {', '.join(cited)}."
    if searched(fields):
        yield escaped(how(analysis))
    if software := environment(analysis):
        yield f"{escaped(software.removesuffix('.'))}, {cite('with freeze-or-prune', sources.PACKAGE)}."


def _data_of(start: Mapping[str, Any], cite: Cite) -> str:
    """The data sets that trained a base, the last one first."""
    data = cite(data_set_name(start["dataset"]), sources.data_set(start["dataset"]))
    earlier = start.get("start", {})
    return f"{data}, after one on {_data_of(earlier, cite)}" if "dataset" in earlier else data


def _trials(analysis: Analysis) -> Sentences:
    """Rates, seeds, and what was lost."""
    cells, seeds = analysis.shown, analysis.section.seeds
    rates = rates_text({cell.rate for cell in cells if cell.rated})
    parts = [f"Rates: {', '.join(rates)}." if rates else "", f"Seeds: {ranges(seeds)} (n = {len(seeds)})."]
    lost = [(word, sum(len(cell.seeds_lost(word)) for cell in cells)) for word in (names.DIVERGED, names.FAILED)]
    parts += [f"{counted(number, 'trial')} {word}, and left out." for word, number in lost if number]
    yield escaped(" ".join(part for part in parts if part))


def _controls(analyses: Sequence[Analysis], cite: Cite) -> Sentences:
    used = sorted({cell.record.control for analysis in analyses for cell in analysis.controlled})
    if used:
        yield f"{cite('Sanity controls', sources.CONTROLS)}: {escaped(', '.join(used))}."


def _paired() -> Sentences:
    yield (
        "At one seed all methods share initial weights, split, data order and criterion sample, so differences are "
        "paired by seed. We report the mean and the standard deviation (ddof 1) over seeds of the test accuracy after "
        "the last epoch."
    )


def _statistics(analyses: Sequence[Analysis], cite: Cite) -> Sentences:
    tested = [analysis for analysis in analyses if any(c.n > 1 for c in analysis.shown_primary)]
    if not tested:
        yield "No difference of freezing and pruning was tested: no pair has two seeds in common."
        return
    view = tested[0].view
    pairs = sorted({c.n for analysis in tested for c in analysis.shown_primary if c.n > 1})
    families = sorted({analysis.primary.size for analysis in tested})
    at = captions.levels(tested)
    judged = f"at level {at}" if at else f"and none is judged: {NOT_JUDGED}"
    number = str(pairs[0]) if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]}"
    drawn = view.test != "permutation" or 2 ** pairs[-1] > FLIPS  # an exact test draws no flips
    test = cite(captions.TESTS[view.test].partition(" (")[0], sources.TESTS[view.test] if drawn else ())
    at = "" if all(c.record.at_initialisation for of in analyses for c in of.shown) else " at initialisation"
    yield (
        f"Every frozen method{at} is compared with the pruned one that chooses the same weights: mean difference, its "
        f"95\\,\\% t interval, and a {test} over n = {number} pairs, {cite('corrected by Holm', sources.HOLM)} over "
        f"all m = {' or '.join(map(str, families))} comparisons{_of(analyses)}, {judged}."
    )
    for words in dict.fromkeys(filter(None, map(plan_words, analyses))):
        yield escaped(words)
    if view.margin is not None:
        if isinstance(view.margin, OfErrors):
            within = f"{100 * view.margin.share:g}\\,\\% of the errors"
        else:
            within = f"{100 * view.margin:g} percentage points"
        yield (
            f"Equivalence within $\\pm${within} is judged by "
            f"{cite('two one-sided t tests', sources.EQUIVALENCE)}, corrected likewise."
        )


def _of(analyses: Sequence[Analysis]) -> str:
    """What the comparisons of a family are of, unless they are those of the one section."""
    families = {analysis.section.family for analysis in analyses}
    per = " of each data set, network and protocol" if len(families) > 1 else ""
    if all(len(analysis.starts) == 1 for analysis in analyses):
        return per
    return f"{per}, all starts together" if per else " of all starts together"
