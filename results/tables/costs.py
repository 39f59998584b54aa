"""What a rate costs: what is stored of a network, what a step computes, and from which rate on a mask collapses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bench import names
from bench.metrics import NONE
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.method_record import BASELINES, CHANGING, TO_BUDGET
from bench.results.frame.starts import SCRATCH
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, compared_rates
from bench.results.tables.captions import redraws_head
from bench.results.tables.formats import Grid

EVERY = ("freeze", "prune", DENSE, BIASES)
BACKGROUNDS = {"freeze": "frozen", "prune": "pruned"}
ALIKE = {"freeze": ("freeze", DENSE, BIASES), "prune": ("prune", DENSE)}  # the backgrounds of a column


def storage(analysis: Analysis) -> Iterator[Grid]:
    """What is stored, of methods that train weights and of those that train a mask alone."""
    if (rates := stored(analysis)).rows:
        yield rates
    if alone := [cell for cell in analysis.shown if not cell.record.trains_weights]:
        yield _masks_alone(alone)


def _masks_alone(shown: list[Cell]) -> Grid:
    caption = (
        "What is stored if no weight is trained: the seed, the mask, biases and BatchNorm's scale and shift, which are "
        "the stored parameters. The live weights are drawn again. Not among the rates above. A range over seeds."
    )
    headers = ["method", "rate", "live weights", "stored parameters", "mask bytes", "stored bytes"]
    counted = (names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.MASK_BYTES, names.STORED_BYTES)
    rows = [
        [
            cell.label,
            rate_text(cell.rate),
            *(_over([cell], name) for name in counted),
            _times(_over([cell], names.COMPRESSION_BYTES, form=".1f")),
        ]
        for cell in shown
    ]
    return Grid(caption, [*headers, "compression in bytes"], rows, "What is stored if no weight is trained")


def stored(analysis: Analysis) -> Grid:
    """Rates × what is stored, of methods that train weights."""
    caption = (
        "What each rate stores. Stored parameters: live weights, biases, BatchNorm's scale and shift; compression: all "
        "parameters / stored ones. Stored bytes: the trained network's file, that is the entropy-coded mask, these "
        "parameters without loss, BatchNorm's statistics, what the trial was, and checksums; compression in bytes: all "
        "parameters in their own type / that file. Given the same mask, a frozen and a pruned network store equally "
        f"many parameters and the same mask. {_rebuilt(analysis)} What their files differ in is how well the trained "
        "values pack. A range over methods and seeds."
    )
    headers = ["rate", "live weights", "stored parameters", "compression", "mask bytes"]
    headers += [f"stored bytes, {background}" for background in BACKGROUNDS.values()]
    rows = _rows(
        analysis, lambda cell: cell.record.trains_weights and cell.record.group not in (TO_BUDGET, BASELINES), _stored
    )
    return Grid(caption, [*headers, "compression in bytes"], rows, "What each rate stores")


def _rebuilt(analysis: Analysis) -> str:
    """What a frozen network is rebuilt from."""
    if analysis.section.start == SCRATCH:
        return "Both files name the seed; without its 32 bits the frozen network cannot be rebuilt, the pruned one can."
    named = "the base and the seed, which draws its last layer again" if redraws_head(analysis) else "the base"
    without = "both" if redraws_head(analysis) else "it"
    return f"Both files name {named}; without {without} the frozen network cannot be rebuilt, the pruned one can."


def _stored(here: list[Cell]) -> list[str]:
    return [
        _over(here, names.LIVE_WEIGHTS),
        _over(here, names.STORED_PARAMETERS),
        _times(_over(here, names.COMPRESSION, form=".1f")),
        _over(here, names.MASK_BYTES),
        *(_over(here, names.STORED_BYTES, alike) for alike in ALIKE.values()),
        _times(_over(here, names.COMPRESSION_BYTES, form=".1f")),
    ]


def computed(analysis: Analysis) -> Grid:
    """Rates × what a step costs, frozen and pruned."""
    caption = (
        "What each rate computes. Multiply-accumulates (MACs) per image count non-zero weights: a frozen network stays "
        "dense in the forward pass, so it saves storage and no forward work; a pruned one saves both. Backward MACs: "
        "the gradients of the live weights + the gradients passed to the layer below; a range, as it depends on where "
        f"the live weights are.{_changing(analysis)}"
    )
    headers = [f"{way} MACs, {background}" for way in ("forward", "backward") for background in BACKGROUNDS.values()]
    apart = (CHANGING, TO_BUDGET, BASELINES)
    rows = _rows(analysis, lambda cell: cell.record.group not in apart and not cell.record.fades, _computed)
    return Grid(caption, ["rate", *headers], rows, "What each rate computes, per image")


def _changing(analysis: Analysis) -> str:
    """What is said of methods that are left out."""
    changing = any(cell.record.group == CHANGING for cell in analysis.shown)
    fading = any(cell.rated and cell.record.fades for cell in analysis.shown)
    what = " or ".join([*(["masks change"] if changing else []), *(["background fades"] if fading else [])])
    return f" Without methods whose {what} while training: what these compute changes too." if what else ""


def _computed(here: list[Cell]) -> list[str]:
    ways = (names.FORWARD_MACS, names.BACKWARD_MACS)
    return [_over(here, way, alike) for way in ways for alike in ALIKE.values()]


def _rows(
    analysis: Analysis, counts: Callable[[Cell], bool], entries: Callable[[list[Cell]], list[str]]
) -> list[list[str]]:
    """The entries of each rate at which there is a cell that counts."""
    alone = {cell.rate for cell in analysis.shown if not cell.rated}  # of dense, and of biases
    cells = [cell for cell in analysis.cells if counts(cell)]
    rates = sorted({*alone, *compared_rates(analysis.shown)} & {cell.rate for cell in cells})
    return [[rate_text(rate), *entries([cell for cell in cells if cell.rate == rate])] for rate in rates]


def _over(here: list[Cell], name: str, backgrounds: Iterable[str] = EVERY, form: str = ",.0f") -> str:
    """The least and the largest value over methods and seeds, of what the stored networks cost as."""
    held = [(c, c.record.costs_as if c.rated else c.background) for c in here]
    pairs = [c.counts[name] for c, background in held if background in backgrounds and name in c.counts]
    return low_to_high(min(p[0] for p in pairs), max(p[1] for p in pairs), form) if pairs else NONE


def _times(text: str) -> str:
    return text if text == NONE else f"×{text}"


def collapse(analysis: Analysis) -> Grid | None:
    """Methods × the rate at which they collapse, over all rates of the section; None if no mask is known."""
    rated = [cell for cell in analysis.cells if cell.rated and cell.record.group != BASELINES]
    masked = [cell for cell in rated if names.LIVE_WEIGHTS in cell.counts]
    shown = sorted({cell.label for cell in analysis.shown if cell.rated} & {cell.label for cell in masked})
    if not shown:
        return None
    weights, layers = (max(cell.counts[name][1] for cell in masked) for name in (names.MASKABLE_WEIGHTS, names.LAYERS))
    caption = (
        "Collapse and dead paths. A seed collapses if a layer has no live weight or no path of live weights leads "
        "from the input to the output. Without a path a pruned network answers every image alike, a frozen one, whose "
        "forward pass is dense, does not. Largest compression: of the maskable weights, N / live weights, at the rates "
        f"stored before the first collapse; it can be at most N / layers = {weights / layers:,.0f}. On no path: live "
        "weights that no path of live weights connects with both the input and the output, as a share of the live "
        "ones; a pruned network cannot use them."
    )
    headers = ["method", "first rate with a collapse", "seeds collapsed there"]
    headers += ["largest compression without collapse", "on no path, at the highest rate"]
    rows = [[label, *_first_collapse([cell for cell in masked if cell.label == label])] for label in shown]
    return Grid(caption, headers, rows, "Collapse and dead paths")


def _first_collapse(cells: list[Cell]) -> list[str]:
    rising = sorted(cells, key=lambda cell: cell.rate)
    first = next((cell for cell in rising if _collapsed(cell)), None)
    whole = rising[: rising.index(first)] if first else rising
    last = rising[-1]
    live = last.counts[names.LIVE_WEIGHTS][0]
    lost = last.counts.get(names.DISCONNECTED)
    return [
        rate_text(first.rate) if first else f"none up to {rate_text(last.rate)}",
        f"{len(_collapsed(first))} of {first.seeds_known}" if first else NONE,
        f"×{max(_compression(cell) for cell in whole):,.0f}" if whole else NONE,
        f"{low_to_high(100 * lost[0] / live, 100 * lost[1] / live, '.1f')} %" if lost and live else NONE,
    ]


def _collapsed(cell: Cell) -> frozenset[int]:
    return cell.collapsed | cell.disconnected


def _compression(cell: Cell) -> float:
    live = cell.counts[names.LIVE_WEIGHTS][1]
    return cell.counts[names.MASKABLE_WEIGHTS][1] / live if live else 0.0
